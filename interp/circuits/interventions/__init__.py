"""Running a model with activations or edges replaced."""

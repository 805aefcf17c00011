"""What it means to steer: which direction, how far, and where."""

"""Training a dictionary: options, the stream of activations, the loop, the folder it is kept in, its threshold."""

"""Sparse autoencoders at a model's sites: found, loaded, attached."""

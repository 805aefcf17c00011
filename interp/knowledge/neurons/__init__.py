"""Neurons of many layers: what their weights say, and where a corpus drives them."""

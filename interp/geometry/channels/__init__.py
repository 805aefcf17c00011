"""Channels between heads, from the weights."""

"""Layers and their parts, measured, and put out of action."""

"""The tokens of a window as rows of a matrix."""

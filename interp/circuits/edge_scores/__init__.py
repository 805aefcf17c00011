"""Scores of all edges."""

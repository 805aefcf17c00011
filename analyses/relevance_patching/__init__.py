"""ACDC over every edge of the default model."""

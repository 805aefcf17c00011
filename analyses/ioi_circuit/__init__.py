"""Indirect object identification in the default model."""

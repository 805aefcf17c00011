"""Spectra of patterns and weights."""

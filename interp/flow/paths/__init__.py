"""Paths through the network: their bound, and their sum by length."""

"""Searching for a circuit: what it costs, what it removes, and what it writes down on the way."""

"""Searching for a circuit: its cost, its removals and its journal."""

"""Mixing: how much of each position's state a layer takes from the positions below it."""

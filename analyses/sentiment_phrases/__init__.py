"""Contextual decomposition finds sentiment-bearing phrases in a small classifier trained on sentences made here."""

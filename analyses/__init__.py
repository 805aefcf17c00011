"""Scripted studies, each a folder with the command that runs it."""

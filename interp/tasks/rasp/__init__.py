"""The small language of “Thinking Like Transformers”: its text, and what a program in it computes."""

from interp.tasks.rasp.meaning import LONGEST_INPUT, MOST_TOKENS, Meaning, meaning
from interp.tasks.rasp.syntax import LONGEST_SOURCE, RaspError

__all__ = ["LONGEST_INPUT", "LONGEST_SOURCE", "MOST_TOKENS", "Meaning", "RaspError", "meaning"]

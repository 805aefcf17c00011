"""Dictionaries: sparse autoencoders (sae-lens) on a model's sites."""

from interp.dictionaries.attached import Attached
from interp.dictionaries.dictionary import Dictionary
from interp.dictionaries.loading import load

__all__ = ["Attached", "Dictionary", "load"]

"""Dictionaries: sparse autoencoders (sae-lens) on a model's sites."""

from interp.core.engine import EngineSpec
from interp.dictionaries.attached import Attached
from interp.dictionaries.catalogue import attached, known
from interp.dictionaries.dictionary import Dictionary
from interp.dictionaries.loading import load
from interp.dictionaries.training import train
from interp.dictionaries.training_options import TrainingOptions

ENGINES: tuple[EngineSpec, ...] = ()

__all__ = ["ENGINES", "Attached", "Dictionary", "TrainingOptions", "attached", "known", "load", "train"]

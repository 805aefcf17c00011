"""Dictionaries: sparse autoencoders (sae-lens) on a model's sites."""

from interp.core.engine import EngineSpec
from interp.dictionaries import feature_activations as _feature_activations
from interp.dictionaries.attached import Attached
from interp.dictionaries.catalogue import attached, known
from interp.dictionaries.dictionary import Dictionary
from interp.dictionaries.loading import load
from interp.dictionaries.training import train
from interp.dictionaries.training_options import TrainingOptions

feature_activations = _feature_activations.SPEC

ENGINES: tuple[EngineSpec, ...] = (
    feature_activations,
)

__all__ = [
    "ENGINES",
    "Attached",
    "Dictionary",
    "TrainingOptions",
    "attached",
    "feature_activations",
    "known",
    "load",
    "train",
]

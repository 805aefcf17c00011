"""Dictionaries: sparse autoencoders (sae-lens) on a model's sites."""

from interp.core.engine import EngineSpec
from interp.dictionaries import feature_activations as _feature_activations
from interp.dictionaries.attached import Attached
from interp.dictionaries.catalogue import attached, known
from interp.dictionaries.dictionary import Dictionary
from interp.dictionaries.loading import load

feature_activations = _feature_activations.SPEC

ENGINES: tuple[EngineSpec, ...] = (feature_activations,)

__all__ = ["ENGINES", "Attached", "Dictionary", "attached", "feature_activations", "known", "load"]

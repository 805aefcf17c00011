"""Dictionaries: sparse autoencoders (sae-lens) on a model's sites."""

from interp.core.engine import EngineSpec
from interp.dictionaries import dfa as _dfa
from interp.dictionaries import feature_ablation as _feature_ablation
from interp.dictionaries import feature_attribution as _feature_attribution
from interp.dictionaries.attached import Attached
from interp.dictionaries.catalogue import attached, known
from interp.dictionaries.dictionary import Dictionary
from interp.dictionaries.loading import load

ENGINES: tuple[EngineSpec, ...] = (_dfa.SPEC, _feature_attribution.SPEC, _feature_ablation.SPEC)

dfa = _dfa.SPEC
feature_ablation = _feature_ablation.SPEC
feature_attribution = _feature_attribution.SPEC

__all__ = [
    "ENGINES",
    "Attached",
    "Dictionary",
    "attached",
    "dfa",
    "feature_ablation",
    "feature_attribution",
    "known",
    "load",
]

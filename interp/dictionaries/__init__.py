"""Dictionaries: sparse autoencoders (sae-lens) on a model's sites."""

from interp.core.engine import EngineSpec
from interp.dictionaries import sae_quality as _sae_quality
from interp.dictionaries.attached import Attached
from interp.dictionaries.catalogue import attached, known
from interp.dictionaries.dictionary import Dictionary
from interp.dictionaries.loading import load
from interp.dictionaries.recovery import recovery

sae_quality = _sae_quality.SPEC

ENGINES: tuple[EngineSpec, ...] = (sae_quality,)

__all__ = ["ENGINES", "Attached", "Dictionary", "attached", "known", "load", "recovery", "sae_quality"]

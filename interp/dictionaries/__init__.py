"""Dictionaries: sparse autoencoders (sae-lens) on a model's sites."""

from interp.core.engine import EngineSpec
from interp.dictionaries import dfa as _dfa
from interp.dictionaries import feature_ablation as _feature_ablation
from interp.dictionaries import feature_activations as _feature_activations
from interp.dictionaries import feature_attribution as _feature_attribution
from interp.dictionaries import feature_cards as _feature_cards
from interp.dictionaries import head_roles as _head_roles
from interp.dictionaries import sae_quality as _sae_quality
from interp.dictionaries.attached import Attached
from interp.dictionaries.cards.harvesting import Harvest, harvest
from interp.dictionaries.cards.queries import Cards
from interp.dictionaries.catalogue import attached, known
from interp.dictionaries.dictionary import Dictionary
from interp.dictionaries.loading import load
from interp.dictionaries.quality.recovery import recovery
from interp.dictionaries.training.fit import train
from interp.dictionaries.training.options import TrainingOptions

feature_activations = _feature_activations.SPEC
dfa = _dfa.SPEC
feature_attribution = _feature_attribution.SPEC
feature_ablation = _feature_ablation.SPEC
feature_cards = _feature_cards.SPEC
head_roles = _head_roles.SPEC
sae_quality = _sae_quality.SPEC

ENGINES: tuple[EngineSpec, ...] = (
    feature_activations,
    dfa,
    feature_attribution,
    feature_ablation,
    feature_cards,
    head_roles,
    sae_quality,
)

__all__ = [
    "ENGINES",
    "Attached",
    "Cards",
    "Dictionary",
    "Harvest",
    "TrainingOptions",
    "attached",
    "dfa",
    "feature_ablation",
    "feature_activations",
    "feature_attribution",
    "feature_cards",
    "harvest",
    "head_roles",
    "known",
    "load",
    "recovery",
    "sae_quality",
    "train",
]

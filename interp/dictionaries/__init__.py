"""Dictionaries: sparse autoencoders (sae-lens) at a model's sites."""

# ruff: noqa: F401, I001 - the order of these lines is the one in which a reader meets the engines
from interp.dictionaries.feature_activations import feature_activations
from interp.dictionaries.dfa import dfa
from interp.dictionaries.feature_attribution import feature_attribution
from interp.dictionaries.feature_ablation import feature_ablation
from interp.dictionaries.feature_cards import feature_cards
from interp.dictionaries.head_roles import head_roles
from interp.dictionaries.feature_disentanglement import feature_disentanglement
from interp.dictionaries.sae_quality import sae_quality
from interp.core.engine import records
from interp.core.signatures import public
from interp.dictionaries.sae.attached import Attached
from interp.dictionaries.cards.harvesting import Harvest, harvest
from interp.dictionaries.cards.queries import Cards
from interp.dictionaries.sae.catalogue import attached, known
from interp.dictionaries.sae.dictionary import Dictionary
from interp.dictionaries.sae.loading import load
from interp.dictionaries.planted import planted_recovery
from interp.dictionaries.quality.recovery import recovery
from interp.dictionaries.training.fit import train
from interp.dictionaries.training.options import TrainingOptions

ENGINES = records(globals())
__dir__ = public(globals())

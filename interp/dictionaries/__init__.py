"""Dictionaries: sparse autoencoders (sae-lens) on a model's sites."""

from interp.core.engine import EngineSpec
from interp.dictionaries import feature_cards as _feature_cards
from interp.dictionaries import head_roles as _head_roles
from interp.dictionaries.attached import Attached
from interp.dictionaries.card_queries import Cards
from interp.dictionaries.catalogue import attached, known
from interp.dictionaries.dictionary import Dictionary
from interp.dictionaries.loading import load

feature_cards = _feature_cards.SPEC
head_roles = _head_roles.SPEC

ENGINES: tuple[EngineSpec, ...] = (feature_cards, head_roles)

__all__ = ["ENGINES", "Attached", "Cards", "Dictionary", "attached", "feature_cards", "head_roles", "known", "load"]

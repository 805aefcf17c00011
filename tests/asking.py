"""Prompts and questions that each tiny family can read."""

from tiny import FAMILIES

from interp.core.prompts import PromptPairs, Prompts
from interp.models import HookedModel

CAUSAL = tuple(name for name in FAMILIES if not name.startswith("bert"))
_CLEAN, _CORRUPTED = (
    ["When Mary and John went to the store", "The keys"],
    ["When John and Mary went to the store", "The store"],
)
_MASKED = ["mary and john went to the [MASK]", "the [MASK]"], ["john and mary went to the [MASK]", "are [MASK]"]


def pairs_for(model: HookedModel, family: str) -> PromptPairs:
    """Two aligned pairs of different lengths, with a question whose answers are one token (or a class) each."""
    clean, corrupted = _MASKED if family == "bert-masked" else (_CLEAN, _CORRUPTED)
    if model.is_classifier:
        target, contrast = model.class_names[:2]
    else:
        target, contrast = (" Mary", " John") if model.is_causal else ("mary", "john")
    return PromptPairs.of(model, clean, corrupted, target=target, contrast=contrast)


def prompts_for(model: HookedModel, family: str) -> Prompts:
    """The clean side of `pairs_for`."""
    return pairs_for(model, family).clean

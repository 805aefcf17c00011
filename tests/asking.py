"""Prompts and questions that each tiny family can read, and engines in little time."""

import dataclasses

from tiny import FAMILIES

from interp import engines
from interp.core.engine import EngineSpec
from interp.core.prompts import PromptPairs, Prompts
from interp.models import HookedModel

CAUSAL = tuple(name for name in FAMILIES if not name.startswith("bert"))
_CLEAN, _CORRUPTED = (
    ["When Mary and John went to the store", "The keys"],
    ["When John and Mary went to the store", "The store"],
)
# Options of engines that take long, where a test asks for any result and not for a good one.
QUICK = {
    "acdc": {"prefilter": 40, "tau": 1e-6},
    "edge-pruning": {"steps": 5},
    "qk-split": {"windows": 4, "length": 64},
    "feature-ablation": {"windows": 2, "length": 32, "draws": 2},
    "circuit-evidence": {"draws": 1, "knockouts": 1, "tested_nodes": 3, "tested_edges": 4},
}
# Engines that read windows, prompts of one length.
EVEN = ("position-context",)
# Engines that read weights: most models need not run for them.
WEIGHTS_ONLY = ("head-composition",)
# Engines that keep what they have run: asked again, most models need not run for them.
KEPT = ("feature-cards",)
_MASKED = ["mary and john went to the [MASK]", "the [MASK]"], ["john and mary went to the [MASK]", "are [MASK]"]


def pairs_for(model: HookedModel, family: str, *, even: bool = False) -> PromptPairs:
    """Two aligned pairs, with a question whose answers are one token (or a class) each.

    Of different lengths; where `even`, the first one both ways round.
    """
    clean, corrupted = _MASKED if family == "bert-masked" else (_CLEAN, _CORRUPTED)
    if even:
        clean, corrupted = [clean[0], corrupted[0]], [corrupted[0], clean[0]]
    if model.is_classifier:
        target, contrast = model.class_names[:2]
    else:
        target, contrast = (" Mary", " John") if model.is_causal else ("mary", "john")
    return PromptPairs.of(model, clean, corrupted, target=target, contrast=contrast)


def prompts_for(model: HookedModel, family: str) -> Prompts:
    """The clean side of `pairs_for`."""
    return pairs_for(model, family).clean


def quick_engine(name: str) -> EngineSpec:
    """The engine, with the options that make it quick."""
    spec = engines.find(name)

    def run(model, prompts, metric, options):
        return spec.run(model, prompts, metric, dataclasses.replace(options, **QUICK.get(name, {})))

    return dataclasses.replace(spec, run=run)

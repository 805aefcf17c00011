"""Prompts and questions that each tiny family can read, and rows of many cases."""

from collections.abc import Callable, Iterable
from itertools import chain, product
from operator import getitem
from typing import Any

import pytest
from tiny import FAMILIES

from interp import engines
from interp.core.prompts import PromptPairs, Prompts
from interp.models import HookedModel

CAUSAL = tuple(name for name in FAMILIES if not name.startswith("bert"))
# One family for each way of writing the stream: pre, sandwich, parallel, post.
STREAMS = ("llama", "gemma3", "gptneox", "bert-masked")
_CLEAN, _CORRUPTED = (
    ["When Mary and John went to the store", "The keys"],
    ["When John and Mary went to the store", "The store"],
)
# Engines that read weights: most models need not run for them.
WEIGHTS_ONLY = ("head-composition",)
# Engines that keep what they have run: asked again, most models need not run for them.
KEPT = ("feature-cards",)
_MASKED = ["mary and john went to the [MASK]", "the [MASK]"], ["john and mary went to the [MASK]", "are [MASK]"]


def pairs_for(model: HookedModel, family: str, *, even: bool = False) -> PromptPairs:
    """Two aligned pairs, with a question whose answers are one token (or a class) each.

    Of different lengths; where `even`, the first one both ways round.
    """
    clean, corrupted = (_CLEAN, _CORRUPTED) if model.is_causal or model.is_classifier else _MASKED
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


def covering(*axes: tuple[str, Iterable[Any]]) -> pytest.MarkDecorator:
    """Parametrize over a product of (names, values): rows with every value in one of them, and the others as `full`."""
    values = [[row if "," in names else (row,) for row in axis] for names, axis in axes]
    sizes = [len(axis) for axis in values]
    covered = {tuple(row % size for size in sizes) for row in range(max(sizes))}
    rows = [
        pytest.param(*chain.from_iterable(map(getitem, values, row)), marks=_full_unless(row in covered))
        for row in product(*map(range, sizes))
    ]
    return pytest.mark.parametrize(", ".join(names for names, _ in axes), rows)


def some(name: str, values: Iterable[Any], always: Iterable[Any]) -> pytest.MarkDecorator:
    """Parametrize over `values`, of which those that are not in `always` are `full`."""
    always = tuple(always)
    rows = [
        pytest.param(*(value if "," in name else (value,)), marks=_full_unless(value in always)) for value in values
    ]
    return pytest.mark.parametrize(name, rows)


def _full_unless(covered: bool) -> tuple[pytest.MarkDecorator, ...]:
    return () if covered else (pytest.mark.full,)


def family_for(engine: str, tiny: Callable[..., HookedModel]) -> str:
    """A tiny family that the engine supports: Llama, but for those that read a mixture of experts.

    Skips the test for an engine that runs over models of its own.
    """
    if engines.find(engine).collection is not None:
        pytest.skip("it runs over models of its own")
    return next(family for family in ("llama", "qwen2moe") if engines.find(engine).obstacle(tiny(family)) is None)

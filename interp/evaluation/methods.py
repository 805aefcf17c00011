"""The attribution methods under evaluation: those that are asked for, and the relevance that each gives."""

from collections.abc import Callable, Sequence
from itertools import product
from typing import Any

import numpy as np
from jaxtyping import Float

from interp.core.engine import EngineSpec
from interp.core.errors import OptionError
from interp.core.metric import Metric
from interp.core.progress import track
from interp.core.prompts import Prompts
from interp.models.hooked import HookedModel


def without_methods(methods: Sequence[EngineSpec]) -> Callable[[Any], str | None]:
    """The obstacle of an engine that evaluates `methods`: that none of them treats the model."""

    def obstacle(model: HookedModel) -> str | None:
        if any(method.obstacle(model) is None for method in methods):
            return None
        return "no attribution method treats it" if methods else "there is no attribution method to evaluate"

    return obstacle


def chosen_methods(methods: Sequence[EngineSpec], names: Sequence[str], model: HookedModel) -> list[EngineSpec]:
    """The methods named, in that order; where none is named, every one that treats the model.

    Raises: OptionError for a name that is not one of `methods`.
    """
    known = {method.name: method for method in methods}
    for name in names:
        if name not in known:
            raise OptionError(f"there is no attribution method {name!r}; choose from {', '.join(known)}")
    if names:
        return [known[name] for name in dict.fromkeys(names)]
    return [method for method in methods if method.obstacle(model) is None]


def batches_of_equal_length(prompts: Prompts, batch_size: int) -> list[list[int]]:
    """The rows of `prompts` in batches that need no padding, shortest first."""
    lengths = prompts.mask.sum(-1).tolist()
    batches = []
    for length in sorted(set(lengths)):
        rows = [row for row, other in enumerate(lengths) if other == length]
        batches += [rows[first : first + batch_size] for first in range(0, len(rows), batch_size)]
    return batches


def relevances(
    model: HookedModel, methods: Sequence[EngineSpec], prompts: Prompts, metric: Metric, *, batch_size: int = 1
) -> dict[str, Float[np.ndarray, "batch pos"]]:
    """The relevance of every token by every method, zero at padding.

    Raises: EngineError if a method cannot treat the model, and whatever a method raises.
    """
    batches = batches_of_equal_length(prompts, batch_size)
    found = {method.name: np.zeros((len(prompts), prompts.width)) for method in methods}
    for method, rows in track(product(methods, batches), len(methods) * len(batches), "relevance"):
        values = method(model, prompts[rows], metric=metric.select(rows)).values("relevance").values
        found[method.name][rows, : values.shape[1]] = values
    return found

"""The attribution methods under evaluation: those that are asked for, and the relevance that each gives."""

from collections.abc import Sequence
from itertools import product

import numpy as np
from jaxtyping import Float

from interp.attribution import METHODS
from interp.core.method import Method
from interp.core.metric import Metric
from interp.core.progress import track
from interp.core.prompts import Prompts
from interp.models.hooked import HookedModel


def without_methods(model: HookedModel) -> str | None:
    """The obstacle of an engine that evaluates every method: that none of them supports the model."""
    if any(method.obstacle(model) is None for method in METHODS):
        return None
    return "no attribution method supports it"


def methods_named(names: Sequence[str], model: HookedModel) -> list[Method]:
    """The methods named, in that order; where none is named, every one that supports the model.

    A name may carry options: `integrated-gradients:steps=20,baseline=mean`.
    Raises: OptionError for a name that is not a method's, and for an option that the method does not take.
    """
    if not names:
        return [Method(engine.name, engine, {}) for engine in METHODS if engine.obstacle(model) is None]
    return [Method.of(name, METHODS, "attribution method") for name in dict.fromkeys(names)]


def batches_of_equal_length(prompts: Prompts, batch_size: int) -> list[list[int]]:
    """The rows of `prompts` in batches that need no padding, shortest first."""
    lengths = prompts.mask.sum(-1).tolist()
    batches = []
    for length in sorted(set(lengths)):
        rows = [row for row, other in enumerate(lengths) if other == length]
        batches += [rows[first : first + batch_size] for first in range(0, len(rows), batch_size)]
    return batches


def relevances(
    model: HookedModel, methods: Sequence[Method], prompts: Prompts, metric: Metric, *, batch_size: int = 1
) -> dict[str, Float[np.ndarray, "batch pos"]]:
    """The relevance of every token by every method, zero at padding.

    Raises: EngineError if a method does not support the model, and whatever a method raises.
    """
    batches = batches_of_equal_length(prompts, batch_size)
    by_method = {method.label: np.zeros((len(prompts), prompts.width)) for method in methods}
    for method, rows in track(product(methods, batches), len(methods) * len(batches), "relevance"):
        result = method.engine(model, prompts[rows], metric=metric.select(rows), **method.options)
        values = result.values("relevance").values
        by_method[method.label][rows, : values.shape[1]] = values
    return by_method

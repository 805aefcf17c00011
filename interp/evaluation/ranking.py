"""Agreement: how similarly methods rank the tokens of a prompt."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float
from pydantic import Field
from pydantic.dataclasses import dataclass

from interp.core.engine import engine
from interp.core.metric import Metric
from interp.core.options import Count
from interp.core.prompts import Prompts
from interp.core.ranking import rank_correlation
from interp.evaluation.methods import methods_named, relevances, without_methods
from interp.kinds import Agreement
from interp.models.hooked import HookedModel


@dataclass(frozen=True)
class AgreementOptions:
    """The methods, and the number of top tokens."""

    methods: tuple[str, ...] = Field(
        (), description="methods to compare (name, or name:option=value); by default all that support the model"
    )
    top: Count = Field(5, description="k of the top-k overlap, by absolute relevance")


def agreement_of(
    prompts: Prompts, relevance: Mapping[str, Float[Any, "batch pos"]], *, top: int = 5, measured: str = ""
) -> Agreement:
    """Agreement between every two of some relevances of the prompts' tokens, prompt by prompt."""
    names = ("rank_correlation", "magnitude_correlation", "top_overlap")
    values_of = np.empty((3, len(prompts), len(relevance), len(relevance)))
    chance = np.empty(len(prompts))
    for row, mask in enumerate(prompts.mask.numpy()):
        values = np.stack([np.asarray(each, dtype=float)[row, mask] for each in relevance.values()])
        values_of[:, row] = rank_correlation(values), rank_correlation(np.abs(values)), top_overlap(values, top)
        chance[row] = min(top, mask.sum()) / mask.sum()
    return Agreement.of(
        prompts,
        {**dict(zip(names, values_of, strict=True)), "chance_overlap": chance},
        measured=measured or f"rank correlation of two methods over tokens; overlap of their top {top}",
        sign="rank correlation 1: the same order; −1: the reverse order",
        method=list(relevance),
        other_method=list(relevance),
    )


def top_overlap(values: Float[np.ndarray, "method token"], top: int) -> Float[np.ndarray, "method method"]:
    """Share of the `top` tokens of largest absolute relevance that two rows have in common; the first of equals."""
    top = min(top, values.shape[1])
    in_top = np.zeros(values.shape)
    np.put_along_axis(in_top, np.argsort(-np.abs(values), axis=1, kind="stable")[:, :top], 1, axis=1)
    return in_top @ in_top.T / top


@engine(obstacle=without_methods)
def agreement(model: HookedModel, prompts: Prompts, metric: Metric, options: AgreementOptions) -> Agreement:
    """Rank correlation and top-k overlap between attribution methods.

    How alike every two methods rank the tokens of a prompt: axes `batch method other_method`.

    `rank_correlation` is Spearman's, of the signed relevance; `magnitude_correlation` the same of its absolute
    value; `top_overlap` the share of the `top` largest absolute values in common, beside `chance_overlap`, what
    two random choices have in common on average. All tokens count, padding aside.

    Unit: none (correlation); fraction for the overlaps.
    Raises: OptionError for an unknown method.
    Source: Spearman 1904; Krishna et al. 2022, "The Disagreement Problem", for the top-k overlap.
    """
    methods = methods_named(options.methods, model)
    by_method = relevances(model, methods, prompts, metric)
    caption = f"rank correlation of two methods over tokens, for {metric.label}; overlap of their top {options.top}"
    return agreement_of(prompts, by_method, top=options.top, measured=caption)

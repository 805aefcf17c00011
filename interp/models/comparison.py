"""What edits change: the answer and most likely tokens before and after."""

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from interp.core.metric import Metric
from interp.core.prompts import Prompts
from interp.core.ranking import strongest
from interp.core.result import SIGN
from interp.kinds import Ablation
from interp.models.edits import Edit
from interp.models.hooked import HookedModel


def compared(
    model: HookedModel, prompts: Prompts, edits: Sequence[Edit], metric: Metric | None, *, top: int, changed: str
) -> Ablation:
    """The metric before and after `edits` (NaN where nothing was asked) and the `top` likeliest tokens of each.

    `changed` says in words what the edits do.
    """
    target = metric or Metric.reading(prompts.answer_positions(model), pooled=model.pools)
    with torch.no_grad():
        before = model.run(prompts, answer=target).logits
        after = model.run(prompts, edits=edits, answer=target).logits if edits else before
    values = answers(model, metric, before, after, top=top)
    unit = metric.unit if metric else ""
    description = f"{metric.label if metric else 'most likely tokens'} before and after {changed}"
    return Ablation.of(prompts, values, unit=unit, measured=description, sign=SIGN)


def answers(
    model: HookedModel,
    metric: Metric | None,
    before: Float[Tensor, "batch vocab"],
    after: Float[Tensor, "batch vocab"],
    *,
    top: int,
) -> dict[str, Any]:
    """The values of an `Ablation` from the logits before and after; NaN for what no metric says."""
    values: dict[str, Any] = {}
    for name, logits in (("clean", before), ("edited", after)):
        values[name] = metric.of_rows(logits) if metric else logits.new_full((len(logits),), float("nan"))
        prob, token = strongest(logits.softmax(-1), top)
        values[f"{name}_prob"] = prob
        values[f"{name}_token"] = _labels(model, token)
    return values | {"effect": values["edited"] - values["clean"]}


def _labels(model: HookedModel, tokens: Int[Tensor, "batch rank"]) -> list[list[str]]:
    return [[model.answer_label(token) for token in row] for row in tokens.tolist()]

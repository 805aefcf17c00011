"""Logit lens: what each layer would predict if the model stopped there."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from pydantic import Field
from pydantic.dataclasses import dataclass
from torch import Tensor

from interp.core.engine import engine
from interp.core.errors import OptionError
from interp.core.metric import Answers, Metric
from interp.core.options import Count
from interp.core.progress import track
from interp.core.prompts import Prompts
from interp.core.ranking import strongest
from interp.kinds import LayerReadout
from interp.models.hooked import HookedModel

ROWS = 128  # positions unembedded at once, of any layer: fewer are slow, all would fill the memory


@dataclass(frozen=True)
class LogitLensOptions:
    """Which positions are read, and how many tokens are listed for each layer and position."""

    top: Count = Field(5, description="top tokens listed in each cell")
    position: int | None = Field(
        None, ge=-1, le=10**6, description="the only position to read, -1 for the answer position; by default all"
    )


@engine(obstacle=lambda model: model.obstacle("unembedding"))
def logit_lens(model: HookedModel, prompts: Prompts, metric: Metric | None, options: LogitLensOptions) -> LayerReadout:
    """What each layer would predict at each position if the model stopped there.

    Read the residual stream after every layer with the model's own final norm (or masked-LM head) and unembedding.

    Top tokens and their log-probabilities `batch layer pos rank`; with a target also its log-probability and rank
    (1 = the best) `batch layer pos`, as the prediction at every position. Where the target is a set, the mean of the
    log-probabilities and the best of the ranks. A position that is not read has no token.
    Unit: nats.
    Conserves: the last layer is the model's own prediction.
    Raises: OptionError if more tokens are asked for than there are, or a position that is not there.
    Source: nostalgebraist 2020, "interpreting GPT: the logit lens".
    """
    if options.top > model.dims.vocab:
        raise OptionError(f"logit-lens, top = {options.top}: {model.name} knows {model.dims.vocab} tokens")
    places = _positions(model, prompts, options.position)
    sites = model.sites("resid_post")
    with torch.no_grad():
        trace = model.record(prompts, sites)
        del trace.logits
        stream = torch.stack([trace.pop(site)[places.to(model.device)] for site in sites], dim=1)
        targets = None if metric is None else tuple(metric.targets[row] for row in places.nonzero()[:, 0].tolist())
        variables = _decode(model, stream, targets, options.top)
    variables["top_token"] = _labels(model, variables.pop("tokens"))
    return LayerReadout.of(
        _only(prompts, places),
        {name: _place(values, places) for name, values in variables.items()},
        measured="what each layer's residual stream predicts, decoded with the model's final norm and unembedding",
    )


def _positions(model: HookedModel, prompts: Prompts, position: int | None) -> Bool[Tensor, "batch pos"]:
    """What is read of every prompt."""
    if position is None:
        return prompts.mask
    shortest = int(prompts.mask.sum(-1).min())
    if position >= shortest:
        raise OptionError(
            f"logit-lens, position = {position}: the prompt has positions 0 to {shortest - 1}; -1 is the answer "
            "position"
        )
    places = prompts.answer_positions(model) if position < 0 else [position] * len(prompts)
    return torch.zeros_like(prompts.mask).scatter(1, torch.tensor(places)[:, None], True)


def _only(prompts: Prompts, places: Bool[Tensor, "batch pos"]) -> Prompts:
    """The prompts with labels where they are read: a result leaves out what has none, as it does padding."""
    rows = zip(prompts.labels, places.tolist(), strict=True)
    labels = (tuple(label if here else "" for label, here in zip(*row, strict=True)) for row in rows)
    return replace(prompts, labels=tuple(labels))


def _decode(
    model: HookedModel, stream: Float[Tensor, "place layer d_model"], targets: Answers | None, top: int
) -> dict[str, Any]:
    """The `top` tokens and, where there are `targets`, how these fare: `place layer`, tokens with `rank`."""
    rows, layers = stream.flatten(0, 1), stream.shape[1]
    parts = []
    starts = range(0, len(rows), ROWS)
    for start in track(starts, len(starts), "reading layers"):
        logits = model.unembed(rows[start : start + ROWS])
        logprobs = logits.log_softmax(-1, dtype=torch.promote_types(logits.dtype, torch.float32))
        best = strongest(logprobs, top)
        part = {"tokens": best.indices, "top_logprob": best.values}
        if targets is not None:
            part |= _target(logprobs, [targets[(start + row) // layers] for row in range(len(logprobs))])
        parts.append(part)
    return {name: torch.cat([part[name] for part in parts]).unflatten(0, stream.shape[:2]).cpu() for name in parts[0]}


def _place(values: Tensor | np.ndarray, places: Bool[Tensor, "batch pos"]) -> np.ndarray:
    """Every value at its position, `batch layer pos` first; NaN, or no word, where nothing is read."""
    values = np.asarray(values)
    whole = np.full((*places.shape, *values.shape[1:]), "" if values.dtype == object else np.nan, dtype=values.dtype)
    whole[places.numpy()] = values
    return whole.swapaxes(1, 2)


def _target(logprobs: Float[Tensor, "row vocab"], targets: Sequence[Sequence[int]]) -> dict[str, Float[Tensor, "row"]]:
    own = [row[list(tokens)] for row, tokens in zip(logprobs, targets, strict=True)]
    best = torch.stack([values.max() for values in own])
    rank = 1 + (logprobs > best[:, None]).sum(-1, dtype=torch.int32)
    return {"target_logprob": torch.stack([values.mean() for values in own]), "target_rank": rank.to(logprobs.dtype)}


def _labels(model: HookedModel, tokens: Int[Tensor, "place layer rank"]) -> np.ndarray:
    names = {token: model.answer_label(token) for token in tokens.unique().tolist()}
    return np.vectorize(names.__getitem__, otypes=[object])(tokens.numpy())

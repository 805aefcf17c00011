"""Logit lens: what each layer would predict if the model stopped there."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, Int
from pydantic import Field
from pydantic.dataclasses import dataclass
from torch import Tensor

from interp.core.engine import engine
from interp.core.errors import OptionError
from interp.core.metric import Answers, Metric
from interp.core.options import Count
from interp.core.progress import track
from interp.core.prompts import Prompts
from interp.kinds import LayerReadout
from interp.models.hooked import HookedModel

ROWS = 128  # positions unembedded at once, of any layer: fewer are slow, all would fill the memory


@dataclass(frozen=True)
class LogitLensOptions:
    """How many tokens are listed for each layer and position."""

    top: Count = Field(5, description="top tokens listed in each cell")


@engine(obstacle=lambda model: model.unembedding_obstacle)
def logit_lens(model: HookedModel, prompts: Prompts, metric: Metric | None, options: LogitLensOptions) -> LayerReadout:
    """What each layer would predict at each position if the model stopped there.

    Read the residual stream after every layer with the model's own final norm (or masked-LM head) and unembedding.

    Top tokens and their log-probabilities `batch layer pos rank`; with a target also its log-probability and rank
    (1 = the best) `batch layer pos`, as the prediction at every position. Where the target is a set, the mean of the
    log-probabilities and the best of the ranks.
    Unit: nats.
    Conserves: the last layer is the model's own prediction.
    Raises: OptionError if more tokens are asked for than there are.
    Source: nostalgebraist 2020, "interpreting GPT: the logit lens".
    """
    if options.top > model.dims.vocab:
        raise OptionError(f"logit-lens, top = {options.top}: {model.name} knows {model.dims.vocab} tokens")
    sites = model.sites("resid_post")
    with torch.no_grad():
        trace = model.record(prompts, sites)
        del trace.logits
        stream = torch.stack([trace.pop(site) for site in sites], dim=1)
        found = _read(model, stream, None if metric is None else metric.targets, options.top)
    padded = ~prompts.mask[:, None]
    values: dict[str, object] = {
        "top_token": _labels(model, prompts, found["tokens"]),
        "top_logprob": found["top_logprob"].masked_fill(padded[..., None], torch.nan),
    }
    for name in ("target_logprob", "target_rank"):
        if name in found:
            values[name] = found[name].masked_fill(padded, torch.nan)
    return LayerReadout.of(
        prompts,
        values,
        measured="what each layer's residual stream predicts, decoded with the model's final norm and unembedding",
    )


def _read(
    model: HookedModel, stream: Float[Tensor, "batch layer pos d_model"], targets: Answers | None, top: int
) -> dict[str, Tensor]:
    """The `top` tokens and, where there are `targets`, how these fare: `batch layer pos`, tokens with `rank`."""
    rows, prompt_rows = stream.flatten(0, 2), stream.shape[1] * stream.shape[2]
    parts = []
    starts = range(0, len(rows), ROWS)
    for start in track(starts, len(starts), "reading layers"):
        logits = model.unembed(rows[start : start + ROWS])
        logprobs = logits.log_softmax(-1, dtype=torch.promote_types(logits.dtype, torch.float32))
        best = logprobs.topk(top, dim=-1)
        part = {"tokens": best.indices, "top_logprob": best.values}
        if targets is not None:
            part |= _target(logprobs, [targets[(start + row) // prompt_rows] for row in range(len(logprobs))])
        parts.append(part)
    return {name: torch.cat([part[name] for part in parts]).unflatten(0, stream.shape[:3]).cpu() for name in parts[0]}


def _target(logprobs: Float[Tensor, "row vocab"], targets: Sequence[Sequence[int]]) -> dict[str, Float[Tensor, "row"]]:
    own = [row[list(tokens)] for row, tokens in zip(logprobs, targets, strict=True)]
    best = torch.stack([values.max() for values in own])
    rank = 1 + (logprobs > best[:, None]).sum(-1, dtype=torch.int32)
    return {"target_logprob": torch.stack([values.mean() for values in own]), "target_rank": rank.to(logprobs.dtype)}


def _labels(model: HookedModel, prompts: Prompts, tokens: Int[Tensor, "batch layer pos rank"]) -> np.ndarray:
    names = {token: model.token_label(token) for token in tokens.unique().tolist()}
    labels = np.vectorize(names.__getitem__, otypes=[object])(tokens.numpy())
    labels.transpose(0, 2, 1, 3)[~prompts.mask.numpy()] = ""
    return labels

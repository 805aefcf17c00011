"""Norm-weighted attention: the answer position's attention times the norms of the vectors that it moves."""

from typing import Literal

import torch
from jaxtyping import Float
from pydantic import Field
from pydantic.dataclasses import dataclass
from torch import Tensor

from interp.attribution.mixing.matrices import answer_row, at_answer
from interp.core.engine import engine
from interp.core.metric import Metric
from interp.core.prompts import Prompts
from interp.kinds import Relevance
from interp.models.attention import repeat_kv
from interp.models.hooked import HookedModel
from interp.models.sites import Site


@dataclass(frozen=True)
class NormWeightedAttentionOptions:
    """Which vectors' norms weigh the attention."""

    vectors: Literal["output", "value"] = Field(
        "output", description="what attention moves: the value as the head writes it to the stream, or the value itself"
    )


def _obstacle(model: HookedModel) -> str | None:
    return model.site_obstacle(Site("pattern", 0)) or model.site_obstacle(Site("v", 0)) or model.obstacle("layers")


@engine(obstacle=_obstacle)
def norm_weighted_attention(
    model: HookedModel, prompts: Prompts, metric: Metric | None, options: NormWeightedAttentionOptions
) -> Relevance:
    """Attention of the answer position to each token, weighted by the norm of the vector that it moves.

    In every layer S_j = Σ_h A^h_{answer, j} ‖v^h_j‖ over its sum over tokens, where v is what the head writes for the
    token (`output`, v W_O) or the value alone; the mean over layers is the relevance `batch pos`, and `heads` (`batch
    layer head pos`) are the parts of it. A target changes nothing but the position that is read.
    Unit: fraction.
    Conserves: the tokens add up to one.
    Raises: PromptError if nothing was asked and a masked model's prompt has no mask.
    Source: Kobayashi et al. 2020, "Attention is Not Only a Weight: Analyzing Transformers with Vector Norms", section 3
    (`output`); Fayyaz et al. 2022, "Adaptive Token Sampling for Efficient Vision Transformers", equation 3 (`value`).
    Differs: mean over layers; the answer's own token counts; biases of the values are in the norm, that of the output
    and a norm after attention are not. In a layer whose vectors are all zero, attention alone counts.
    """
    patterns, values = model.sites("pattern"), model.sites("v")
    row = answer_row(model, prompts, metric)
    with torch.no_grad():
        trace = model.record(prompts, [*patterns, *values])
        heads = [
            _shares(
                torch.stack([at_answer(row, head) for head in trace.pop(pattern).unbind(1)], 1),
                _norms(model, trace.pop(value), value.layer or 0, options.vectors),
            )
            for pattern, value in zip(patterns, values, strict=True)
        ]
    by_head = torch.stack(heads, 1) / len(heads)
    return Relevance.accounted(
        prompts,
        by_head.sum((1, 2)),
        torch.ones(len(prompts)),
        latent={"heads": by_head},
        unit="fraction",
        measured="share of the answer position's attention, weighted by the norm of what it moves; mean over layers",
        sign="never negative: it shows what the answer position takes in, not whether that supports the answer",
        supports="",
    )


def _norms(
    model: HookedModel, values: Float[Tensor, "batch pos kv_head d_head"], layer: int, vectors: str
) -> Float[Tensor, "batch head pos"]:
    """The norm of every token's value in each head, or of what the head makes of it."""
    values = repeat_kv(values, model.dims.heads).double()
    if vectors == "output":
        output = model.weights.output(layer).double()
        squares = torch.einsum("bphd,hde,bphe->bhp", values, output @ output.mT, values)
        return squares.clamp(min=0).sqrt()
    return values.norm(dim=-1).transpose(1, 2)


def _shares(
    attention: Float[Tensor, "batch head pos"], norms: Float[Tensor, "batch head pos"]
) -> Float[Tensor, "batch head pos"]:
    """Their product over its sum; attention over its own where every product is 0."""
    weighted = attention * norms
    weighted = torch.where(weighted.sum((1, 2), keepdim=True) > 0, weighted, attention)
    return weighted / weighted.sum((1, 2), keepdim=True)

"""Attention rollout: attention patterns multiplied through the layers, down to the input tokens."""

from typing import Literal

import torch
from jaxtyping import Float
from pydantic import Field
from pydantic.dataclasses import dataclass
from torch import Tensor

from interp.attribution.mixing.matrices import answer_row, carried, row_normalised
from interp.core.engine import engine
from interp.core.metric import Metric
from interp.core.options import Fraction
from interp.core.progress import track
from interp.core.prompts import Prompts
from interp.kinds import Relevance
from interp.models.hooked import HookedModel
from interp.models.sites import Site


@dataclass(frozen=True)
class RolloutOptions:
    """How a layer's heads are combined, and the weight of the residual stream."""

    pooling: Literal["mean", "max"] = Field(
        "mean", description="how the attention patterns of a layer's heads are combined"
    )
    residual: Fraction = Field(0.5, description="weight of the residual stream, which stays at its own position")


@engine(obstacle=lambda model: model.site_obstacle(Site("pattern", 0)))
def rollout(model: HookedModel, prompts: Prompts, metric: Metric | None, options: RolloutOptions) -> Relevance:
    """Attention from the answer position back to the input tokens, multiplied through all layers.

    Multiply every layer's (1 − r)·A + r·I and take the row of the position where the answer is read.

    Relevance `batch pos`, at least 0, and `stream` (`batch layer pos`): where the answer's row stands out of each
    layer. A target changes nothing but the position that is read.
    Unit: fraction; every row adds up to one, and the total is one.
    Conserves: the tokens add up to one.
    Raises: PromptError if nothing was asked and a masked model's prompt has no mask.
    Source: Abnar & Zuidema 2020, section 3 (r = 0.5, mean over heads).
    Differs: rows are divided by their sum before the residual joins them, which changes nothing for the mean and makes
    `residual` mean the same for the maximum.
    """
    layers, sites = model.dims.layers, model.sites("pattern")
    row = answer_row(model, prompts, metric)
    with torch.no_grad():
        trace = model.record(prompts, sites)
        stream = [row]
        for site in track(reversed(sites), layers, "rollout"):
            stream.append(carried(stream[-1], _mixing(trace.pop(site), options)))
    return Relevance.accounted(
        prompts,
        stream.pop(),
        torch.ones(len(prompts)),
        latent={"stream": torch.stack(stream[::-1], dim=1)},
        unit="fraction",
        measured="share of the answer position's attention, multiplied through the layers; not a share of any logit",
        sign="never negative: attention shows where the model looks, not whether it supports the answer",
        supports="",
    )


def _mixing(
    pattern: Float[Tensor, "batch head query_pos key_pos"], options: RolloutOptions
) -> Float[Tensor, "batch query_pos key_pos"]:
    attention = pattern.mean(1, dtype=torch.float64) if options.pooling == "mean" else pattern.amax(1)
    own = torch.eye(pattern.shape[-1], dtype=torch.float64, device=pattern.device)
    return (1 - options.residual) * row_normalised(attention) + options.residual * own

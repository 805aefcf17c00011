"""Attention PageRank: importance that tokens pass on along attention, from the answer position."""

import torch
from jaxtyping import Bool, Float
from pydantic import Field
from pydantic.dataclasses import dataclass
from torch import Tensor

from interp.attribution.mixing.matrices import answer_row, row_normalised
from interp.core.engine import engine
from interp.core.metric import Metric
from interp.core.progress import track
from interp.core.prompts import Prompts
from interp.kinds import Relevance
from interp.models.hooked import HookedModel
from interp.models.sites import Site


@dataclass(frozen=True)
class AttentionPagerankOptions:
    """How far importance is passed on."""

    damping: float = Field(
        0.85, ge=0, le=0.999, description="share of a token's importance that it passes on along its attention"
    )


@engine(obstacle=lambda model: model.site_obstacle(Site("pattern", 0)))
def attention_pagerank(
    model: HookedModel, prompts: Prompts, metric: Metric | None, options: AttentionPagerankOptions
) -> Relevance:
    """Importance of each token by PageRank on each head's attention, restarted at the answer position.

    Of every head the fixed point s = d Aᵀ s + (1 − d) e, with e at the position where the answer is read; a layer's
    heads are weighted by the variance of s over tokens, since a head that ranks all tokens alike tells nothing; the
    mean over layers is the relevance `batch pos`, and `heads` (`batch layer head pos`) are the parts of it. A target
    changes nothing but the position that is read.
    Unit: fraction.
    Conserves: the tokens add up to one.
    Raises: PromptError if nothing was asked and a masked model's prompt has no mask.
    Source: Wang et al. 2024, "Zero-TPrune: Zero-Shot Token Pruning through Leveraging of the Attention Graph",
    section 3.2; Page et al. 1999, "The PageRank Citation Ranking", section 2.6, for the restart.
    Differs: heads are weighted by their variance rather than dropped outside of bounds; the fixed point is solved for;
    without a restart all importance in a causal model would end at the first token.
    """
    sites, row = model.sites("pattern"), answer_row(model, prompts, metric)
    mask, heads = prompts.mask.to(model.device), []
    with torch.no_grad():
        trace = model.record(prompts, sites)
        for site in track(sites, len(sites), "PageRank"):
            ranks = _pagerank(trace.pop(site), row, options.damping)
            heads.append(ranks * _weights(ranks, mask)[..., None])
    by_head = torch.stack(heads, 1) / len(heads)
    return Relevance.accounted(
        prompts,
        by_head.sum((1, 2)),
        torch.ones(len(prompts)),
        latent={"heads": by_head},
        unit="fraction",
        measured=f"PageRank on attention from the answer position, damping {options.damping:g}; mean over layers",
        sign="never negative: attention shows where the model looks, not whether it supports the answer",
        supports="",
    )


def _pagerank(
    pattern: Float[Tensor, "batch head query_pos key_pos"], restart: Float[Tensor, "batch pos"], damping: float
) -> Float[Tensor, "batch head pos"]:
    mixing = row_normalised(pattern)
    own = torch.eye(mixing.shape[-1], dtype=mixing.dtype, device=mixing.device)
    start = (1 - damping) * restart[:, None, :, None].expand(*mixing.shape[:2], -1, 1)
    return torch.linalg.solve(own - damping * mixing.mT, start)[..., 0]


def _weights(ranks: Float[Tensor, "batch head pos"], mask: Bool[Tensor, "batch pos"]) -> Float[Tensor, "batch head"]:
    """Each head's share of the heads' variances over real tokens; alike where none varies."""
    real = mask[:, None]
    mean = (ranks * real).sum(-1, keepdim=True) / real.sum(-1, keepdim=True)
    variance = ((ranks - mean).square() * real).sum(-1) / real.sum(-1)
    total = variance.sum(-1, keepdim=True)
    return torch.where(total > 0, variance / total.where(total > 0, 1), 1 / ranks.shape[1])

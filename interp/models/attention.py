"""Attention between its projections, alike in every family: rotation, shared keys and values, the mask, the softmax."""

from functools import partial

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from interp.models.edits import Edit
from interp.models.hooked import HookedModel


def rotate(
    heads: Float[Tensor, "batch pos head d_head"],
    cos: Float[Tensor, "one pos d_rotary"],
    sin: Float[Tensor, "one pos d_rotary"],
) -> Float[Tensor, "batch pos head d_head"]:
    """Queries or keys as the model turns them: the first `d_rotary` numbers of a head, in pairs half of those apart.

    `cos` and `sin` are the sites `rot_cos` and `rot_sin`. The map is linear: it may turn a part of a query alone.
    Source: Su et al. 2021, equation 34; the pairing of dimensions is GPT-NeoX's, which every family here has.
    """
    rotated_part, rest = heads.split([cos.shape[-1], heads.shape[-1] - cos.shape[-1]], -1)
    first, second = rotated_part.chunk(2, -1)
    rotated_part = rotated_part * cos.unsqueeze(-2) + torch.cat([-second, first], -1) * sin.unsqueeze(-2)
    return torch.cat([rotated_part, rest], -1) if rest.shape[-1] else rotated_part


def repeat_kv(values: Float[Tensor, "..."], heads: int, dim: int = 2) -> Float[Tensor, "..."]:
    """Keys or values (KV heads along `dim`) as each of the `heads` queries meets them."""
    return values.repeat_interleave(heads // values.shape[dim], dim)


def visible(scores: Float[Tensor, "*batch query_pos key_pos"]) -> Bool[Tensor, "*batch query_pos key_pos"]:
    """Which keys each query sees: the others' scores are −∞, or as low as the precision goes."""
    return scores > torch.finfo(scores.dtype).min / 2


def watch_visible(model: HookedModel, store: dict[int, Bool[Tensor, "query_pos key_pos"]]) -> list[Edit]:
    """Edits that change nothing and store what queries see in each layer, alike in all prompts; none without scores."""

    def look(layer: int, scores: Tensor) -> None:  # the mask alone: scores of every head would take the most memory
        store[layer] = visible(scores[0, 0])

    sites = model.sites("scores") if model.has("scores") else []
    return [Edit.through(site, partial(look, site.layer or 0)) for site in sites]


def softmax_dtype(
    scores: Float[Tensor, "*batch key_pos"], pattern: Float[Tensor, "*batch key_pos"]
) -> torch.dtype | None:
    """What a softmax that made `pattern` of `scores` runs in: float32 in some families whatever the model's dtype."""
    return None if torch.equal(scores.softmax(-1).to(pattern.dtype), pattern) else torch.float32

"""Attention between its projections, alike in every family: rotation, shared keys and values, the mask, the softmax."""

from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor

Pairing = Literal["halves", "neighbours"]
PAIRINGS: tuple[Pairing, ...] = ("halves", "neighbours")


def rotate(
    heads: Float[Tensor, "batch pos head d_head"],
    cos: Float[Tensor, "one pos d_rotary"],
    sin: Float[Tensor, "one pos d_rotary"],
    pairing: Pairing,
) -> Float[Tensor, "batch pos head d_head"]:
    """Queries or keys as the model turns them: the first `d_rotary` numbers of a head, in pairs.

    Pairs are half of those numbers apart (GPT-NeoX, Llama) or neighbours (GPT-J, GLM). `cos` and `sin` are the sites
    `rot_cos` and `rot_sin`, which hold every pair's twice, by halves. The map is linear: it may turn a part of a query.
    Source: Su et al. 2021, equation 34.
    """
    rotated_part, rest = heads.split([cos.shape[-1], heads.shape[-1] - cos.shape[-1]], -1)
    if pairing == "neighbours":
        cos, sin = (each[..., : each.shape[-1] // 2].repeat_interleave(2, -1) for each in (cos, sin))
        across = torch.stack([-rotated_part[..., 1::2], rotated_part[..., ::2]], -1).flatten(-2)
    else:
        first, second = rotated_part.chunk(2, -1)
        across = torch.cat([-second, first], -1)
    rotated_part = rotated_part * cos.unsqueeze(-2) + across * sin.unsqueeze(-2)
    return torch.cat([rotated_part, rest], -1) if rest.shape[-1] else rotated_part


def repeat_kv(values: Float[Tensor, "..."], heads: int, dim: int = 2) -> Float[Tensor, "..."]:
    """Keys or values (KV heads along `dim`) as each of the `heads` queries meets them."""
    return values.repeat_interleave(heads // values.shape[dim], dim)


def visible(scores: Float[Tensor, "*batch query_pos key_pos"]) -> Bool[Tensor, "*batch query_pos key_pos"]:
    """Which keys each query sees: the others' scores are −∞, or as low as the precision goes."""
    return scores > torch.finfo(scores.dtype).min / 2


def softmax_dtype(
    scores: Float[Tensor, "*batch key_pos"], pattern: Float[Tensor, "*batch key_pos"]
) -> torch.dtype | None:
    """What a softmax that made `pattern` of `scores` runs in: float32 in some families whatever the model's dtype."""
    return None if torch.equal(scores.softmax(-1).to(pattern.dtype), pattern) else torch.float32

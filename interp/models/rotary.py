"""Rotary positions: queries and keys turned by an angle that grows with their position."""

import torch
from jaxtyping import Float
from torch import Tensor


def rotate(
    heads: Float[Tensor, "batch pos head d_head"],
    cos: Float[Tensor, "one pos d_rotary"],
    sin: Float[Tensor, "one pos d_rotary"],
) -> Float[Tensor, "batch pos head d_head"]:
    """Queries or keys as the model turns them: the first `d_rotary` numbers of a head, in pairs half of those apart.

    `cos` and `sin` are the sites `rot_cos` and `rot_sin`. The map is linear: it may turn a part of a query alone.
    Source: Su et al. 2021, equation 34; the pairing of dimensions is GPT-NeoX's, which every family here has.
    """
    turned, kept = heads.split([cos.shape[-1], heads.shape[-1] - cos.shape[-1]], -1)
    first, second = turned.chunk(2, -1)
    turned = turned * cos.unsqueeze(-2) + torch.cat([-second, first], -1) * sin.unsqueeze(-2)
    return torch.cat([turned, kept], -1) if kept.shape[-1] else turned

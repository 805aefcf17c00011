"""Distances between a query and a key, in bins that double: 0, 1, 2, 3–4, 5–8, …; keys behind the query apart."""

import torch
from jaxtyping import Int
from torch import Tensor


def _ends(width: int) -> list[int]:
    """The greatest distance of each bin."""
    ends = [0, 1]
    while ends[-1] < width - 1:
        ends.append(2 * ends[-1])
    return ends


def distance_names(width: int, *, causal: bool) -> list[str]:
    """The bins in the order of `distance_bins`: back from the query; then, unless it is causal, ahead of it."""
    ends = _ends(width)
    names = [f"{low + 1}–{high}" if high > low + 1 else str(high) for low, high in zip([-1, *ends], ends, strict=False)]
    return names if causal else names + [f"+{name}" for name in names[1:]]


def distance_bins(width: int) -> Int[Tensor, "query_pos key_pos"]:
    """The bin of every pair of positions."""
    ends = torch.tensor(_ends(width))
    apart = torch.arange(width)[:, None] - torch.arange(width)
    bins = torch.bucketize(apart.abs(), ends)
    return torch.where(apart < 0, bins + len(ends) - 1, bins)

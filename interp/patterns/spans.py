"""Greedy choice of directions from a pool: each explains the most of what those before it left."""

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

LEFT = 1e-6  # share of the variance, or of a direction's length squared, below which nothing is left but rounding


class Spans(NamedTuple):
    """The columns of the pool in the order of choice, their unit directions, the variance along each, and all of it."""

    tokens: list[int]
    directions: Float[Tensor, "rank d_model"]
    variances: np.ndarray
    total: float


def spans(factor: Float[Tensor, "k d_model"], pool: Float[Tensor, "d_model vocab"], top: int) -> Spans:
    """At most `top` columns of `pool`, of unit length, for a covariance FᵀF.

    What is left of a column u once the chosen directions are projected out is u′; it explains ‖Fu′‖² / ‖u′‖². F itself
    need not be projected: u′ has nothing of the chosen directions.
    """
    along, lengths = factor @ pool, pool.square().sum(0)
    total = float(factor.double().square().sum())
    chosen, directions, variances = [], pool.new_zeros(0, len(pool)), []
    while len(chosen) < top and total and sum(variances) < (1 - LEFT) * total:
        explains = along.square().sum(0) / lengths.clamp(min=LEFT)
        explains[lengths < LEFT] = -1
        best = int(explains.argmax())
        if explains[best] <= LEFT * total:
            break
        direction = pool[:, best]
        for _ in range(2):  # once more against rounding
            direction = direction - directions.T @ (directions @ direction)
        direction = direction / direction.norm()
        overlap = direction @ pool
        along = along - torch.outer(factor @ direction, overlap)
        lengths = lengths - overlap.square()
        lengths[best] = 0
        chosen.append(best)
        directions = torch.cat([directions, direction[None]])
        variances.append(float((factor @ direction).double().square().sum()))
    return Spans(chosen, directions, np.array(variances), total)

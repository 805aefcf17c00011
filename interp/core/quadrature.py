"""Rules of quadrature on [0, 1], for gradients that are averaged along a path."""

from typing import Literal, NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

Rule = Literal["gauss-legendre", "trapezoid", "midpoint", "left", "right"]


class Quadrature(NamedTuple):
    """Points on [0, 1] and their weights, which add up to one."""

    points: Float[Tensor, "step"]
    weights: Float[Tensor, "step"]


def quadrature(rule: Rule, steps: int) -> Quadrature:
    """The points and weights of a rule; a trapezoid of one step is the midpoint."""
    if rule == "gauss-legendre":
        points, weights = np.polynomial.legendre.leggauss(steps)
        points, weights = (points + 1) / 2, weights / 2
    elif rule == "trapezoid" and steps > 1:
        points, weights = np.linspace(0, 1, steps), np.full(steps, 1 / (steps - 1))
        weights[[0, -1]] /= 2
    else:
        offset = {"left": 0.0, "right": 1.0}.get(rule, 0.5)
        points, weights = (np.arange(steps) + offset) / steps, np.full(steps, 1 / steps)
    return Quadrature(torch.from_numpy(points), torch.from_numpy(weights))

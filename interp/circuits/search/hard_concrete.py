"""The hard concrete distribution: masks between 0 and 1 that are exactly 0 or 1 at times, and take a gradient.

Source: Louizos et al. 2018, "Learning Sparse Neural Networks through L0 Regularization", equations 10-13.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor

TEMPERATURE = 2 / 3
LOW, HIGH = -0.1, 1.1  # what the concrete distribution is stretched to before it is cut off at 0 and 1


def sampled(location: Float[Tensor, "edge"], uniform: Float[Tensor, "edge"]) -> Float[Tensor, "edge"]:
    """Masks from uniform noise in (0, 1)."""
    return _stretch(torch.sigmoid((uniform.logit() + location) / TEMPERATURE))


def settled(location: Float[Tensor, "edge"]) -> Float[Tensor, "edge"]:
    """Masks without noise."""
    return _stretch(torch.sigmoid(location))


def open_probability(location: Float[Tensor, "edge"]) -> Float[Tensor, "edge"]:
    """How likely a mask is not 0."""
    return torch.sigmoid(location - TEMPERATURE * math.log(-LOW / HIGH))


def _stretch(concrete: Tensor) -> Tensor:
    return (concrete * (HIGH - LOW) + LOW).clamp(0, 1)

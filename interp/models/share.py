"""How far two tensors are apart, as a share of their size, and how far rounding may bring them apart."""

import torch
from torch import Tensor

# The largest difference, as a share of the largest number: rounding, over many layers. Some families compute their
# softmax or experts in float32 whatever the precision, so that float64 agrees to no more than this either.
BOUNDS = {torch.float64: 1e-5, torch.float32: 1e-4, torch.float16: 0.03, torch.bfloat16: 0.1}


def share(one: Tensor, other: Tensor) -> float:
    """The largest difference of two tensors, as a share of the second one's largest distance from its mean."""
    one, other = (each.detach().cpu().double() for each in (one, other))  # some devices have no float64
    size = (other - other.mean(-1, keepdim=True)).abs().max().clamp(min=torch.finfo(torch.float64).tiny)
    return float((one - other).abs().max() / size)

"""The slope of a nonlinearity through the origin, in a precision wide enough to divide in."""

from collections.abc import Callable

import torch
from torch import Tensor

Activation = Callable[[Tensor], Tensor]


def slope(activation: Activation, x: Tensor) -> Tensor:
    """f(x) / x, and at 0 its limit f'(0): signed, with nothing added to x. Half precision is computed in float32."""
    wide = wide_of(x.detach())
    tiny = torch.finfo(wide.dtype).tiny * 1e8  # nearer to 0, f(x) would be denormal and the ratio rounded
    away = wide.abs().clamp_(min=tiny).copysign_(wide)
    return torch.where(wide == 0, _slope_at_zero(activation, wide), activation(away) / away).to(x.dtype)


def _slope_at_zero(activation: Activation, like: Tensor) -> Tensor:
    with torch.enable_grad():
        zero = torch.zeros((), dtype=torch.float64, device=like.device, requires_grad=True)
        (limit,) = torch.autograd.grad(activation(zero), zero)
    return limit.to(like.dtype)


def wide_of(x: Tensor) -> Tensor:
    """float32 at least: half precision is too narrow to divide or add up in."""
    return x.float() if x.dtype.itemsize < 4 else x

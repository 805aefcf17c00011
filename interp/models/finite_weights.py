"""Weights that a model can compute with."""

from math import isfinite, sqrt

import torch
from torch import nn

from interp.core.errors import ModelError

LARGEST = sqrt(torch.finfo(torch.float32).max)  # what is larger has a square, which norms take, that is infinite


def largest_parameter(model: nn.Module) -> tuple[str, float]:
    """The parameter with the largest number, or the first one that is not finite, and that number."""
    largest = "", 0.0
    for name, parameter in model.named_parameters():
        if not parameter.numel():
            continue
        low, high = map(float, torch.aminmax(parameter.detach()))  # both are NaN where any number is
        value = low if abs(low) > abs(high) else high
        if not isfinite(value):
            return _plain(name), value
        if abs(value) >= abs(largest[1]):
            largest = _plain(name), value
    return largest


def require_usable_weights(model: nn.Module, name: str) -> None:
    """Raises: ModelError that names a parameter with a NaN, an infinity or a number too large to compute with."""
    parameter, value = largest_parameter(model)
    if not abs(value) <= LARGEST:  # NaN neither
        raise ModelError(f"the weights of {name} cannot be used: {parameter} holds {value:g}; fetch it again")


def _plain(name: str) -> str:
    """A parameter's name without what the bridge puts into it."""
    return name.replace("._original_component", "").replace(".original_component", "")

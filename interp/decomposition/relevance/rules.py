"""Relevance rules: what the gradient of each kind of module is replaced by, and the recipes made of them.

With the rules in force, the relevance of any tensor x is (x · ∂target/∂x). A rule never changes a forward value by more
than rounding; where it lets a factor keep its gradient only in part, the rest is accounted for in the ledger.
"""

from typing import Literal, NamedTuple

import torch
from pydantic import Field
from pydantic.dataclasses import dataclass
from torch import Tensor

from interp.core.options import Rate
from interp.models.slope import wide_of


@dataclass(frozen=True)
class Recipe:
    """Which rule each kind of module follows."""

    norm: Literal["freeze", "gradient"] = Field(
        default="gradient",
        description="freeze holds the divisors of norms constant; gradient differentiates through them",
    )
    attention: Literal["half", "values", "gradient"] = Field(
        default="gradient",
        description="half splits the relevance of both attention products equally between their factors; values "
        "holds the pattern constant",
    )
    activation: Literal["identity", "gradient"] = Field(
        default="gradient", description="identity passes relevance through f(x) unchanged (slope f(x) / x)"
    )
    product: Literal["half", "up", "gradient"] = Field(
        default="gradient", description="gated MLPs: half to each factor, or all to the linear factor (up)"
    )
    softmax_temperature: Rate = Field(
        default=1.0, description="softmax temperature in the backward pass; the forward pass keeps 1"
    )
    epsilon: float = Field(
        default=0.0,
        ge=0,
        le=1e12,
        allow_inf_nan=False,
        description="stabiliser of every linear layer: R / (z + ε·sign z)",
    )


class AttentionShares(NamedTuple):
    """What part of its gradient each factor keeps; `pattern` is the part that goes to the attention pattern."""

    query: float
    key: float
    value: float
    pattern: float


class ProductShares(NamedTuple):
    """What part of its gradient each factor of a gated MLP keeps."""

    gate: float
    up: float


ATTENTION_SHARES = {
    "half": AttentionShares(0.25, 0.25, 0.5, 0.5),
    "values": AttentionShares(0.0, 0.0, 1.0, 0.0),
    "gradient": AttentionShares(1.0, 1.0, 1.0, 1.0),
}
PRODUCT_SHARES = {
    "half": ProductShares(0.5, 0.5),
    "up": ProductShares(0.0, 1.0),
    "gradient": ProductShares(1.0, 1.0),
}


def stabilised(z: Tensor, epsilon: float) -> Tensor:
    """z / (z + ε·sign z), the part of its relevance that a linear layer's output passes on; float32 at least."""
    z = wide_of(z)
    return z / torch.where(z < 0, z - epsilon, z + epsilon)

"""Prompts of linear regression: how inputs, weights and noise are drawn, one generator for every study."""

from dataclasses import asdict
from typing import Annotated, Any, Literal

import torch
from jaxtyping import Float, Int
from pydantic import Field
from pydantic.dataclasses import dataclass
from torch import Tensor

from interp.core.errors import OptionError
from interp.core.options import Fraction, Seed

Size = Annotated[int, Field(ge=1, le=1024)]
Scale = Annotated[float, Field(ge=0, le=1e3, allow_inf_nan=False)]


@dataclass(frozen=True)
class Setting:
    """How prompts of regression are drawn: y = w·x + noise, with w constant within a prompt.

    Weights are normal with deviation `weight_scale`. A prompt is of the second family with chance `second_share`: then
    its weights have mean `second_mean` in every dimension and its noise is `second_noise`. With `tasks`, the weights of
    every prompt are one of so many that were drawn once.
    """

    dimension: Size = Field(default=10, description="entries of an input")
    examples: Size = Field(default=10, description="pairs before the query")
    inputs: Literal["uniform", "normal"] = Field(default="uniform", description="distribution of an entry of an input")
    input_scale: Scale = Field(
        default=1.0, description="width of the uniform distribution, deviation of the normal one"
    )
    decay: Annotated[float, Field(ge=0, le=10)] = Field(
        default=0.0, description="variance of entry j is j to minus this power"
    )
    weight_scale: Scale = Field(default=1.0, description="deviation of the weights")
    noise: Scale = Field(default=0.0, description="deviation of the noise")
    tasks: Annotated[int, Field(ge=0, le=10**6)] = Field(
        default=0, description="different weights in all; 0: new ones each"
    )
    task_seed: Seed = Field(default=0, description="seed of these weights")
    second_share: Fraction = Field(default=0.0, description="share of prompts of the second family")
    second_mean: Annotated[float, Field(ge=-1e3, le=1e3)] = Field(default=0.0, description="mean of its weights")
    second_noise: Scale = Field(default=0.0, description="deviation of its noise")

    def __post_init__(self) -> None:
        if self.tasks and self.second_share:
            raise OptionError("tasks and second_share exclude each other; set one of them to 0")

    @property
    def variances(self) -> Float[Tensor, "dimension"]:
        """The variance of every entry of an input: the diagonal of the covariance Λ."""
        own = self.input_scale**2 * (1 / 12 if self.inputs == "uniform" else 1)
        return own * torch.arange(1, self.dimension + 1, dtype=torch.float64) ** -self.decay

    @property
    def kurtosis(self) -> float:
        """The fourth moment of an entry over its squared variance."""
        return 9 / 5 if self.inputs == "uniform" else 3.0

    @property
    def families(self) -> list[tuple[float, float, float]]:
        """Share, mean of the weights and noise of each family that occurs."""
        both = [(1 - self.second_share, 0.0, self.noise), (self.second_share, self.second_mean, self.second_noise)]
        return [family for family in both if family[0] > 0]

    @property
    def pool(self) -> Float[Tensor, "task dimension"]:
        """The weights that occur, where they are counted."""
        generator = torch.Generator().manual_seed(self.task_seed)
        shape = (self.tasks, self.dimension)
        return self.weight_scale * torch.randn(shape, generator=generator, dtype=torch.float64)

    def shifted(self, **changes: Any) -> "Setting":
        """The same setting but for these options: prompts out of distribution."""
        return Setting(**asdict(self) | changes)


@dataclass(frozen=True, config={"arbitrary_types_allowed": True})
class RegressionPrompts:
    """Inputs and outputs in order, the query last, and the weights behind them."""

    x: Float[Tensor, "prompt place dimension"]
    y: Float[Tensor, "prompt place"]
    weights: Float[Tensor, "prompt dimension"]
    family: Int[Tensor, "prompt"]

    def __len__(self) -> int:
        return len(self.x)

    @property
    def tokens(self) -> Float[Tensor, "prompt place entry"]:
        """Tokens (x, y) of which the last, the query, has y = 0."""
        y = torch.cat([self.y[:, :-1], torch.zeros_like(self.y[:, :1])], -1)
        return torch.cat([self.x, y[..., None]], -1)

    def to(self, dtype: torch.dtype) -> "RegressionPrompts":
        """The same prompts in another precision."""
        return RegressionPrompts(self.x.to(dtype), self.y.to(dtype), self.weights.to(dtype), self.family)


def draw(
    setting: Setting, count: int, generator: torch.Generator, dtype: torch.dtype = torch.float64
) -> RegressionPrompts:
    """`count` prompts of a setting, each with one query after its examples."""
    places, width = setting.examples + 1, setting.dimension
    random: Any = {"generator": generator, "dtype": dtype}
    if setting.inputs == "uniform":
        x = (torch.rand((count, places, width), **random) - 0.5) * 12**0.5
    else:
        x = torch.randn((count, places, width), **random)
    x = x * setting.variances.to(dtype).sqrt()
    family = (torch.rand(count, **random) < setting.second_share).long()
    if setting.tasks:
        weights = setting.pool.to(dtype)[torch.randint(setting.tasks, (count,), generator=generator)]
    else:
        means = torch.tensor([0.0, setting.second_mean], dtype=dtype)[family]
        weights = means[:, None] + setting.weight_scale * torch.randn((count, width), **random)
    noise = torch.tensor([setting.noise, setting.second_noise], dtype=dtype)[family, None]
    y = torch.einsum("bpd,bd->bp", x, weights) + noise * torch.randn((count, places), **random)
    return RegressionPrompts(x, y, weights, family)

"""Learning regression in context: with linear attention, with softmax heads, and with a causal transformer."""

from collections.abc import Mapping
from dataclasses import field
from typing import Annotated, Any

import torch
from pydantic import Field
from pydantic.dataclasses import dataclass
from torch import Tensor, nn

from interp.sandbox.lessons import Lesson, Training
from interp.sandbox.regression.causal import CausalRegressor
from interp.sandbox.regression.layers import LinearAttention, SoftmaxHeads
from interp.sandbox.regression.prompts import RegressionPrompts, Setting, draw

TESTED = 20_000  # prompts; of the causal model a tenth
Layers = Annotated[int, Field(ge=1, le=16)]


@dataclass(frozen=True)
class GradientDescent:
    """One layer of linear attention, as von Oswald et al. train it."""

    setting: Setting = field(default_factory=Setting)
    layers: Layers = Field(default=1, description="layers of linear attention")
    deviation: Annotated[float, Field(ge=1e-6, le=10)] = Field(default=0.002, description="of the initial weights")
    training: Training = field(
        default_factory=lambda: Training(steps=5000, batch=2048, rate=1e-3, clip=0.001, checkpoints=24)
    )


@dataclass(frozen=True)
class Heads:
    """One layer of softmax heads, as He et al. train it."""

    setting: Setting = field(
        default_factory=lambda: Setting(dimension=5, examples=40, inputs="normal", weight_scale=5**-0.5, noise=0.1**0.5)
    )
    heads: Layers = Field(default=2, description="softmax heads")
    training: Training = field(default_factory=lambda: Training(steps=20_000, batch=128, rate=1e-3, checkpoints=24))


@dataclass(frozen=True)
class Algorithms:
    """A causal transformer that predicts every output of a prompt, after Akyürek et al."""

    setting: Setting = field(default_factory=lambda: Setting(dimension=4, examples=10, inputs="normal"))
    layers: Layers = Field(default=4, description="layers of the transformer")
    width: Annotated[int, Field(ge=8, le=512, multiple_of=8)] = Field(default=48, description="width of its stream")
    heads: Annotated[int, Field(ge=1, le=8)] = Field(default=4, description="heads of each layer")
    training: Training = field(
        default_factory=lambda: Training(steps=12_000, batch=64, rate=1e-3, clip=1.0, checkpoints=12)
    )


class RegressionLesson(Lesson):
    """What the lessons of regression share: prompts of their setting, the same ones to measure on."""

    def prompts(self, count: int, seed: int = 2**31) -> RegressionPrompts:
        """Prompts that training has not seen."""
        return draw(self.options.setting, count, torch.Generator().manual_seed(seed), torch.float32)

    def batch(self, generator: torch.Generator) -> RegressionPrompts:
        """One batch of training."""
        return draw(self.options.setting, self.training.batch, generator, torch.float32)


class GradientDescentLesson(RegressionLesson):
    """Regression with linear attention.

    Source: von Oswald et al. 2023 (2212.07677); google-research/self-organising-systems.
    """

    name, form = "gradient-descent", GradientDescent

    def model(self) -> LinearAttention:
        """The layers before training."""
        options = self.options
        return LinearAttention(options.setting.dimension, options.layers, options.deviation, self.training.seed)

    def loss(self, model: LinearAttention, generator: torch.Generator) -> Tensor:
        """½ · mean squared error of the query."""
        return halved_error(model, self.batch(generator))

    def measure(self, model: LinearAttention) -> Mapping[str, float]:
        """½ · mean squared error on other prompts."""
        return {"loss": float(halved_error(model, self.prompts(TESTED)))}


class HeadsLesson(RegressionLesson):
    """Regression with softmax heads.

    Source: He et al. 2025 (2503.12734); XintianPan/ICL_linear.
    """

    name, form = "softmax-heads", Heads

    def model(self) -> SoftmaxHeads:
        """The heads before training."""
        return SoftmaxHeads(self.options.setting.dimension, self.options.heads, seed=self.training.seed)

    def loss(self, model: SoftmaxHeads, generator: torch.Generator) -> Tensor:
        """Mean squared error of the query."""
        return 2 * halved_error(model, self.batch(generator))

    def measure(self, model: SoftmaxHeads) -> Mapping[str, float]:
        """Mean squared error on other prompts."""
        return {"loss": 2 * float(halved_error(model, self.prompts(TESTED)))}


class AlgorithmsLesson(RegressionLesson):
    """Regression with a causal transformer.

    Source: Akyürek et al. 2023 (2211.15661); ekinakyurek/google-research, folder incontext.
    """

    name, form = "algorithms", Algorithms

    def model(self) -> CausalRegressor:
        """The transformer before training."""
        options = self.options
        return CausalRegressor(
            options.setting.dimension, options.setting.examples, options.layers, options.width, options.heads,
            self.training.seed,
        )  # fmt: skip

    def loss(self, model: CausalRegressor, generator: torch.Generator) -> Tensor:
        """Mean squared error of every output."""
        prompts = self.batch(generator)
        return (model(prompts) - prompts.y).square().mean()

    def measure(self, model: CausalRegressor) -> Mapping[str, float]:
        """Mean squared error of every output and of the last, on other prompts."""
        prompts = self.prompts(TESTED // 10)
        errors = (model(prompts) - prompts.y).square().mean(0)
        return {"loss": float(errors.mean()), "last": float(errors[-1])}


def halved_error(model: nn.Module, prompts: RegressionPrompts) -> Tensor:
    """½ · mean squared error of the query."""
    predictions: Any = model(prompts.tokens)
    return (predictions - prompts.y[:, -1]).square().mean() / 2

"""What a sandbox task is: a problem with exact answers, a recipe that a small model learns it by, and read-outs."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import torch
from jaxtyping import Bool, Float, Int
from pydantic import Field
from pydantic.dataclasses import dataclass as validated
from torch import Tensor, nn
from torch.nn import functional as F

from interp.core.options import Seed
from interp.core.result import Result

if TYPE_CHECKING:
    from interp.sandbox.runs import Run


class Batch(NamedTuple):
    """Inputs with exact answers.

    `inputs` are tokens (or vectors, for a model that reads those), `targets` what is to be said at each position.
    `weights` says how much each position counts, 0 where nothing is asked. `classes` names sets of counted positions,
    which may overlap (a digit's place, what has to be carried): losses are logged for each.
    """

    inputs: Int[Tensor, "row pos"] | Float[Tensor, "row pos d_model"]
    targets: Int[Tensor, "row pos"] | Float[Tensor, "row pos"]
    weights: Float[Tensor, "row pos"]
    classes: Mapping[str, Bool[Tensor, "row pos"]]

    def mean(self, values: Float[Tensor, "row pos"], within: Bool[Tensor, "row pos"] | None = None) -> Tensor:
        """The weighted mean of a number per position, of a class or of all; NaN where nothing counts."""
        weights = self.weights if within is None else self.weights * within
        return (values * weights).sum() / weights.sum()


class Problem(ABC):
    """A seeded generator of inputs with exact answers; a subclass is a frozen pydantic dataclass, its fields options.

    Everything random is drawn from the generator that is given. What is not abstract fits problems whose answers are
    tokens; others replace it.
    """

    start: str = ""  # a token that stands before every text, if any

    @property
    @abstractmethod
    def vocabulary(self) -> tuple[str, ...]:
        """The tokens, in order; empty where a model reads vectors."""

    @property
    @abstractmethod
    def length(self) -> int:
        """The most positions that an input has."""

    @abstractmethod
    def batch(self, n: int, generator: torch.Generator) -> Batch:
        """`n` inputs drawn as in training."""

    def test(self, n: int, generator: torch.Generator) -> Batch:
        """`n` inputs to judge by; those of training where nothing is held out and they are never the same."""
        return self.batch(n, generator)

    def baselines(self, batch: Batch) -> dict[str, Tensor]:
        """What exact predictors and chance would output on a batch, in the form of the model's outputs."""
        return {}

    def factors(self, batch: Batch) -> dict[str, Int[Tensor, "row pos"]]:
        """Labelled factors of every position, for probes: what an algorithm might hold there; −1 where undefined."""
        return {}

    def outputs(self, model: nn.Module, batch: Batch) -> Tensor:
        """What the model says, `row pos …`."""
        return model(batch.inputs).logits

    def losses(self, outputs: Tensor, batch: Batch) -> Float[Tensor, "row pos"]:
        """The loss at every position."""
        return F.cross_entropy(outputs.flatten(0, 1), batch.targets.flatten(), reduction="none").view_as(batch.targets)

    def right(self, outputs: Tensor, batch: Batch) -> Bool[Tensor, "row pos"] | None:
        """Where the output is the answer; None where answers are numbers, of which nothing is right or wrong."""
        return outputs.argmax(-1) == batch.targets


class ModelRecipe(Protocol):
    """A frozen pydantic dataclass of a model's settings: `SmallModel`, or that of a special model."""

    def build(self, problem: Any, generator: torch.Generator) -> nn.Module:
        """The untrained model for a problem, its weights drawn from the generator.

        A Hugging Face class with a `config`, whose folder `interp.load` reads, wherever it reads tokens.
        Raises: OptionError for sizes that go with no model of that problem.
        """
        ...


@validated(frozen=True)
class Training:
    """How a model is trained, and what is kept of it on the way."""

    steps: int = Field(2000, ge=1, le=10**6, description="training steps")
    batch: int = Field(128, ge=1, le=2**16, description="inputs per step")
    lr: float = Field(1e-3, ge=1e-9, le=1e3, allow_inf_nan=False, description="learning rate")
    warm_up: int = Field(50, ge=0, le=10**6, description="steps in which the rate rises from 0")
    decay: float = Field(0.0, ge=0, le=1, description="share of the steps, at the end, in which the rate falls to 0")
    optimiser: str = Field("adam", pattern="^(adam|sgd)$", description="adam (AdamW where weights decay) or sgd")
    weight_decay: float = Field(0.0, ge=0, le=10, description="decay of the weights, apart from the gradient (AdamW)")
    beta: float = Field(0.999, ge=0, lt=1, description="how slowly Adam forgets squared gradients")
    clip: float = Field(1.0, gt=0, le=1e9, description="largest norm of the gradient")
    spaced: int = Field(20, ge=2, le=1000, description="checkpoints spaced by equal ratios, from step 1 to the last")
    every: int = Field(10**6, ge=1, le=10**6, description="steps between further checkpoints")
    logged: int = Field(20, ge=1, le=10**6, description="steps between the rows of the log")
    test: int = Field(512, ge=1, le=2**16, description="inputs to judge by")
    sharpness: int = Field(10, ge=0, le=100, description="power iterations for the sharpness at checkpoints; 0: none")
    seed: Seed = Field(0, description="seed of the initial weights and of all batches")


ReadOut = Callable[["Run", int], Result]


@dataclass(frozen=True)
class Task:
    """A task of the sandbox: one file in `interp/sandbox/tasks/`, and one line in its list.

    `problem`, `model` and `training` are what the packaged run is made with; a training replaces fields of each by
    name, so no two of them have a field of the same name. `read_outs` are what is worth seeing of a run of it, each a
    function of a run and a step. `seconds` is about what the packaged training takes on two cores.
    """

    name: str
    summary: str
    source: str
    problem: Problem
    model: ModelRecipe
    training: Training
    read_outs: Mapping[str, ReadOut] = field(default_factory=dict)
    seconds: int = 0

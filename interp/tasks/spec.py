"""The task record: what people call to get prompts with right and wrong answers."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

from pydantic import Field
from pydantic.dataclasses import dataclass as validated

from interp.core.errors import EngineError
from interp.core.language_model import LanguageModel
from interp.core.options import NoOptions, Repeats, Seed, parse_options
from interp.core.prompts import PromptPairs
from interp.core.signatures import document


@validated(frozen=True)
class Drawn:
    """How many prompts of a task, and which."""

    n: Repeats = Field(32, description="prompts of the task")
    seed: Seed = Field(0, description="seed of the task")


def text_obstacle(model: LanguageModel) -> str | None:
    """Why `model` cannot be asked to continue a text; None if it can."""
    if model.program:
        return "it is compiled from a program and reads no text; use the task program"
    if model.is_classifier:
        return "it is a classifier, and a task asks for the next token; use a causal language model"
    if not model.is_causal:
        return "it is a masked language model, and a task asks for the next token; use a causal language model"
    return None


@dataclass(frozen=True, repr=False)
class TaskSpec:
    """One behaviour. Calling the record makes prompts for a model.

    `make(model, n, rng, options)` writes `n` different pairs that align token by token, whose clean side carries the
    metric; every answer is one token for that model. `options` is a frozen dataclass, validated as an engine's is.
    `obstacle(model)` says why a model cannot be asked; None if it can.
    """

    name: str
    make: Callable[[LanguageModel, int, Random, Any], PromptPairs]
    summary: str
    source: str
    options: type = NoOptions
    obstacle: Callable[[LanguageModel], str | None] = text_obstacle

    def __post_init__(self) -> None:
        doc = (
            f"{self.summary.rstrip('.')}.\n\n{inspect.getdoc(type(self).__call__)}\nSource: {self.source.rstrip('.')}."
        )
        document(self, doc, self.options, PromptPairs)

    def __repr__(self) -> str:
        return f"<task {self.name}>"

    def __call__(self, model: LanguageModel, /, n: int = 32, seed: int = 0, **options: Any) -> PromptPairs:
        """`n` pairs; the same seed gives the same pairs.

        Raises: EngineError if the model cannot be asked; OptionError for an option that it cannot take;
        TargetError if too few answers are one token for this model; PromptError if too few prompts fit it.
        """
        obstacle = self.obstacle(model)
        if obstacle is not None:
            raise EngineError(f"{self.name} does not support {model.name}: {obstacle}")
        draw, settings = self.parse_options({"n": n, "seed": seed, **options})
        return self.make(model, draw.n, Random(draw.seed), settings)

    def parse_options(self, values: Mapping[str, Any]) -> tuple[Drawn, Any]:
        """How many prompts and which, and the task's own options. Raises: OptionError."""
        draw = {name: value for name, value in values.items() if name in ("n", "seed")}
        own = {name: value for name, value in values.items() if name not in draw}
        return parse_options(self.name, Drawn, draw), parse_options(self.name, self.options, own)

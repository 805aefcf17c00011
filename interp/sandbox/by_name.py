"""What is worth seeing of a training, by its name: curves, attention and the Clustering Head by step."""

from contextlib import suppress
from dataclasses import dataclass
from functools import cache

import torch

from interp.core.errors import InterpError, ModelError
from interp.core.prompts import Prompts
from interp.kinds import ClusterStates, LearningCurves, Patterns
from interp.models.hooked import HookedModel
from interp.models.sources import runs, split_step
from interp.readout import attention
from interp.sandbox.clustering.lesson import ClusteringLesson
from interp.sandbox.clustering.states import clustering_states
from interp.sandbox.run import Run, over_steps
from interp.sandbox.special import lesson_of, packaged_runs, run_of


@dataclass(frozen=True)
class Trained:
    """A training that can be looked at: what it is of, its steps, and whether its steps are models that read tokens."""

    name: str
    summary: str
    steps: tuple[int, ...]
    reads_tokens: bool


def names() -> tuple[str, ...]:
    """Of all trainings that can be looked at: the package's, and those of this machine."""
    return (*runs(), *_clustering_heads())


@cache
def _clustering_heads() -> tuple[str, ...]:
    return tuple(name for name in packaged_runs() if isinstance(lesson_of(run_of(name)), ClusteringLesson))


def trained(name: str) -> Trained:
    """The training of that name. Raises: ModelError if there is none, it is damaged, or it has no step yet."""
    if name in _clustering_heads():
        summary = "Two-dimensional Clustering Head on sparse modular addition"
        return Trained(name, summary, tuple(run_of(name).steps), reads_tokens=False)
    run = Run(name)
    if not run.steps:
        raise ModelError(f"{name} has no step yet; wait for its training, or train it again")
    return Trained(name, run.task.summary, run.steps, reads_tokens=True)


def trainings() -> list[Trained]:
    """All whose files can be read; `interp sandbox list` says what is wrong with others."""
    every = []
    for name in names():
        with suppress(InterpError):
            every.append(trained(name))
    return every


def example_of(model: str) -> str:
    """A test input, as text, of the training that a model is a step of; empty for any other model's name."""
    name = split_step(model)[0]
    if name not in runs():
        return ""
    problem = Run(name).problem
    words = [problem.vocabulary[token] for token in _test_input(Run(name), 0)]
    return " ".join(words[1:] if problem.start else words)


def _test_input(run: Run, example: int) -> list[int]:
    generator = torch.Generator().manual_seed(run.training.seed + 1)
    return run.problem.test(example + 1, generator).inputs[example].tolist()


def curves(run: str) -> LearningCurves:
    """The log of a training by step. Raises: ModelError if there is none."""
    return Run(run).curves()


def attention_by_step(run: str, *, example: int = 0) -> Patterns:
    """Attention on one test input at every step of a training: axis `step`.

    Raises: ModelError if there is no such training.
    """
    training = Run(run)
    tokens = _test_input(training, example)

    def prompts(model: HookedModel) -> Prompts:
        return Prompts.of_tokens(model, [tokens])

    result = over_steps(attention, training, prompts)
    assert isinstance(result, Patterns)
    return result


def clustering_head(run: str) -> ClusterStates:
    """All that a Clustering Head computes, at every step. Raises: ModelError if there is no such training."""
    folder = run_of(run)
    lesson = lesson_of(folder)
    if not isinstance(lesson, ClusteringLesson):
        raise ModelError(f"{run} trained no Clustering Head; give one of them, such as clustering")
    return clustering_states(folder, lesson)

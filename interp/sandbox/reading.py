"""What read-outs of the special models share: results over the steps of a run, with their origin."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from typing import Any, TypeVar

import numpy as np
import torch

from interp.core.intervals import bootstrap_mean
from interp.core.progress import track
from interp.core.prompts import Prompts
from interp.core.result import Provenance, Result
from interp.sandbox.lessons import Lesson, Run

Kind = TypeVar("Kind", bound=Result)
Values = Mapping[str, Any]
_GROUPS = 200
_NONE = Prompts((), torch.zeros(0, 0, dtype=torch.long), torch.zeros(0, 0, dtype=torch.bool), ())


def result_of(
    kind: type[Kind],
    name: str,
    values: Values,
    *,
    measured: str,
    lesson: Lesson | None = None,
    model: str = "",
    **coordinates: Any,
) -> Kind:
    """A result of these values; `name` is that of the read-out, `coordinates` are labels of axes."""
    options = {} if lesson is None else asdict(lesson.options)
    result = kind.of(_NONE, values, measured=measured, **coordinates)
    return result.with_provenance(Provenance(engine=name, model=model, options=options))


def over_steps(run: Run, lesson: Lesson, read: Callable[[Any], Values]) -> tuple[list[int], dict[str, np.ndarray]]:
    """The steps of a run, and what `read` gives of the model at each: a further first axis."""
    steps = run.steps
    each = [read(model) for model in track(_models(run, lesson), len(steps), f"{lesson.name}: steps")]
    return steps, {name: np.stack([np.asarray(values[name]) for values in each]) for name in each[0]}


def _models(run: Run, lesson: Lesson) -> Iterator[Any]:
    for step in run.steps:
        yield run.load(lesson, step)


def mean_and_ends(values: torch.Tensor) -> np.ndarray:
    """The mean over many prompts, and the ends of its interval: groups of prompts are resampled."""
    groups = [group.mean(0) for group in values.detach().double().tensor_split(min(_GROUPS, len(values)))]
    return np.stack(bootstrap_mean(torch.stack(groups).numpy()))

"""Task accuracy: how often, and by how much, the model prefers the right answer."""

from typing import Protocol

import torch
from pydantic import Field
from pydantic.dataclasses import dataclass
from torch import Tensor

from interp.core.engine import engine
from interp.core.errors import TargetError
from interp.core.language_model import LanguageModel
from interp.core.metric import Metric
from interp.core.progress import track
from interp.core.prompts import PromptPairs, Prompts
from interp.kinds import TaskAccuracy


class RunnableModel(LanguageModel, Protocol):
    """A model that the accuracy can be taken of."""

    def logits(self, prompts: Prompts) -> Tensor:
        """Logits of a plain run: `batch pos vocab`, or `batch class` for a classifier."""
        ...


@dataclass(frozen=True)
class AccuracyOptions:
    """How to run the prompts."""

    batch_size: int = Field(16, ge=1, le=4096, description="prompts per forward pass")


@engine
def task_accuracy(
    model: RunnableModel, prompts: Prompts | PromptPairs, metric: Metric, options: AccuracyOptions
) -> TaskAccuracy:
    """How often, and by how much, the model prefers the right answer.

    The metric of every prompt, and whether it is positive; `summary()` gives accuracy and mean with intervals.

    Shape: `batch`. Unit: the metric's for `difference`; `correct` is 0 or 1.
    Raises: TargetError without a contrast, as then nothing is compared.
    Source: Efron & Tibshirani 1993, chapter 13, for the intervals.
    """
    if metric.contrasts is None:
        raise TargetError("task-accuracy compares two answers; give a contrast as well, such as ' John'")
    clean = prompts.clean
    batches = [range(len(clean))[start:][: options.batch_size] for start in range(0, len(clean), options.batch_size)]
    values = []
    for rows in track(batches, len(batches), "task-accuracy"):
        with torch.no_grad():
            values.append(metric.select(rows)(model.logits(clean[rows])).double().cpu())
    difference = torch.cat(values)
    return TaskAccuracy.of(
        clean,
        {"difference": difference, "correct": (difference > 0).double()},
        unit=metric.unit,
        measured=f"{metric.label} of each prompt, and whether the right answer is preferred",
        sign="difference > 0: the model prefers the right answer",
    )

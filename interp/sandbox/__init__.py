"""Small models trained here on tasks whose answers are known, watched while they learn."""

from interp.sandbox.by_name import (
    Trained,
    attention_by_step,
    clustering_head,
    curves,
    example_of,
    names,
    trained,
    trainings,
)
from interp.sandbox.run import Run, over_steps
from interp.sandbox.small_model import SmallModel
from interp.sandbox.special import load
from interp.sandbox.task import Batch, ModelRecipe, Problem, ReadOut, Task, Training
from interp.sandbox.tasks import TASKS, find
from interp.sandbox.training import train

__all__ = [
    "TASKS",
    "Batch",
    "ModelRecipe",
    "Problem",
    "ReadOut",
    "Run",
    "SmallModel",
    "Task",
    "Trained",
    "Training",
    "attention_by_step",
    "clustering_head",
    "curves",
    "example_of",
    "find",
    "load",
    "names",
    "over_steps",
    "train",
    "trained",
    "trainings",
]

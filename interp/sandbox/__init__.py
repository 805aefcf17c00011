"""Small models trained here on tasks whose answers are known, watched while they learn."""

from interp.sandbox.task import Batch, ModelRecipe, Problem, ReadOut, Task, Training

__all__ = ["Batch", "ModelRecipe", "Problem", "ReadOut", "Task", "Training"]

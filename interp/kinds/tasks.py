"""How a model does on a task."""

from interp.core.result import Result
from interp.core.variables import METRIC, Variable


class TaskAccuracy(Result):
    """How often, and by how much, the model prefers the right answer, prompt by prompt."""

    difference = Variable("batch", "the metric: right answer against wrong answer", unit=METRIC)
    correct = Variable("batch", "1 if the model prefers the right answer", unit="fraction")

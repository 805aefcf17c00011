"""What a search for a circuit minimises."""

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from interp.core.metric import Metric
from interp.core.result import SIGN
from interp.core.variables import AGAINST, FOR

ObjectiveName = Literal["kl", "task"]


@dataclass(frozen=True, eq=False)
class Objective:
    """`kl`: KL(clean model ‖ circuit) of the answer's distribution; `task`: the metric, negated. Means over prompts."""

    name: ObjectiveName
    metric: Metric
    clean: Float[Tensor, "batch vocab"]

    def __call__(self, logits: Float[Tensor, "way batch vocab"]) -> Float[Tensor, "way"]:
        """The objective of every way, in float64: what one edge changes can be far smaller than what all do."""
        logits = logits.double()
        if self.name == "kl":
            clean = self.clean.double().log_softmax(-1)
            return (clean.exp() * (clean - logits.log_softmax(-1))).sum(-1).mean(-1)
        return -torch.stack([self.metric.of_rows(rows).mean() for rows in logits])

    @property
    def orientation(self) -> int:
        """What turns a rise of the objective into an effect: where the metric's negation rises, the metric falls."""
        return 1 if self.name == "kl" else -1

    @property
    def unit(self) -> str:
        """The unit of an effect."""
        return "nats" if self.name == "kl" else self.metric.unit

    @property
    def label(self) -> str:
        """What is measured, in words."""
        return "KL(model ‖ circuit) at the answer" if self.name == "kl" else self.metric.label

    @property
    def sign(self) -> str:
        """What the sign of an effect means."""
        if self.name == "task":
            return SIGN
        return "effect = KL(without the edge) − KL(with it); positive: the edge supports the model's prediction"

    @property
    def supports(self) -> str:
        """The sign of an edge's effect if the edge supports the prediction."""
        return AGAINST if self.name == "task" else FOR

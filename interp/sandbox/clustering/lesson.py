"""Learning sparse modular addition with the Clustering Head, from the start or from a trained head."""

from collections.abc import Mapping
from dataclasses import field
from typing import Annotated, Any

import torch
from pydantic import Field
from pydantic.dataclasses import dataclass
from torch import Tensor
from torch.nn import functional as F

from interp.core.options import Count
from interp.sandbox.clustering.model import ClusteringHead, ModularAddition, cluster_quality
from interp.sandbox.lessons import Lesson, Training


@dataclass(frozen=True)
class Clustering:
    """The task, the width of the MLP, and the training: 1,000 epochs of 64 batches."""

    task: ModularAddition = field(default_factory=ModularAddition)
    neurons: Count = Field(default=32, description="neurons of the MLP")
    mlp_rate: Annotated[float, Field(gt=0, le=1)] = Field(
        default=1.0, description="learning rate of the MLP, as a share of that of the rest"
    )
    start: Annotated[str, Field(max_length=200)] = Field(default="", description="the run that fine-tuning starts from")
    training: Training = field(default_factory=lambda: Training(steps=64_000, batch=32, rate=3e-3, checkpoints=32))


class ClusteringLesson(Lesson):
    """Sparse modular addition.

    Source: Cabannes et al. 2024 (2410.24050); facebookresearch/pal, projects/visualization.
    """

    name, form, reads = "clustering", Clustering, "whole sequences of a fixed length"

    def __init__(self, options: Clustering | None = None, start: ClusteringHead | None = None) -> None:
        super().__init__(options)
        self.start = start
        self.tokens, self.answers = self.options.task.data()
        self.test_tokens, self.test_answers = self.options.task.data(test=True)
        self.clusters = self.options.task.clusters(self.test_tokens)

    def model(self) -> ClusteringHead:
        """A new head, or the trained one that fine-tuning starts from, with vectors for tokens that it lacks."""
        task = self.options.task
        if self.start is not None:
            return self.start.with_tokens(task.p, self.training.seed)
        return ClusteringHead(task.p, task.length, self.options.neurons, self.training.seed)

    def groups(self, model: ClusteringHead) -> list[dict[str, Any]]:
        """The MLP learns at a rate of its own."""
        mlp = [*model.receptors.parameters(), *model.assemblers.parameters()]
        rest = [model.tokens, model.positions, model.query, *model.value.parameters()]
        return [{"params": rest}, {"params": mlp, "lr": self.options.mlp_rate * self.training.rate}]

    def loss(self, model: ClusteringHead, generator: torch.Generator) -> Tensor:
        """The cross-entropy of one batch of the training sequences."""
        rows = torch.randint(len(self.tokens), (self.training.batch,), generator=generator)
        return F.cross_entropy(model(self.tokens[rows]), self.answers[rows])

    def measure(self, model: ClusteringHead) -> Mapping[str, float]:
        """Accuracy and loss on the test, cluster quality and attention off the support."""
        state = model.follow(self.test_tokens)
        trained = model(self.tokens)
        return {
            "accuracy": float((state.logits.argmax(-1) == self.test_answers).double().mean()),
            "loss": float(F.cross_entropy(state.logits, self.test_answers)),
            "train_accuracy": float((trained.argmax(-1) == self.answers).double().mean()),
            "train_loss": float(F.cross_entropy(trained, self.answers)),
            "cluster_quality": cluster_quality(state.embedding, self.clusters),
            "attention_off_support": float(state.attention[:, self.options.task.support :].sum(-1).mean()),
        }

"""Learning which nodes of a graph are connected."""

from collections.abc import Mapping
from dataclasses import field, replace
from functools import cached_property
from typing import Annotated

import torch
from pydantic import Field
from pydantic.dataclasses import dataclass
from torch import Tensor

from interp.sandbox.connectivity.graphs import FAMILIES, Adjacency, Graphs, reachable
from interp.sandbox.connectivity.model import Disentangled
from interp.sandbox.lessons import Lesson, Training

MEASURED = 512  # graphs of each family


@dataclass(frozen=True)
class Connectivity:
    """The graphs, the layers, and the training."""

    graphs: Graphs = field(default_factory=Graphs)
    layers: Annotated[int, Field(ge=1, le=4)] = Field(
        default=1, description="layers; L of them reach a diameter of 3^L"
    )
    training: Training = field(default_factory=lambda: Training(steps=3000, batch=256, rate=3e-3))


class ConnectivityLesson(Lesson):
    """Graph connectivity with the disentangled transformer.

    Source: 2510.19753.
    """

    name, form, reads = "connectivity", Connectivity, "adjacency matrices"

    def model(self) -> Disentangled:
        """The model before training: small weights, all positive."""
        return Disentangled(self.options.graphs.nodes, self.options.layers, seed=self.training.seed)

    def loss(self, model: Disentangled, generator: torch.Generator) -> Tensor:
        """The cross-entropy of all pairs of nodes of a batch of graphs."""
        graphs = self.options.graphs.draw(self.training.batch, generator)
        return model.loss(graphs, reachable(graphs))

    def settle(self, model: Disentangled) -> None:
        """Weights are never negative."""
        model.clamp()

    def measure(self, model: Disentangled) -> Mapping[str, float]:
        """The share of graphs that are wholly right, by family."""
        return {name: float(right(model, graphs).double().mean()) for name, graphs in self.tests.items()}

    @cached_property
    def tests(self) -> dict[str, Adjacency]:
        """Graphs of every family to measure on, random ones of any diameter."""
        graphs, generator = replace(self.options.graphs, diameter=0), torch.Generator().manual_seed(1)
        return {name: graphs.family(name, MEASURED, generator) for name in FAMILIES}


def right(model: Disentangled, graphs: Adjacency) -> Tensor:
    """Of which graphs the model is right about every pair of nodes."""
    return (model.connected(graphs) == reachable(graphs)).all(-1).all(-1)

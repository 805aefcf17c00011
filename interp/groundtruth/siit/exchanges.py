"""Which edges of each row are exchanged: nodes and edges of the circuit, and edges outside it."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from interp.core.graph import ComputationGraph


@dataclass(frozen=True, eq=False)
class Exchanges:
    """Random exchanges for a circuit in a graph; 1 for an edge that is exchanged.

    `constant` has the edges that the program reads, though they carry the same on all inputs of a length.
    """

    graph: ComputationGraph
    circuit: Bool[Tensor, "receiver sender"]
    constant: Bool[Tensor, "receiver sender"]

    @cached_property
    def present(self) -> Bool[Tensor, "receiver sender"]:
        """All edges of the graph."""
        return torch.as_tensor(self.graph.present.T.copy())

    @cached_property
    def outside(self) -> Bool[Tensor, "receiver sender"]:
        """All edges outside the circuit."""
        return self.present & ~self.circuit

    @cached_property
    def nodes(self) -> list[int]:
        """The circuit's senders but the embedding, whose exchange would be another input."""
        return [sender for sender in range(1, len(self.graph.senders)) if self.circuit[:, sender].any()]

    def none(self, count: int) -> Float[Tensor, "row receiver sender"]:
        """Nothing."""
        return torch.zeros(count, *self.circuit.shape)

    def of_nodes(self, senders: Sequence[int] | Tensor) -> Float[Tensor, "row receiver sender"]:
        """In each row all edges of one sender."""
        senders = torch.as_tensor(senders)
        return torch.eye(len(self.graph.senders))[senders][:, None] * self.present

    def of_edges(self, edges: Int[Tensor, "row 2"]) -> Float[Tensor, "row receiver sender"]:
        """In each row one edge, given as receiver and sender."""
        exchanged = self.none(len(edges))
        exchanged[torch.arange(len(edges)), edges[:, 0], edges[:, 1]] = 1
        return exchanged

    def a_node(self, count: int, generator: torch.Generator) -> Float[Tensor, "row receiver sender"]:
        """In each row a random node of the circuit."""
        return self.of_nodes(torch.tensor(self.nodes)[torch.randint(len(self.nodes), (count,), generator=generator)])

    def an_edge(
        self, among: Bool[Tensor, "receiver sender"], count: int, generator: torch.Generator
    ) -> Float[Tensor, "row receiver sender"]:
        """In each row one random edge."""
        edges = among.nonzero()
        return self.of_edges(edges[torch.randint(len(edges), (count,), generator=generator)])

    def half_outside(self, count: int, generator: torch.Generator) -> Float[Tensor, "row receiver sender"]:
        """In each row about half of the edges outside the circuit."""
        return (torch.rand(count, *self.outside.shape, generator=generator) < 0.5) * self.outside.float()

    def all_outside(self, count: int) -> Float[Tensor, "row receiver sender"]:
        """In each row every edge outside the circuit."""
        return self.outside.float().expand(count, -1, -1)

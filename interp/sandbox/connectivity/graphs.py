"""Graphs with self-loops, which of their nodes are connected, and how far apart."""

from itertools import repeat
from typing import Annotated, Literal

import networkx as nx
import torch
from jaxtyping import Bool, Float, Int
from pydantic import Field
from pydantic.dataclasses import dataclass
from torch import Tensor

from interp.core.errors import OptionError

Adjacency = Float[Tensor, "graph node node"]
FAMILIES = ("random", "2 chains", "2 cliques", "chain", "ring", "tree")
Family = Literal["random", "2 chains", "2 cliques", "chain", "ring", "tree"]


@dataclass(frozen=True)
class Graphs:
    """Erdős–Rényi graphs, whose edge probability is drawn from a range for each; only up to a diameter where given."""

    nodes: Annotated[int, Field(ge=2, le=64)] = Field(default=8, description="nodes of a graph")
    least: Annotated[float, Field(ge=0, le=1)] = Field(default=0.05, description="least edge probability")
    most: Annotated[float, Field(ge=0, le=1)] = Field(default=0.4, description="largest edge probability")
    diameter: Annotated[int, Field(ge=0, le=64)] = Field(default=0, description="largest diameter; 0: any")

    def __post_init__(self) -> None:
        if self.least > self.most:
            raise OptionError(f"least = {self.least:g} exceeds most = {self.most:g}; give them in order")

    def draw(self, count: int, generator: torch.Generator) -> Adjacency:
        """So many graphs; those beyond the diameter are drawn again."""
        graphs = self._any(count, generator)
        while self.diameter and bool((beyond := diameters(graphs) > self.diameter).any()):
            graphs[beyond] = self._any(int(beyond.sum()), generator)
        return graphs

    def _any(self, count: int, generator: torch.Generator) -> Adjacency:
        chance = self.least + (self.most - self.least) * torch.rand((count, 1, 1), generator=generator)
        edges = (torch.rand((count, self.nodes, self.nodes), generator=generator) < chance).float().triu(1)
        return edges + edges.mT + torch.eye(self.nodes)

    def family(self, name: Family, count: int, generator: torch.Generator) -> Adjacency:
        """So many graphs of a family, their nodes in random order."""
        if name == "random":
            return self.draw(count, generator)
        half = self.nodes // 2
        shapes = {
            "2 chains": nx.disjoint_union(nx.path_graph(half), nx.path_graph(self.nodes - half)),
            "2 cliques": nx.disjoint_union(nx.complete_graph(half), nx.complete_graph(self.nodes - half)),
            "chain": nx.path_graph(self.nodes),
            "ring": nx.cycle_graph(self.nodes),
        }
        if name == "tree":
            each = (self._tree(generator) for _ in range(count))
        else:
            each = repeat(of_graph(shapes[name]), count)
        return torch.stack([self._shuffled(adjacency, generator) for adjacency in each])

    def _tree(self, generator: torch.Generator) -> Float[Tensor, "node node"]:
        seed = int(torch.randint(2**31, (1,), generator=generator))
        return of_graph(nx.random_labeled_tree(self.nodes, seed=seed))

    def _shuffled(self, adjacency: Float[Tensor, "node node"], generator: torch.Generator) -> Tensor:
        order = torch.randperm(self.nodes, generator=generator)
        return adjacency[order][:, order]


def of_graph(graph: nx.Graph) -> Float[Tensor, "node node"]:
    """The adjacency of a graph, with self-loops."""
    matrix = torch.from_numpy(nx.to_numpy_array(graph)).float()
    return ((matrix + torch.eye(len(matrix))) > 0).float()


def distances(adjacency: Adjacency) -> Int[Tensor, "graph node node"]:
    """Edges of the shortest path between every two nodes; −1 where there is none."""
    power = torch.eye(adjacency.shape[-1]).expand_as(adjacency)
    lengths = torch.full(adjacency.shape, -1)
    for length in range(adjacency.shape[-1]):
        lengths[(power > 0) & (lengths < 0)] = length
        power = ((power @ adjacency) > 0).float()
    return lengths


def reachable(adjacency: Adjacency) -> Bool[Tensor, "graph node node"]:
    """R = [Aⁿ > 0]: which nodes are connected."""
    return distances(adjacency) >= 0


def diameters(adjacency: Adjacency) -> Int[Tensor, "graph"]:
    """The longest shortest path within a component."""
    return distances(adjacency).amax((-2, -1))

"""The disentangled transformer: linear attention over rows of the adjacency, a stream that grows by concatenation."""

import math
from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

THRESHOLD = math.log(2)  # of the evidence z: here 1 − exp(−z) is one half


class Disentangled(nn.Module):
    """h ← [h, (h W hᵀ) h] from h = A, with W ≥ 0; evidence z = h U ≥ 0, probability of a path 1 − exp(−z).

    Blocks of W and U are n × n: `W[i][j]` multiplies the parts i and j of the stream. z is 0 exactly where no part that
    is read has a path.
    Source: 2510.19753, section 3.
    Differs: the link 1 − exp(−z), which turns z ≥ 0 into a probability.
    """

    def __init__(self, nodes: int, layers: int, scale: float = 0.1, seed: int = 0) -> None:
        super().__init__()
        self.nodes, generator = nodes, torch.Generator().manual_seed(seed)
        self.weights = nn.ParameterList(
            nn.Parameter(scale / nodes * torch.rand(2**layer * nodes, 2**layer * nodes, generator=generator))
            for layer in range(layers)
        )
        self.readout = nn.Parameter(scale / nodes * torch.rand(2**layers * nodes, nodes, generator=generator))

    @classmethod
    def written(cls, nodes: int, layers: int) -> "Disentangled":
        """The weights that multiply powers alone (b = 0): each layer cubes the last part, and the last is read."""
        model, same = cls(nodes, layers), torch.eye(nodes)
        with torch.no_grad():
            for weight in (*model.weights, model.readout):
                weight.zero_()[-nodes:, -nodes:] = same
        return model

    def forward(self, adjacency: Float[Tensor, "graph node node"]) -> Float[Tensor, "graph node node"]:
        """The evidence z for a path between every two nodes."""
        stream = adjacency
        for weight in self.weights:
            stream = torch.cat([stream, stream @ weight @ stream.mT @ stream], -1)
        return stream @ self.readout

    def connected(self, adjacency: Float[Tensor, "graph node node"]) -> Bool[Tensor, "graph node node"]:
        """Which pairs of nodes it says are connected."""
        return self(adjacency) > THRESHOLD

    def loss(self, adjacency: Float[Tensor, "graph node node"], reachable: Bool[Tensor, "graph node node"]) -> Tensor:
        """The cross-entropy of all pairs: z of pairs without a path, −log(1 − exp(−z)) of the others."""
        evidence = self(adjacency)
        missed = -torch.log(-torch.expm1(-evidence.clamp(min=1e-6)))
        return torch.where(reachable, missed, evidence).mean()

    @torch.no_grad()
    def clamp(self) -> None:
        """Bring weights that are below 0 to it."""
        for weight in (*self.weights, self.readout):
            weight.clamp_(min=0)

    def blocks(self) -> dict[str, Float[Tensor, "node node"]]:
        """Every block of the weights by name: `1: A A` is that of the first layer between the parts A and A."""
        parts, blocks = ["A"], {}
        for layer, weight in enumerate(self.weights, start=1):
            blocks |= _blocks(weight, f"{layer}: ", parts, parts)
            parts = parts + [f"{part}′" for part in parts]
        return blocks | _blocks(self.readout, "out: ", parts, [""])


def _blocks(weight: Tensor, prefix: str, rows: list[str], columns: list[str]) -> dict[str, Tensor]:
    nodes = weight.shape[0] // len(rows)
    return {
        f"{prefix}{row} {column}".strip(): weight[i * nodes : (i + 1) * nodes, j * nodes : (j + 1) * nodes]
        for i, row in enumerate(rows)
        for j, column in enumerate(columns)
    }


def channels(block: Float[Tensor, "node node"]) -> dict[Literal["a", "b", "heuristic", "explained"], float]:
    """The projection of a block onto a·I + b·J, and how its energy splits.

    `heuristic` is |bJ|² / (|aI|² + |bJ|²), `explained` the share of the block's energy in the projection; NaN of 0.
    """
    nodes, block = len(block), block.detach().double()
    diagonal = block.diagonal().mean()
    others = (block.sum() - block.diagonal().sum()) / (nodes * (nodes - 1))
    a, b = diagonal - others, others
    energy = nodes * diagonal**2 + nodes * (nodes - 1) * others**2
    return {
        "a": float(a),
        "b": float(b),
        "heuristic": float(nodes**2 * b**2 / (nodes**2 * b**2 + nodes * a**2)),
        "explained": float(energy / block.square().sum()),
    }

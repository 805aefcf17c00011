"""Entries of a matrix dropped in the basis of its K-FAC factors, as edits of a run."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from interp.knowledge.curvature.factors import Matrix
from interp.models.edits import Edit


class Factors(NamedTuple):
    """A matrix in the bases of its factors: eigenvalues and eigenvectors of A (inputs) and G (outputs)."""

    inputs: np.ndarray
    outputs: np.ndarray
    input_basis: Float[np.ndarray, "d_in d_in"]
    output_basis: Float[np.ndarray, "d_out d_out"]
    rotated: Float[np.ndarray, "d_in d_out"]

    @classmethod
    def of(cls, second_a: np.ndarray, second_g: np.ndarray, weight: Tensor) -> "Factors":
        """Of second moments, and of the matrix itself."""
        (inputs, left), (outputs, right) = (np.linalg.eigh(each) for each in (second_a, second_g))
        rotated = left.T @ weight.double().cpu().numpy() @ right
        return cls(np.maximum(inputs, 0), np.maximum(outputs, 0), left, right, rotated)

    @property
    def curvature(self) -> Float[np.ndarray, "d_in d_out"]:
        """Of every entry: λ_j μ_i."""
        return np.outer(self.inputs, self.outputs)

    def highest(self, share: float) -> Bool[np.ndarray, "d_in d_out"]:
        """The fewest entries that hold so much of the curvature; all of them for 1."""
        curvature = self.curvature.ravel()
        order = np.argsort(-curvature, kind="stable")
        held = np.cumsum(curvature[order])
        count = len(order) if share >= 1 else int(np.searchsorted(held, share * held[-1])) + 1
        return _mask(order[:count], self.rotated.shape)

    def lowest(self, count: int) -> Bool[np.ndarray, "d_in d_out"]:
        """So many entries of least curvature."""
        return _mask(np.argsort(self.curvature.ravel(), kind="stable")[:count], self.rotated.shape)

    def random(self, count: int, seed: int) -> Bool[np.ndarray, "d_in d_out"]:
        """So many entries, drawn at random."""
        return _mask(np.random.default_rng(seed).permutation(self.rotated.size)[:count], self.rotated.shape)

    def change(self, keep: Bool[np.ndarray, "d_in d_out"]) -> Float[np.ndarray, "d_in d_out"]:
        """W′ − W where only some entries are kept: exactly zero where all are."""
        return -self.input_basis @ np.where(keep, 0, self.rotated) @ self.output_basis.T


def _mask(places: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    mask = np.zeros(shape, dtype=bool)
    mask.flat[places] = True
    return mask


def changed_matrices(some: Sequence[Matrix], changes: Sequence[np.ndarray]) -> list[Edit]:
    """Edits after which the matrices of an MLP are W + change; the weights themselves stay."""
    inputs: dict[str, Tensor] = {}

    def hear(name: str, value: Tensor) -> None:
        inputs[name] = value

    def add(name: str, change: np.ndarray, output: Tensor) -> Tensor:
        return output + inputs[name] @ torch.from_numpy(change).to(output)

    edits = []
    for matrix, change in zip(some, changes, strict=True):
        edits += [
            Edit.through(matrix.reads, lambda x, name=matrix.name: hear(name, x)),
            Edit.through(matrix.writes, lambda x, name=matrix.name, change=change: add(name, change, x)),
        ]
    return edits

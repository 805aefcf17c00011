"""The least-squares map from one set of vectors to another, from second moments over tokens that merge by addition."""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from interp.corpus.sums import Totals

_NAMES = ("xx", "xd", "x", "d", "dd")


def no_moments(cells: tuple[int, ...], width: int) -> Totals:
    """Moments of nothing yet, one set a cell: Σxxᵀ, Σxdᵀ (`width` × `width`), Σx, Σd and Σd²."""
    shapes = {"xx": (width, width), "xd": (width, width), "x": (width,), "d": (width,), "dd": (width,)}
    return {name: np.zeros((*cells, *shape)) for name, shape in shapes.items()}


def add_moments(
    totals: Totals, cell: int | tuple[int, ...], x: Float[Tensor, "token d_in"], d: Float[Tensor, "token d_out"]
) -> None:
    """Count tokens in at one cell, in float64."""
    x, d = x.double(), d.double()
    for name, value in zip(_NAMES, (x.T @ x, x.T @ d, x.sum(0), d.sum(0), d.square().sum(0)), strict=True):
        totals[name][cell] += value.cpu().numpy()


def moments_at(totals: Totals, cell: int | tuple[int, ...]) -> Totals:
    """The moments of one cell."""
    return {name: totals[name][cell] for name in _NAMES}


def among(sums: Totals, dimensions: np.ndarray) -> Totals:
    """The moments of some dimensions of x and d alone."""
    square = np.ix_(dimensions, dimensions)
    return {name: value[square if value.ndim == 2 else dimensions] for name, value in sums.items()}


def affine_map(sums: Totals, tokens: int) -> tuple[Float[np.ndarray, "d_in d_out"], Float[np.ndarray, "width"]]:
    """Matrix and shift of the map x ↦ xA + b that is nearest to d, of all such the one with the smallest A."""
    mean_x, mean_d, xx, xd = _centred(sums, tokens)
    matrix = smallest_solution(xx, xd, np.trace(sums["xx"]))
    return matrix, mean_d - mean_x @ matrix


def smallest_solution(
    xx: Float[np.ndarray, "d_in d_in"], xd: Float[np.ndarray, "d_in d_out"], size: float
) -> Float[np.ndarray, "d_in d_out"]:
    """A in xx A = xd, without directions of x that hold less than the rounding error of sums of this `size`."""
    values, vectors = _significant(xx, size)
    return vectors @ ((vectors.T @ xd) / values[:, None])


def linearities(sums: Totals, tokens: int) -> tuple[float, float]:
    """Share of the variance that the best affine map explains: of x + d, and of d; NaN of what does not vary.

    What x leaves unexplained of x + d it leaves unexplained of d, which is much smaller than x + d: fitting d loses no
    digits.
    """
    _, mean_d, xx, xd = _centred(sums, tokens)
    update = sums["dd"].sum() - tokens * mean_d @ mean_d
    values, vectors = _significant(xx, np.trace(sums["xx"]))
    fit = ((vectors.T @ xd) ** 2).sum(1) @ (1 / values)
    residual = max(float(update - fit), 0.0)
    out = np.trace(xx) + 2 * np.trace(xd) + update
    with np.errstate(divide="ignore", invalid="ignore"):  # a stream that does not vary has no score
        whole, own = 1 - np.divide(residual, [out, update])
    return float(whole), float(own)


def applied(
    matrix: Float[np.ndarray, "d_in d_out"], shift: Float[np.ndarray, "width"], x: Float[Tensor, "... d_in"]
) -> Float[Tensor, "... d_out"]:
    """xA + b in float64, returned in the precision of x."""
    wide = x.double() @ torch.from_numpy(matrix).to(x.device) + torch.from_numpy(shift).to(x.device)
    return wide.to(x.dtype)


def _centred(sums: Totals, tokens: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    mean_x, mean_d = sums["x"] / tokens, sums["d"] / tokens
    xx = sums["xx"] - tokens * np.outer(mean_x, mean_x)
    return mean_x, mean_d, xx, sums["xd"] - tokens * np.outer(mean_x, mean_d)


def _significant(xx: np.ndarray, size: float) -> tuple[np.ndarray, np.ndarray]:
    """Eigenvalues and eigenvectors above rounding."""
    values, vectors = np.linalg.eigh(xx)
    there = values > len(values) * np.finfo(float).eps * size
    return values[there], vectors[:, there]

"""What the position and context parts of a stream are like: ranks, norms, smoothness and angles, in float64."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy.fft import dctn
from scipy.linalg import eigh
from screenot.ScreeNOT import computeOptThreshold, createPseudoNoise
from torch import Tensor

LOW = 10  # frequencies along each axis of the Gram matrix that count as low
SIGNALS = 20  # ScreeNOT: as many singular values, at most, may be signal


def stable_rank(singular: Float[Tensor, "rank"]) -> float:
    """Σσ² / σ₁²."""
    return float(singular.square().sum() / singular[0] ** 2)


def screenot_rank(singular: Float[Tensor, "rank"], shape: Sequence[int]) -> float:
    """How many singular values stand out of noise of unknown correlation; NaN where there are too few to tell.

    Source: Donoho, Gavish & Romanov 2020, "ScreeNOT", with noise imputed above the first 20 values as Song & Zhong do.
    """
    signals = min(SIGNALS, (len(singular) - 2) // 2)
    if signals < 1 or not singular[0] > 0:
        return float("nan")
    values = (singular * (1000 / singular[0])).numpy()  # the search for the threshold ends at an absolute width
    threshold = computeOptThreshold(createPseudoNoise(values, signals), min(shape) / max(shape))
    return float((values > threshold).sum())


def spectral_norm(moment: Float[Tensor, "d_model other"]) -> float:
    """‖M‖₂ from MᵀM."""
    return float(torch.linalg.eigvalsh(moment)[-1].clamp(min=0).sqrt())


def cosines(rows: Float[Tensor, "*rows d_model"], others: Float[Tensor, "other d_model"]) -> Tensor:
    """Cosine of every row with every other; NaN where one is zero."""
    return _units(rows) @ _units(others).T


def low_frequency_share(gram: Float[Tensor, "pos other_pos"]) -> float:
    """Share of the energy of a matrix' 2-D cosine transform (type II) below the cut-off on both axes."""
    energy = np.square(np.asarray(dctn(gram.numpy(), norm="ortho")))
    limit = low_frequencies(len(gram))
    return float(energy[:limit, :limit].sum() / energy.sum())


def low_frequencies(positions: int) -> int:
    """The cut-off: the ten lowest frequencies, of fewer than a hundred positions a tenth."""
    return min(LOW, max(1, positions // 10))


def similarities(contexts: Float[Tensor, "window d_model"], topics: Int[np.ndarray, "window"]) -> tuple[float, float]:
    """Mean |cosine| of two windows of one topic, and of two topics; NaN where there are no such two."""
    pairs = torch.ones(len(contexts), len(contexts)).triu(1).bool()
    alike = torch.from_numpy(topics[:, None] == topics) & pairs
    sizes = cosines(contexts, contexts).abs()
    return float(sizes[alike].mean()), float(sizes[pairs & ~alike].mean())


def principal(values: Float[Tensor, "rows d_model"]) -> Float[Tensor, "rows direction"]:
    """Rows on their first three principal directions.

    A direction's sign is that of its largest number, positive; with fewer than three rows the rest is zero.
    """
    last = len(values) - 1  # from the products of rows: three directions take a fraction of the whole decomposition
    energies, bases = map(torch.from_numpy, eigh((values @ values.T).numpy(), subset_by_index=[max(0, last - 2), last]))
    directions = bases.T @ values
    largest = directions.gather(1, directions.abs().argmax(1, keepdim=True))[:, 0]
    points = (bases * energies.clamp(min=0).sqrt() * largest.sign()).flip(1)
    return torch.nn.functional.pad(points, (0, 3 - points.shape[1]))


def evenly(count: int, most: int) -> Int[np.ndarray, "chosen"]:
    """At most so many of `count` places, evenly spaced."""
    return np.linspace(0, count - 1, min(count, most)).round().astype(int)


def codes(names: Sequence[str]) -> Int[np.ndarray, "name"]:
    """A number for each, the same for the same name."""
    return np.unique(np.asarray(names, dtype=object).astype(str), return_inverse=True)[1]


def _units(rows: Tensor) -> Tensor:
    return rows / torch.linalg.vector_norm(rows, dim=-1, keepdim=True)

"""What is strongest, and the similarity of rankings."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy import stats
from torch import Tensor


class Strongest(NamedTuple):
    """The strongest values of each row, and where they stand."""

    values: Float[Tensor, "*rows rank"]
    indices: Int[Tensor, "*rows rank"]


def strongest(values: Float[Tensor, "*rows column"], count: int, *, largest: bool = True) -> Strongest:
    """The `count` largest (or smallest) of each row, strongest first; all if there are fewer. Equals come by index.

    As a stable sort gives them, at the cost of `topk`, which leaves the order of equals open.
    """
    best = values.topk(min(count, values.shape[-1]), dim=-1, largest=largest)
    places = best.indices.sort(dim=-1).values
    there = values.gather(-1, places).sort(dim=-1, descending=largest, stable=True)
    indices = places.gather(-1, there.indices)
    last = there.values[..., -1:]
    is_split = (values == last).sum(-1) > (there.values == last).sum(-1)  # of the last ones' equals some were left out
    if is_split.any():
        order = values[is_split].sort(dim=-1, descending=largest, stable=True)
        indices[is_split] = order.indices[..., : indices.shape[-1]]
    return Strongest(there.values, indices)


def rank_correlation(values: Float[np.ndarray, "row column"]) -> Float[np.ndarray, "row row"]:
    """Spearman's correlation of every two rows: Pearson's, of their ranks; NaN where a row has one value only."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.atleast_2d(np.corrcoef(stats.rankdata(values, axis=1)))


class Detection(NamedTuple):
    """How well a ranking tells the true ones from the others, each number from 0 to 1."""

    auc: float
    average_precision: float
    precision: float


def detection(strength: Float[np.ndarray, "candidate"], truth: Bool[np.ndarray, "candidate"]) -> Detection:
    """ROC AUC, average precision, and precision among as many of the strongest as there are true ones.

    Where values are equal, each is its mean over all orders of the equals, so that the same everywhere scores what a
    random order does on average. NaN where all candidates are true, or none is.
    Source: McSherry & Najork 2008, "Computing Information Retrieval Performance Measures Efficiently in the Presence of
    Tied Scores"; the AUC is the Mann-Whitney statistic (Hanley & McNeil 1982).
    """
    count, true = len(truth), int(truth.sum())
    if true in (0, count):
        return Detection(np.nan, np.nan, np.nan)
    auc = (stats.rankdata(strength)[truth].sum() - true * (true + 1) / 2) / (true * (count - true))
    _, group = np.unique(-strength, return_inverse=True)
    sizes, hits = np.bincount(group), np.bincount(group, weights=truth)
    before, above = np.cumsum(sizes) - sizes, np.cumsum(hits) - hits
    total = 0.0
    for size, hit, place, earlier in zip(sizes, hits, before, above, strict=True):
        at = np.arange(size)
        total += (hit / size * (earlier + 1 + at * (hit - 1) / max(size - 1, 1)) / (place + 1 + at)).sum()
    top = np.clip(true - before, 0, sizes) * hits / sizes
    return Detection(float(auc), float(total / true), float(top.sum() / true))

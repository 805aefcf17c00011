"""What is strongest, and the similarity of rankings."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
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

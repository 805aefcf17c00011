"""Similarity of rankings."""

import numpy as np
from jaxtyping import Float
from scipy import stats


def rank_correlation(values: Float[np.ndarray, "row column"]) -> Float[np.ndarray, "row row"]:
    """Spearman's correlation of every two rows: Pearson's, of their ranks; NaN where a row has one value only."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.atleast_2d(np.corrcoef(stats.rankdata(values, axis=1)))

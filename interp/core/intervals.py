"""Bootstrap intervals over prompts."""

import numpy as np
from scipy import stats


def bootstrap_mean(
    values: np.ndarray, *, axis: int = 0, level: float = 0.95, resamples: int = 2000, seed: int = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean along `axis` with its percentile bootstrap interval: (mean, low, high).

    Each cell's sample is the prompts for which it has a value; NaN marks the others. Without any, all three are NaN;
    with one there is nothing to resample and both ends are NaN.
    Source: Efron & Tibshirani 1993, chapter 13.
    """
    values = np.moveaxis(np.asarray(values, dtype=float), axis, 0)
    columns = values.reshape(len(values), -1)
    found = np.full((3, columns.shape[1]), np.nan)
    # Cells that have the same prompts (usually all of them) are resampled together.
    presences, group = np.unique(~np.isnan(columns), axis=1, return_inverse=True)
    for index, present in enumerate(presences.T):
        cells = group == index
        found[:, cells] = _of_complete(columns[present][:, cells], level, resamples, seed)
    mean, low, high = found.reshape(3, *values.shape[1:])
    return mean, low, high


def _of_complete(values: np.ndarray, level: float, resamples: int, seed: int) -> np.ndarray:
    """Mean, low and high of every column; no value is NaN."""
    found = np.full((3, values.shape[1]), np.nan)
    if len(values):
        found[0] = values.mean(0)
    if len(values) > 1:
        interval = stats.bootstrap(
            (values,),
            np.mean,
            axis=0,
            confidence_level=level,
            n_resamples=resamples,
            method="percentile",
            batch=100,
            vectorized=True,
            rng=np.random.default_rng(seed),
        ).confidence_interval
        found[1:] = interval.low, interval.high
    return found

"""Bootstrap intervals over prompts."""

import numpy as np
from scipy import stats


def bootstrap_mean(
    values: np.ndarray, *, axis: int = 0, level: float = 0.95, resamples: int = 2000, seed: int = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean along `axis` with its percentile bootstrap interval: (mean, low, high).

    With a single value there is nothing to resample and both ends are NaN.
    Source: Efron & Tibshirani 1993, chapter 13.
    """
    values = np.asarray(values, dtype=float)
    mean = values.mean(axis)
    if values.shape[axis] < 2:
        return mean, np.full_like(mean, np.nan), np.full_like(mean, np.nan)
    found = stats.bootstrap(
        (values,),
        np.mean,
        axis=axis,
        confidence_level=level,
        n_resamples=resamples,
        method="percentile",
        batch=100,
        vectorized=True,
        rng=np.random.default_rng(seed),
    )
    return mean, found.confidence_interval.low, found.confidence_interval.high

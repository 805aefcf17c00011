"""Bootstrap intervals over prompts."""

import numpy as np
from jaxtyping import Float

CELLS = 2**22  # resampled means held at a time


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
    if not np.isnan(columns).any():
        mean, low, high = _of_complete(columns, level, resamples, seed).reshape(3, *values.shape[1:])
        return mean, low, high
    intervals = np.full((3, columns.shape[1]), np.nan)
    # Cells that have the same prompts (usually all of them) are resampled together.
    presences, group = np.unique(~np.isnan(columns), axis=1, return_inverse=True)
    for index, present in enumerate(presences.T):
        cells = group == index
        intervals[:, cells] = _of_complete(columns[present][:, cells], level, resamples, seed)
    mean, low, high = intervals.reshape(3, *values.shape[1:])
    return mean, low, high


def with_interval(name: str, values: np.ndarray) -> dict[str, np.ndarray]:
    """The mean over the first axis under `name`, and its interval as a kind declares it: the last axis is `bound`."""
    mean, low, high = bootstrap_mean(values)
    return {name: mean, f"{name}_interval": np.stack([low, high], -1)}


def bootstrap_ratio(
    sums: Float[np.ndarray, "window *cell"], counts: Float[np.ndarray, "window"], *, seed: int = 0
) -> tuple[np.ndarray, Float[np.ndarray, "*cell bound"]]:
    """Σ sums / Σ counts over windows (a mean per token), with its percentile bootstrap interval over windows.

    Windows that count nothing are left out; a single window has no interval: NaN.
    """
    there = counts > 0
    sums, counts = sums[there], counts[there]
    ratio = sums.sum(0) / counts.sum()
    if len(counts) < 2:
        return ratio, np.full((*ratio.shape, 2), np.nan)
    weights = resampling_weights(len(counts), seed=seed)
    means = (weights @ sums.reshape(len(sums), -1)) / (weights @ counts)[:, None]
    low, high = percentile_interval(means.T)
    return ratio, np.stack([low, high], -1).reshape(*ratio.shape, 2)


def resampling_weights(count: int, *, resamples: int = 2000, seed: int = 0) -> Float[np.ndarray, "resample prompt"]:
    """How much each prompt counts in each resample: `weights @ values` are the resampled means of `values`."""
    counts = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), size=resamples)
    return counts / count


def percentile_interval(
    samples: Float[np.ndarray, "*cell resample"], *, level: float = 0.95
) -> tuple[np.ndarray, np.ndarray]:
    """The middle `level` of a statistic's resampled values, between neighbours by straight lines: (low, high)."""
    in_order = np.sort(samples, axis=-1)  # faster than the partition that numpy's quantile makes

    def at(share: float) -> np.ndarray:
        whole, rest = divmod(share * (in_order.shape[-1] - 1), 1)
        below, above = in_order[..., int(whole)], in_order[..., min(int(whole) + 1, in_order.shape[-1] - 1)]
        return below + rest * (above - below)

    return at((1 - level) / 2), at((1 + level) / 2)


def _of_complete(values: np.ndarray, level: float, resamples: int, seed: int) -> np.ndarray:
    """Mean, low and high of every column; no value is NaN."""
    intervals = np.full((3, values.shape[1]), np.nan)
    if len(values):
        intervals[0] = values.mean(0)
    if len(values) > 1:
        weights = resampling_weights(len(values), resamples=resamples, seed=seed)
        step = max(1, CELLS // resamples)
        for first in range(0, values.shape[1], step):
            some = slice(first, first + step)
            intervals[1:, some] = percentile_interval(values[:, some].T @ weights.T, level=level)
    return intervals

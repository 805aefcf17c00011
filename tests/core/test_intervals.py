"""Bootstrap intervals, against the definition."""

import math
from random import Random

import numpy as np
import pytest

from interp.core.intervals import bootstrap_mean


def definition(sample, level=0.95, resamples=10000, seed=1):
    """Draw as many values as there are, with replacement, many times; the interval holds the middle of the means."""
    sample, random = [value for value in sample if not math.isnan(value)], Random(seed)
    means = sorted(sum(random.choices(sample, k=len(sample))) / len(sample) for _ in range(resamples))
    cut = (1 - level) / 2
    return sum(sample) / len(sample), means[int(cut * resamples)], means[int((1 - cut) * resamples)]


@pytest.mark.parametrize("level", [0.95, 0.5])
def test_agrees_with_the_definition(level):
    """Cells with the same prompts, with fewer, and with others; ends to a seventh of the standard error."""
    values = np.random.default_rng(0).gamma(2.0, size=(30, 2, 3))
    values[:10, 0, 1] = np.nan
    values[::2, 1, 2] = np.nan
    values[::2, 1, 1] = np.nan
    mean, low, high = bootstrap_mean(values, level=level, resamples=10000)
    assert mean.shape == low.shape == high.shape == (2, 3)
    for cell in np.ndindex(2, 3):
        sample = values[(slice(None), *cell)].tolist()
        expected = definition(sample, level)
        error = np.nanstd(sample) / np.sqrt(np.isfinite(sample).sum())
        assert mean[cell] == pytest.approx(expected[0])
        assert [low[cell], high[cell]] == pytest.approx(expected[1:], abs=0.15 * error)


def test_every_cell_stands_alone():
    """A cell's numbers do not depend on which cells stand beside it."""
    values = np.random.default_rng(1).normal(size=(7, 4))
    values[2, 1] = values[5, 3] = values[2, 2] = np.nan
    together = np.array(bootstrap_mean(values))
    alone = np.stack([np.array(bootstrap_mean(values[:, cell])) for cell in range(4)], axis=-1)
    np.testing.assert_allclose(together, alone, rtol=1e-12)
    present = ~np.isnan(values[:, 1])
    np.testing.assert_allclose(together[:, 1], np.array(bootstrap_mean(values[present, 1])), rtol=1e-12)


def test_along_any_axis():
    values = np.random.default_rng(2).normal(size=(3, 8, 2))
    for found, expected in zip(bootstrap_mean(values, axis=1), bootstrap_mean(values.swapaxes(0, 1)), strict=True):
        assert found.shape == (3, 2)
        np.testing.assert_array_equal(found, expected)


def test_few_values():
    nan = math.nan
    values = np.array([[1.0, nan, 4.0, 2.0], [nan, nan, 4.0, 3.0], [nan, nan, 4.0, nan]])
    mean, low, high = bootstrap_mean(values)
    np.testing.assert_array_equal(mean, [1.0, nan, 4.0, 2.5])
    np.testing.assert_array_equal(low, [nan, nan, 4.0, 2.0])
    np.testing.assert_array_equal(high, [nan, nan, 4.0, 3.0])
    for found in bootstrap_mean(values[:1])[1:]:
        assert np.isnan(found).all()


def test_one_number_a_prompt():
    mean, low, high = bootstrap_mean(np.array([True, True, False, True]))
    assert mean == 0.75
    assert mean.shape == low.shape == high.shape == ()
    assert 0 <= low <= mean <= high <= 1


def test_the_same_seed_gives_the_same_interval():
    values = np.random.default_rng(3).normal(size=9)
    assert bootstrap_mean(values) == bootstrap_mean(values)
    assert bootstrap_mean(values, seed=1)[1] != bootstrap_mean(values)[1]

"""Erasure against its definition, with matrix roots and pseudoinverses in float64."""

import numpy as np
import pytest
from scipy.linalg import sqrtm

from interp.probing.erasing import addition, leace, one_hot, projection


def planted(seed=0, items=200, width=12, classes=3):
    """States of unequal spread, correlated dimensions, and class means that differ; one dimension never varies."""
    random = np.random.default_rng(seed)
    codes = random.integers(0, classes, items)
    states = random.normal(size=(items, width)) * np.logspace(-2, 2, width) @ random.normal(size=(width, width))
    states += one_hot(codes) @ random.normal(size=(classes, width)) * 5 + 100
    return np.column_stack([states, np.full(items, 7.0)]), codes


def slow_leace(states, codes):
    """x − W⁺ΠW(x − μ), as it is written."""
    mean = states.mean(0)
    x, z = states - mean, one_hot(codes) - one_hot(codes).mean(0)
    sigma = x.T @ x / len(x)
    w = np.linalg.inv(np.real(sqrtm(sigma)))
    columns = w @ (x.T @ z / len(x))
    project = columns @ np.linalg.pinv(columns, rcond=1e-6)
    return np.array([row - np.linalg.inv(w) @ project @ w @ (row - mean) for row in states])


@pytest.mark.parametrize("classes", [2, 3])
def test_leace_is_its_definition(classes):
    states, codes = planted(classes=classes)
    states = states[:, :-1]
    np.testing.assert_allclose(leace(states, codes)(states), slow_leace(states, codes), atol=1e-6)


@pytest.mark.parametrize("items", [200, 9])
def test_no_linear_probe_beats_the_mean_after_leace(items):
    """The cross-covariance is zero, so that least squares finds nothing; also with fewer items than dimensions."""
    states, codes = planted(items=items)
    eraser = leace(states, codes)
    erased, z = eraser(states), one_hot(codes) - one_hot(codes).mean(0)
    x, before = erased - erased.mean(0), states - states.mean(0)
    assert np.abs(x.T @ z).max() < 1e-9 * np.abs(before.T @ z).max()
    np.testing.assert_allclose(erased.mean(0), states.mean(0))
    np.testing.assert_allclose(eraser(erased), erased, atol=1e-8)
    np.testing.assert_allclose(erased[:, -1], 7)


def test_leace_changes_less_than_projection_in_its_own_norm():
    """In the norm that the states' covariance gives, no erasure is nearer: projection is one."""
    states, codes = planted(width=6)
    states = states[:, :-1]
    whiten = np.linalg.inv(np.linalg.cholesky(np.cov(states.T)))
    nearest, other = (
        np.square((erase(states, codes)(states) - states) @ whiten.T).sum() for erase in (leace, projection)
    )
    assert nearest < other


def test_projection_and_addition_on_class_means():
    states, codes = planted()
    erased = projection(states, codes)(states)
    for code in range(3):
        np.testing.assert_allclose(erased[codes == code].mean(0), states.mean(0), atol=1e-9)
    moved = addition(states, codes)(states)
    np.testing.assert_allclose(moved[codes == 0].mean(0), states[codes == 2].mean(0))

"""Scores of planted latents, and every score from its definition."""

import numpy as np
import pytest
from sklearn.metrics import mutual_info_score

from interp.corpus import disentangling
from interp.corpus.disentangling import Factor, along, modularity, scored


def planted(items=4000, turned=False):
    """Two factors in two latents, each its own or both at 45°, with a little noise; and a latent of noise."""
    random = np.random.default_rng(0)
    codes = random.permutation(np.array([(0, 0), (0, 1), (1, 0), (1, 1)] * (items // 4)))
    values = codes - 0.5 + 1e-3 * random.normal(size=codes.shape)
    if turned:
        values = values @ np.array([[1, 1], [-1, 1]]) / np.sqrt(2)
    values = np.column_stack([values, random.normal(size=items)])
    factors = [Factor(name, each) for name, each in zip("ab", codes.T, strict=True)]
    return values, factors, np.arange(items) // 40


def test_aligned_factors_score_one_and_turned_ones_nothing():
    aligned = scored(*planted(), bins=8, draws=20, seed=0)
    np.testing.assert_allclose(aligned["mig"], 1, atol=0.01)
    np.testing.assert_allclose(aligned["sap"], 0.5, atol=0.05)
    np.testing.assert_allclose(aligned["modularity"][:2], 1, atol=1e-3)
    assert list(aligned["best"]) == [0, 1]
    assert (aligned["mig_null"] < 0.01).all()
    turned = scored(*planted(turned=True), bins=8, draws=20, seed=0)
    assert (turned["mig"] < 0.02).all()
    assert (turned["modularity"][:2] < 0.05).all()
    assert (aligned["mig_interval"][:, 0] > turned["mig_interval"][:, 1]).all()


def test_scores_are_their_definitions():
    """Mutual information by scikit-learn, latent by latent; accuracies bin by bin."""
    values, factors, groups = planted(items=300)
    values = values + 0.5 * np.random.default_rng(1).normal(size=values.shape)
    found = scored(values, factors, groups, bins=5, draws=3, seed=0)
    for at, factor in enumerate(factors):
        shared, right = [], []
        for column in values.T:
            number = np.searchsorted(np.quantile(column, [0.2, 0.4, 0.6, 0.8]), column)
            shared.append(mutual_info_score(number, factor.codes))
            share = np.array([[np.mean(number[factor.codes == code] == each) for code in (0, 1)] for each in range(5)])
            right.append(share.max(1).sum() / 2)
        np.testing.assert_allclose(found["mutual_information"][at], shared, atol=1e-12)
        top, second = np.sort(shared)[::-1][:2]
        odds = np.bincount(factor.codes) / 300
        assert found["mig"][at] == pytest.approx((top - second) / -np.sum(odds * np.log(odds)))
        assert found["sap"][at] == pytest.approx(np.subtract(*np.sort(right)[::-1][:2]))


def test_modularity_by_hand():
    shared = np.array([[2.0, 1.0, 0.0], [0.0, 1.0, 0.0], [1.0, 1.0, 0.0]])
    np.testing.assert_allclose(modularity(shared), [1 - 1 / (4 * 2), 0, np.nan])
    assert np.isnan(modularity(shared[:1])).all()


def test_smoothness_and_monotonicity_by_hand():
    assert along(np.array([0.0, 0.25, 0.5, 0.75])) == (1, 1)
    smooth, monotone = along(np.array([0.0, 1.0, 0.0, 1.0, 1.0]))
    # steps 1, −1, 1, 0; bends 2, 2, 1; Lehmer mean 9 / 5 over a range of 2
    assert smooth == pytest.approx(1 - 9 / 5 / 2)
    assert monotone == pytest.approx(1 / 3)
    assert np.isnan(along(np.zeros(4))[1])


def test_a_feature_that_is_rarely_active_tells_a_rare_factor():
    """Of a latent that is zero nearly everywhere the bins are two: zero, and not."""
    random = np.random.default_rng(0)
    rare = (random.random(2000) < 0.05).astype(int)
    latents = np.column_stack([rare * random.random(2000), np.zeros(2000), (random.random(2000) < 0.05) * 1.0])
    scores = scored(latents, [Factor("rare", rare)], np.arange(2000) // 20, bins=8, draws=20, seed=0)
    assert scores["mig"][0] == pytest.approx(1, abs=0.01)
    assert scores["best"][0] == 0
    assert scores["mutual_information"][0, 1] == 0
    assert scores["sap"][0] == pytest.approx(0.5, abs=0.03)


def test_latents_are_scored_in_parts(monkeypatch):
    """As many at once as there is room for, with the same scores."""
    whole = scored(*planted(items=200), bins=4, draws=5, seed=1)
    monkeypatch.setattr(disentangling, "CELLS", 1)
    parts = scored(*planted(items=200), bins=4, draws=5, seed=1)
    for name, values in whole.items():
        np.testing.assert_array_equal(values, parts[name])

"""Splits, accuracies, intervals and codelengths, written out."""

from itertools import pairwise

import numpy as np
import pytest
from scipy.optimize import minimize
from sklearn.metrics import balanced_accuracy_score

from interp.core.intervals import percentile_interval, resampling_weights
from interp.probing.columns import labels_by_type, shuffled_labels
from interp.probing.fitting import Split, codelength, fit


def planted(seed=0, items=120, width=5, groups=17, strength=2.0):
    random = np.random.default_rng(seed)
    codes = random.integers(0, 2, items)
    states = random.normal(size=(items, width))
    states[:, 1] += strength * codes
    return states, codes, [f"g{each}" for each in random.integers(0, groups, items)]


def slow_logistic(states, codes, penalty, new):
    """The minimum of Σ w log(1 + e^{−ym}) + penalty ‖b‖² / 2 on standardised states, classes weighted equally."""
    centre, spread = states.mean(0), states.std(0)
    x, y = (states - centre) / spread, 2 * codes - 1
    weight = np.where(codes == 1, 1 / (codes == 1).mean(), 1 / (codes == 0).mean()) / 2

    def loss(b):
        return np.sum(weight * np.log1p(np.exp(-y * (x @ b[1:] + b[0])))) + penalty * b[1:] @ b[1:] / 2

    best = minimize(loss, np.zeros(x.shape[1] + 1), method="BFGS", options={"gtol": 1e-8}).x
    return (new - centre) / spread @ best[1:] + best[0]


def test_the_linear_probe_is_the_ridge_logistic_one():
    states, codes, _ = planted()
    probe = fit("linear", states, codes, 10.0)
    np.testing.assert_allclose(probe.decision_function(states), slow_logistic(states, codes, 10.0, states), atol=2e-3)


def test_the_mean_difference_splits_halfway_between_the_means():
    states, codes, _ = planted()
    one, other = states[codes == 0].mean(0), states[codes == 1].mean(0)
    said = (states - (one + other) / 2) @ (other - one) > 0
    assert (fit("mean-difference", states, codes, 10.0).predict(states) == said).all()


def test_no_group_is_in_both_parts_and_every_item_is_tested_once():
    _, codes, groups = planted()
    split = Split.of(groups, codes, 5, 0)
    assert sorted(np.concatenate([test for _, test in split.folds])) == list(range(len(codes)))
    for train, test in split.folds:
        assert not {groups[at] for at in train} & {groups[at] for at in test}
    assert len(Split.of(["one"] * 4, np.array([0, 1, 0, 1]), 5, 0).folds) == 0
    assert len(Split.of(["a", "b"], np.array([0, 1]), 5, 0).folds) == 2


def test_accuracy_and_interval_item_by_item():
    """Every resample takes groups with replacement, and all their items with them."""
    states, codes, groups = planted(strength=1)
    split = Split.of(groups, codes, 4, 3)
    said = split.predictions("linear", states, codes, 10.0)
    judged = split.judged(said, codes)
    assert judged.accuracy == pytest.approx(balanced_accuracy_score(codes, said))
    names = sorted(set(groups))
    taken = np.round(resampling_weights(len(names), seed=3) * len(names)).astype(int)
    slow = []
    for times in taken[:200]:
        rows = [
            at
            for name, count in zip(names, times, strict=True)
            for at in np.flatnonzero(np.array(groups) == name)
            for _ in range(count)
        ]
        slow.append(balanced_accuracy_score(codes[rows], said[rows]))
    np.testing.assert_allclose(judged.samples[:200], slow)
    assert judged.interval == pytest.approx(tuple(float(end) for end in percentile_interval(judged.samples)))


def test_control_labels():
    """Shuffled within groups, or whole groups with each other; one label a type, both labels among them."""
    random = np.random.default_rng(0)
    _, codes, names = planted(items=60)
    groups = np.unique(names, return_inverse=True)[1]
    mixed = shuffled_labels(codes, groups, random)
    assert (mixed != codes).any()
    for group in range(groups.max() + 1):
        assert len(set(codes[groups == group])) == 1 or sorted(mixed[groups == group]) == sorted(codes[groups == group])
    whole = groups % 2
    moved = shuffled_labels(whole, groups, random)
    assert all(len(set(moved[groups == group])) == 1 for group in range(groups.max() + 1))
    assert (moved != whole).any()
    types = random.integers(0, 9, 60)
    control = labels_by_type(types, codes, random)
    assert all(len(set(control[types == each])) == 1 for each in range(9))
    assert set(control) == {0, 1}
    assert set(labels_by_type(codes + 5, codes, random)) == {0}  # the labels themselves, or exchanged


def test_codelength_portion_by_portion():
    states, codes, _ = planted(items=60, groups=60)
    groups = np.arange(60)
    order = np.argsort(np.random.default_rng(5).permutation(60))
    x, y = states[order], codes[order]
    ends = [1, 2, 4, 8, 15, 30, 60]  # a share of 60 items, rounded up: 1/16 of them are 3.75
    bits = float(ends[0])
    for seen, end in pairwise(ends):
        one = np.full(end - seen, 0.5)
        if len(set(y[:seen])) == 2:
            likely = 1 / (1 + np.exp(-fit("linear", x[:seen], y[:seen], 10.0).decision_function(x[seen:end])))
            one = 0.999 * likely + 0.0005
        bits -= np.log2(np.where(y[seen:end] == 1, one, 1 - one)).sum()
    assert codelength(states, codes, groups, 10.0, 5) == pytest.approx(bits / 60)


def test_codelength_of_noise_is_a_bit_and_of_a_rule_little():
    states, codes, _ = planted(items=2000, strength=30)
    groups = np.arange(2000)
    assert codelength(states, codes, groups, 1.0, 0) < 0.1
    noise = np.random.default_rng(1).integers(0, 2, 2000)
    assert codelength(states, noise, groups, 100.0, 0) == pytest.approx(1, abs=0.05)

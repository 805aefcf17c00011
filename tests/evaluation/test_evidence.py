"""Scores on known evidence: by hand, and where values tie by going through every order."""

from itertools import pairwise, permutations

import numpy as np
import pytest

from interp.evaluation import evidence_scores


def scores(relevance, evidence, k=3):
    return evidence_scores(np.array(relevance, dtype=float), np.array(evidence, dtype=bool), k=k)


def by_definition(relevance, evidence, k):
    """The mean over all orders of the tokens that sort them by relevance, one order at a time."""
    found = []
    for order in permutations(range(len(relevance))):
        if all(relevance[a] >= relevance[b] for a, b in pairwise(order)):
            rank = next(place for place, token in enumerate(order, start=1) if evidence[token])
            found.append((1 / rank, rank == 1, rank <= k))
    return dict(zip(("mrr", "pointing", "pointing_k"), np.mean(found, axis=0), strict=True))


def test_all_on_the_evidence():
    assert set(scores([0, 2, 3, 0], [0, 1, 1, 0]).values()) == {1.0}


def test_by_hand():
    """The evidence ranks third and holds 1 of 10; what is negative is left out of the mass."""
    found = scores([4, 1, -5, 5, 0.0], [0, 1, 1, 0, 0], k=2)
    assert found == {"mrr": 1 / 3, "rma": 0.1, "pointing": 0, "pointing_k": 0}
    assert scores([4, 1, -5, 5, 0.0], [0, 1, 1, 0, 0], k=3)["pointing_k"] == 1


def test_no_support_for_the_answer_is_none_on_the_evidence():
    assert scores([-1, -2, -3], [1, 0, 0]) == {"mrr": 1, "rma": 0, "pointing": 1, "pointing_k": 1}


@pytest.mark.parametrize("seed", range(12))
def test_ties_in_expectation(seed):
    random = np.random.default_rng(seed)
    relevance = random.integers(0, 3, 6).astype(float)
    evidence = random.permutation([1, 1, 0, 0, 0, seed % 2]).astype(bool)
    k = 1 + seed % 4
    found = scores(relevance, evidence, k)
    for name, value in by_definition(relevance, evidence, k).items():
        assert found[name] == pytest.approx(value, abs=1e-12)


def test_equal_relevance_scores_as_random_relevance_does():
    """The `random` baseline is exact: the mean over many draws of uniform relevance comes to it."""
    random, evidence = np.random.default_rng(0), np.array([0, 1, 0, 0, 1, 0, 0], dtype=bool)
    expected = scores(np.ones(7), evidence)
    draws = [evidence_scores(random.uniform(size=7), evidence) for _ in range(20_000)]
    for name, value in expected.items():
        assert np.mean([draw[name] for draw in draws]) == pytest.approx(value, abs=0.01)
    assert expected["rma"] == pytest.approx(2 / 7)
    assert expected["pointing"] == pytest.approx(2 / 7)

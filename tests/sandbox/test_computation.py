"""Computation graphs: arithmetic is right, errors are told apart, and information gains are those of counting."""

from itertools import product

import numpy as np
import pytest
from numpy.testing import assert_allclose

from interp.core.errors import ResultError
from interp.sandbox.computation import (
    BOTH,
    CORRECT,
    LOCAL,
    PROPAGATED,
    RESTORED,
    addition,
    computation_errors,
    information_gain,
    multiplication,
)


def of_sum(a, b):
    return {"a0": a % 10, "a1": a // 10, "b0": b % 10, "b1": b // 10}


def test_graphs_add_and_multiply():
    for a, b in product(range(0, 100, 7), range(0, 100, 3)):
        values = addition(2).evaluate(of_sum(a, b))
        assert sum(values[f"sum{at}"] * 10**at for at in range(3)) == a + b
        values = multiplication(2).evaluate({"a0": a % 10, "a1": a // 10, "b": b % 10})
        assert sum(values[f"digit{at}"] * 10**at for at in range(3)) == a * (b % 10)


def test_types_of_errors():
    """47 + 85 = 132, with one step wrong at a time, and one made good again."""
    graph, inputs = addition(2), of_sum(47, 85)
    true = graph.evaluate(inputs)
    assert set(graph.errors(inputs, true).values()) == {CORRECT}
    lost = graph.errors(inputs, true | {"carry0": 0, "sum1": 2})  # the carry is lost, and 4 + 8 = 12 follows
    assert (lost["carry0"], lost["sum1"], lost["carry1"], lost["sum2"]) == (LOCAL, PROPAGATED, RESTORED, RESTORED)
    assert graph.errors(inputs, true | {"carry0": 0})["sum1"] == RESTORED
    assert graph.errors(inputs, true | {"carry0": 0, "sum1": 9})["sum1"] == BOTH
    assert graph.errors(inputs, true | {"sum0": 9}) == dict.fromkeys(true.keys() - inputs.keys(), CORRECT) | {
        "sum0": LOCAL
    }
    assert graph.depths == {
        "a0": 0,
        "b0": 0,
        "a1": 0,
        "b1": 0,
        "sum0": 1,
        "carry0": 1,
        "sum1": 2,
        "carry1": 2,
        "sum2": 3,
    }


def test_shares_by_depth():
    graph, inputs = addition(2), of_sum(47, 85)
    true = graph.evaluate(inputs)
    items = [(inputs, true), (inputs, true | {"carry0": 0, "sum1": 2})]
    data = computation_errors(graph, items).data
    assert_allclose(data["nodes"], [4, 4, 2])
    assert_allclose(data["share"].sel(predicate=LOCAL), [0.25, 0, 0])
    assert_allclose(data["share"].sel(predicate=RESTORED), [0, 0.25, 0.5])
    assert_allclose(data["share"].sum("predicate"), 1)
    with pytest.raises(ResultError, match="at least one"):
        computation_errors(graph, [])


def test_information_gain_of_all_sums():
    """All pairs of two digits: one alone tells nothing of the last digit, both everything; the carry by hand."""
    a, b = (np.array(each) for each in zip(*product(range(10), repeat=2), strict=True))
    inputs = {"a": a, "a, b": np.stack([a, b], -1)}
    data = information_gain(inputs, {"digit": (a + b) % 10, "carry": (a + b) // 10, "nothing": 0 * a}).data["gain"]
    assert_allclose(data.sel(target="digit"), [0, 1], atol=1e-12)

    def entropy(p):
        return 0.0 if p in (0, 1) else -p * np.log(p) - (1 - p) * np.log(1 - p)

    expected = 1 - np.mean([entropy(x / 10) for x in range(10)]) / entropy(0.45)
    assert_allclose(data.sel(target="carry"), [expected, 1])
    assert data.sel(target="nothing").isnull().all()

"""Relevance in figures: the numbers of the result, an account that adds up, and methods side by side."""

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats

from interp import views
from interp.core.errors import OptionError, ResultError
from interp.core.intervals import bootstrap_mean
from interp.core.ranking import rank_correlation
from interp.views import compare_relevance, disagreement, head_grid

SHOWS = ("tokens", "ledger", "stream", "heads", "neurons", "experts", "router", "pairs")


def figure(result, **choice) -> Any:
    return views.figure(result, **choice)


def under(drawn) -> str:
    """The small print, its lines joined."""
    return " ".join(note.text for note in drawn.layout.annotations if note.name == "sign").replace("<br>", " ")


@pytest.mark.parametrize("prompt", [0, 1])
def test_tokens_are_the_result(relevance, prompt):
    result = relevance()
    length = (5, 4)[prompt]
    trace = figure(result, prompt=prompt).data[0]
    assert_array_equal(trace.y, result.data.relevance.values[prompt, :length])
    assert list(trace.x) == list(range(length))


@pytest.mark.parametrize("by", ["term", "layer"])
@pytest.mark.parametrize("prompt", [0, 1])
def test_the_waterfall_ends_at_the_target(relevance, prompt, by):
    """Entry by entry from the tokens, with nothing left out: the sums are those of the ledger's own rows."""
    result = relevance()
    drawn = figure(result, show="ledger", by=by, prompt=prompt)
    trace = drawn.data[0]
    names = drawn.layout.yaxis.ticktext
    assert np.sum(trace.x[:-1]) == pytest.approx(float(result.data.total[prompt]), abs=1e-12)
    assert trace.x[-1] == pytest.approx(float(result.data.total[prompt]))
    assert trace.measure == ("relative",) * (len(names) - 1) + ("total",)
    frame = result.to_frame("ledger").query(f"batch == {prompt}")
    rows = dict(zip(names, trace.x, strict=True))
    assert (names[0], *names[-2:]) == ("tokens", "remainder", "target")
    if by == "term":
        softmax = [row.ledger for row in frame.itertuples() if row.term == "softmax"]
        assert rows["softmax"] == pytest.approx(sum(softmax))
        assert names[1:4] == ("softmax", "&lt;b&gt;bias&lt;/b&gt;", "ε")
    else:
        assert names[1:4] == ("layer 0", "layer 1", "layer 2")
        assert rows["layer 1"] == pytest.approx(frame[frame["at"] == "layer 1"].ledger.sum())


def test_stream_and_pairs_are_the_result(relevance):
    result = relevance()
    assert_array_equal(figure(result, show="stream", prompt=1).data[0].z, result.data.stream.values[1][:, :4])
    pairs = result.data.pairs.values[1][..., :4, :4]
    assert_array_equal(figure(result, show="pairs", prompt=1, layer=2, head=3).data[0].z, pairs[2, 3])
    assert_array_equal(figure(result, show="pairs", prompt=1, layer=0).data[0].z, pairs[0].sum(0))
    assert_allclose(figure(result, show="pairs", prompt=1).data[0].z, pairs.sum((0, 1)), atol=1e-12)


def test_heads_are_summed_over_positions(relevance):
    result = relevance()
    sums = result.data["heads"].values.sum(-1)
    mean, low, high = bootstrap_mean(sums)
    trace = figure(result, show="heads").data[0]
    assert_allclose(trace.z, mean.T)
    assert_allclose(trace.customdata, np.stack([low.T, high.T], -1))
    assert trace.zmid == 0
    assert trace.zmin == -trace.zmax
    grid = head_grid(result, prompt=1)
    assert_allclose(grid.values, sums[1])
    assert grid.signed


def test_the_largest_neurons_are_named(relevance):
    result = relevance()
    values = result.data.neurons.values[1]
    drawn = figure(result, show="neurons", prompt=1, top=3)
    order = np.argsort(-np.abs(values).ravel())[:3]
    assert drawn.layout.yaxis.ticktext == tuple(f"{i // 11}.{i % 11}" for i in order)
    assert_array_equal(drawn.data[0].x, values.ravel()[order])


@pytest.mark.parametrize("show", SHOWS)
def test_every_figure_says_what_adds_up(relevance, show):
    result = relevance()
    data = result.data.isel(batch=1)
    said = under(figure(result, show=show, prompt=1))
    assert result.sign in said
    numbers = [float(x.replace("−", "-")) for x in re.findall(r"[+−][\d.e+−-]*\d", said.split("target")[-1])]
    total, tokens, absorbed, remainder = numbers[:4]
    assert total == pytest.approx(float(data.total), rel=5e-3)
    assert tokens == pytest.approx(float(data.relevance.sum()), rel=5e-3)
    assert tokens + absorbed + remainder == pytest.approx(total, abs=0.03)
    assert f"{float(data.first_token_share):.0%}" in said


def test_methods_are_compared_row_by_row(relevance):
    """Each row in parts of its own largest value, the hover with the numbers, the correlations those of scipy."""
    results = [relevance(seed) for seed in range(3)]
    drawn: Any = compare_relevance(results, prompt=1)
    rows, square = drawn.data
    values = np.stack([result.data.relevance.values[1, :4] for result in results])
    assert_allclose(rows.z, values / np.abs(values).max(1, keepdims=True))
    assert_array_equal(rows.customdata[..., 2].astype(float), values)
    for one in range(3):
        for other in range(3):
            rho: Any = stats.spearmanr(values[one], values[other])
            assert square.z[one][other] == pytest.approx(rho.statistic)
    assert drawn.layout.yaxis.ticktext == ("by-hand", "by-hand (2)", "by-hand (3)")
    for result in results:
        assert f"{float(result.data.first_token_share[1]):.0%}" in under(drawn)


def test_a_constant_row_has_no_rank():
    rho = rank_correlation(np.array([[1.0, 1.0, 1.0], [3.0, 1.0, 2.0], [6.0, 2.0, 4.0]]))
    assert np.isnan(rho[0]).all()
    assert rho[1, 2] == pytest.approx(1)


def test_only_results_of_the_same_prompts_are_compared(relevance):
    one = relevance()
    shorter = replace(one, data=one.data.isel(batch=[0]))
    with pytest.raises(ResultError, match="different prompts"):
        compare_relevance({"a": one, "b": shorter})
    with pytest.raises(ResultError, match="no method to show"):
        compare_relevance([])
    with pytest.raises(ResultError, match="at least two methods"):
        disagreement([one])
    (alone,) = compare_relevance([one]).data
    assert len(alone.z) == 1


def test_what_a_method_does_not_say_is_not_drawn(relevance):
    for show in ("stream", "heads", "neurons", "pairs"):
        with pytest.raises(ResultError, match=f"has no {show}; show one of tokens, ledger"):
            figure(relevance(latent=False), show=show)


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ({"show": "x"}, "show = 'x'; choose one of tokens, ledger"),
        ({"by": "layer"}, "show = 'tokens' has no choice 'by'"),
        ({"show": "ledger", "by": "x"}, "by = 'x'; choose one of term, layer"),
        ({"show": "neurons", "top": 0}, "top = 0; give a whole number"),
        ({"show": "pairs", "head": 9}, "no head 9 in this result; choose from 0 to 3"),
    ],
)
def test_a_wrong_choice_is_named(relevance, choice, message):
    with pytest.raises(OptionError, match=re.escape(message)):
        figure(relevance(), **choice)

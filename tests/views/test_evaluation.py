"""Evaluations in figures: the curves, the scores and the control of the result, with their intervals."""

import re
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from interp import groundtruth, views
from interp.core.errors import OptionError
from interp.core.intervals import bootstrap_mean


def figure(result, **choice) -> Any:
    return views.figure(result, **choice)


def test_one_methods_curves_stand_beside_the_random_band(sample):
    result = sample("Faithfulness")
    low, high, middle, most, least = figure(result, prompt=1, method="attnlrp").data
    data = result.data.isel(batch=1)
    assert_array_equal(low.y, data["random"].sel(bound="low"))
    assert_array_equal(high.y, data["random"].sel(bound="high"))
    assert_array_equal(middle.y, data.curve.values[-1, 0])
    assert_array_equal(most.y, data.curve.values[0, 0])
    assert_array_equal(least.y, data.curve.values[0, 1])
    assert_array_equal(most.x, data.fraction.values)


def test_several_prompts_are_averaged_with_their_interval(sample):
    result = sample("Faithfulness")
    low, high, middle, *methods = figure(result).data
    mean, lower, upper = bootstrap_mean(result.data.curve.values[:, -1, 0])
    for trace, expected in ((low, lower), (high, upper), (middle, mean)):
        assert_allclose(trace.y, expected)
    assert len(methods) == 2
    assert_allclose(methods[1].y, result.data.curve.values[:, 1, 0].mean(0))


@pytest.mark.parametrize("show", ["comprehensiveness", "sufficiency", "deletion_auc", "insertion_auc"])
def test_scores_stand_beside_the_control(sample, show):
    result = sample("Faithfulness")
    drawn = figure(result, show=show, prompt=0)
    at = list(result.data.score.values).index(show)
    assert_array_equal(drawn.data[0].x, result.data[show].values[0, :-1])
    band, line = drawn.layout.shapes
    assert [band.x0, band.x1] == result.data.control_interval.values[0, at].tolist()
    assert line.x0 == result.data.control.values[0, at]
    over = figure(result, show=show).data[0]
    mean, low, high = bootstrap_mean(result.data[show].values[:, :-1])
    assert_allclose(over.x, mean)
    assert_allclose(over.error_x.array, high - mean)
    assert_allclose(over.error_x.arrayminus, mean - low)


def test_agreement_is_the_result(sample):
    result = sample("Agreement")
    assert_array_equal(figure(result, prompt=1).data[0].z, result.data.rank_correlation.values[1])
    mean = bootstrap_mean(result.data.top_overlap.values)[0]
    trace = figure(result, show="top_overlap").data[0]
    assert_allclose(trace.z, mean)
    assert (trace.zmin, trace.zmax) == (0, 1)
    assert (figure(result).data[0].zmin, figure(result).data[0].zmid) == (-1, 0)


def test_evidence_scores_are_means_over_prompts(sample):
    result = sample("MethodScores")
    trace = figure(result, show="rma").data[0]
    mean, _, high = bootstrap_mean(result.data.rma.values)
    assert_allclose(trace.x, mean)
    assert_allclose(trace.error_x.array, high - mean)
    said = " ".join(note.text for note in figure(result).layout.annotations)
    assert "1 of 2 prompts" in said


def test_methods_are_drawn_best_first_with_their_intervals(sample):
    result = sample("Scorecard")
    trace, overall = figure(result, show="precision").data[0], result.data.overall_precision[:3]
    order = np.argsort(-overall.values)
    assert_allclose(trace.x, overall.values[order])
    assert_allclose(trace.error_x.arrayminus, 0.1 * overall.values[order], rtol=1e-5)
    assert [text.partition("<br>")[0] for text in trace.customdata] == list(overall["method"].values[order])
    of_model = figure(result, model="rasp/<i>hist</i>").data[0]
    assert "alert(1)" in of_model.customdata[-1]
    assert np.isnan(of_model.x[-1])


@pytest.mark.parametrize(
    ("kind", "choice", "message"),
    [
        ("Faithfulness", {"show": "x"}, "show = 'x'; choose one of curve"),
        ("Faithfulness", {"method": "random"}, "method = 'random'; choose one of attnlrp"),
        ("Agreement", {"show": "x"}, "show = 'x'; choose one of rank_correlation"),
        ("MethodScores", {"show": "x"}, "show = 'x'; choose one of mrr"),
        ("Scorecard", {"finds": "x"}, "finds = 'x'; choose one of edges, tokens"),
        ("Scorecard", {"model": "x"}, "model = 'x'; choose one of rasp/sort"),
    ],
)
def test_a_wrong_choice_is_named(sample, kind, choice, message):
    with pytest.raises(OptionError, match=re.escape(message)):
        figure(sample(kind), **choice)


def test_a_curve_without_interval_has_no_hole(sample):
    """With two random orders there may be no interval: the band closes on the mean."""
    result = sample("Faithfulness")
    result.data["random"].values[..., 0] = np.nan
    low, _, middle, *_ = figure(result, prompt=0, method="attnlrp").data
    assert_array_equal(low.y, middle.y)


def test_the_map_of_scores_has_the_scorecards_numbers_and_says_why_cells_are_empty():
    card = groundtruth.scores()
    figure = views.scores_by_model(card, finds="nodes", show="average_precision")
    (cells,) = figure.data
    own = card.data.isel(method=np.flatnonzero(card.data["finds"].values == "nodes"))
    for name, row, words in zip(figure.layout.yaxis.ticktext, cells.z, cells.customdata, strict=True):
        one = own.sel({"method": name})
        np.testing.assert_array_equal(row, one["average_precision"].values)
        for value, reason, said in zip(row, one["reason"].values, words, strict=True):
            assert said.endswith(str(reason) if np.isnan(value) else f"{value:.3f}")
    table = views.scores_table(card, finds="nodes")
    assert set(table["finds"]) == {"nodes"}
    assert len(table) == own["average_precision"].size
    with pytest.raises(OptionError, match="finds = 'heads'; choose one of"):
        views.scores_by_model(card, finds="heads")

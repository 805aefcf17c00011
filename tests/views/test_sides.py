"""One meaning for a colour: what supports has one hue on every figure, whichever sign a method gives it."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from interp import views
from interp.core.result import Result
from interp.core.variables import AGAINST, FOR
from interp.kinds import EdgeScores, Effects
from interp.views.theme import SIDES, THEMES

LIGHT = THEMES["light"]


def turned(result: Result, variable: str, supports: str, unit: str = "") -> Result:
    """The same evidence by a method whose sign is the other, or in another unit."""
    flip = -1 if supports == FOR else 1
    array = result.data[variable].copy(data=flip * result.data[variable].values)
    attrs = result.data[variable].attrs | {"supports": supports} | ({"unit": unit} if unit else {})
    return replace(result, data=result.data.assign({variable: array.assign_attrs(attrs)}))


def colours_at(trace) -> np.ndarray:
    """The colour scale, from the least value to the largest."""
    return np.array([colour for _, colour in trace.colorscale])


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_noising_and_denoising_colour_a_head_alike(sample, theme):
    """An effect of either direction: the head that supports has the purple end."""
    noising, denoising = (turned(sample("Effects"), "effect", side) for side in (AGAINST, FOR))
    one, other = (views.figure(result, prompt=0, theme=theme) for result in (noising, denoising))
    assert_allclose(one.data[0].z, -other.data[0].z)
    assert_array_equal(colours_at(one.data[0]), colours_at(other.data[0])[::-1])
    assert colours_at(one.data[0])[0] == THEMES[theme].diverging[-1]  # the most negative supports
    assert SIDES[AGAINST] in one.layout.meta["notes"]
    assert SIDES[FOR] in other.layout.meta["notes"]


def test_an_edge_has_one_colour_by_every_method(sample):
    """acdc's nats (positive: supports) beside eap's logits (negative: supports)."""
    eap = turned(sample("EdgeScores"), "score", AGAINST)
    acdc = turned(eap, "score", FOR, "nats")
    lines = [
        {
            tuple(trace.x[:2]): trace.line.color
            for trace in views.figure(result, prompt=0, edges=1).data
            if trace.mode == "lines"
        }
        for result in (eap, acdc)
    ]
    assert lines[0]
    assert lines[0] == lines[1]
    drawn = views.shared_edges({"this circuit": acdc, "eap": eap}, edges=40)
    left, right = drawn.data
    assert_allclose(left.x, -np.array(right.x))
    assert list(left.marker.color) == list(right.marker.color)


def test_circuits_in_two_units_have_columns_of_their_own(sample):
    """Heads with unit over each column, what that means in words, ranks instead of differences."""
    eap = turned(sample("EdgeScores"), "score", AGAINST)
    both = {"this circuit": turned(eap, "score", FOR, "nats"), "eap": eap}
    drawn = views.shared_edges(both, edges=40)
    assert "(nats)" in drawn.layout.xaxis.title.text
    assert "(logits)" in drawn.layout.xaxis2.title.text
    assert (drawn.layout.xaxis.side, drawn.layout.xaxis2.side) == ("top", "top")
    assert "different units (nats and logits)" in drawn.layout.meta["notes"][0]
    rows = views.shared_table(both, edges=40)
    assert {"score", "unit", "rank", "score_there", "unit_there", "rank_there"} <= set(rows)
    assert (set(rows["unit"].dropna()), set(rows["unit_there"].dropna())) == ({"nats"}, {"logits"})
    assert_array_equal(np.argsort(-rows["score"].abs()), np.argsort(rows["rank"]))


def test_results_in_two_units_are_compared_by_rank(sample):
    """A difference of nats and logits is none; nor of two numbers of which opposite signs support."""
    logits = turned(sample("Effects"), "effect", AGAINST)
    for other in (turned(logits, "effect", AGAINST, "nats"), turned(logits, "effect", FOR)):
        results = {"first": logits, "second": other}
        drawn = views.difference(results)
        assert "in ranks" in drawn.layout.title.text
        assert_allclose(views.difference_table(results)["difference"], 0)  # the same heads in the same order
        apart = [views.beside(results, side=side).layout.meta["measured"] for side in results]
        assert all("a scale of its own" in words for words in apart)
    same = {"first": logits, "second": turned(logits, "effect", AGAINST)}
    assert "rank" not in views.difference(same).layout.title.text


def test_what_has_no_sides_claims_none(sample):
    """Shares of a flow are blue, and nothing is said of support."""
    scores = sample("EdgeScores")
    shares = scores.data["score"].copy(data=np.abs(scores.data["score"].values)).assign_attrs(unit="share", supports="")
    drawn = views.figure(replace(scores, data=scores.data.assign(score=shares)), prompt=0, edges=20)
    assert {trace.line.color for trace in drawn.data if trace.mode == "lines"} == {LIGHT.accent}
    assert not any(words in drawn.layout.meta["notes"] for words in SIDES.values())


@pytest.mark.parametrize("kind", [name for name, kind in Result.kinds.items() if kind.__module__.startswith("interp.")])
def test_two_hues_are_always_explained(sample, kind):
    """Every kind: where bars or cells are coloured by sign, the small print says what the hues mean."""
    drawn = views.figure(sample(kind))
    scales = [
        tuple(colour for _, colour in trace.colorscale or ()) for trace in drawn.select_traces({"type": "heatmap"})
    ]
    signed = any(stops in (LIGHT.diverging, LIGHT.diverging[::-1]) for stops in scales)
    mixed = any(
        {LIGHT.support, LIGHT.against} <= set(trace.marker.color)
        for trace in drawn.select_traces({"type": "bar"})
        if isinstance(trace.marker.color, tuple | list)
    )
    if signed or mixed:
        assert any(words in drawn.layout.meta["notes"] for words in SIDES.values())


def test_the_declaration_says_which_sign_supports():
    assert Effects.variables["effect"].supports_of(AGAINST) == AGAINST
    assert EdgeScores.variables["score"].supports_of("") == ""


def test_shares_beyond_their_scale(sample):
    """A legend ends at ±1 and says that there is more; words name signed shares, and the cross term is told."""
    split = sample("QKSplit")
    far = split.data["position_share"] * 0 - 1.17
    result = replace(
        split, data=split.data.assign(position_share=far, context_share=far * 0, residual_share=far * 0 + 2.17)
    )
    balance, heads = (views.figure(result, show=show) for show in ("balance", "heads"))
    assert (balance.data[0].zmin, balance.data[0].zmax) == (-1, 1)
    assert list(balance.data[0].colorbar.ticktext) == ["≤ −1", "0", "≥ +1"]
    assert all("signed share" in " ".join(drawn.layout.meta["notes"]) for drawn in (balance, heads))
    assert all("%" not in (trace.hovertemplate or "").replace("%{", "") for trace in heads.data)

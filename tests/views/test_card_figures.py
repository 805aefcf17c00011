"""Figures of feature cards and of heads' roles: the numbers of the result, markup shown letter by letter."""

import html

import numpy as np
import pytest
from numpy.testing import assert_allclose
from views import card_samples as samples
from views.conftest import PROMPTS

from interp import views
from interp.core.errors import OptionError


def test_every_living_feature_is_a_point():
    result = samples.feature_cards(PROMPTS)
    figure = views.figure(result)
    alive = result.values("density").values > 0
    assert_allclose(figure.data[0].x, result.values("density").values[alive])
    assert_allclose(figure.data[0].y, result.values("max").values[alive])
    assert "feature 0" in figure.data[0].customdata[0]
    assert "<b>Mary" not in "".join(figure.data[0].customdata)
    assert "3 of 12 features are dead" in str(figure.layout.annotations)


def test_how_dense():
    result = samples.feature_cards(PROMPTS, features=200, heads=False)
    figure = views.figure(result, show="densities")
    assert sum(figure.data[0].y) == (result.values("density").values > 0).sum()
    with pytest.raises(OptionError):
        views.figure(result, show="nonsense")


def test_families_stand_on_each_other():
    result = samples.head_roles(PROMPTS)
    figure = views.figure(result)
    assert_allclose(np.stack([bar.y for bar in figure.data], 1), np.nan_to_num(result.values("share").values))
    stars = [note.x for note in figure.layout.annotations if note.text == "★"]
    assert stars == [0, 2]
    assert len({bar.marker.color for bar in figure.data}) == len(samples.FAMILIES)


def test_tokens_of_a_prompt_are_escaped_once():
    """A hover shows what was typed, letter by letter."""
    result = samples.feature_activations(PROMPTS)
    labels = np.full(result.data["token"].shape, "<b> & co", dtype=object)
    result = type(result)(result.data.assign_coords(token=(result.data["token"].dims, labels)))
    shown = views.figure(result, prompt=0).data[0].customdata
    assert set(np.ravel(shown)) == {f"“{html.escape('<b> & co')}”"}


def test_one_card():
    card = {
        "feature": 7, "density": 0.00034, "dead": False, "max": 2.0, "histogram": [8, 4, 0, 1],
        "head_weights": [0.5, 0.3, 0.2], "promoted": ["<b>x", " y"], "suppressed": [],
    }  # fmt: skip
    result = samples.feature_cards(PROMPTS)
    histogram, shares = views.feature_card(result, card, theme="dark").data
    assert_allclose(histogram.x, [0.25, 0.75, 1.25, 1.75])
    assert_allclose(histogram.y, [8, 4, 0, 1])
    assert_allclose(shares.y, [0.5, 0.3, 0.2])
    title = views.feature_card(result, card).layout.title
    assert "0.034 %" in title.text
    assert "&lt;b&gt;x" in title.subtitle.text


def test_a_dead_one_without_heads():
    card = {"feature": 7, "density": 0.0, "dead": True, "max": np.nan, "histogram": [0, 0]}
    figure = views.feature_card(samples.feature_cards(PROMPTS), card)
    assert_allclose(figure.data[0].y, [0, 0])
    assert np.isfinite(figure.data[0].x).all()
    assert "never active" in figure.layout.title.text

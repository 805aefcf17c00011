"""Geometry in figures: the numbers of the result, in any size; grey where a pair is nothing special."""

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from views import geometry_samples as samples

from interp import views
from interp.core.errors import OptionError
from interp.core.prompts import Prompts
from interp.views import to_html
from interp.views.layers import some_of


def figure(result, **choice) -> Any:
    return views.figure(result, **choice)


def a_prompt(length: int) -> Prompts:
    labels = tuple(f" {i}" for i in range(length))
    return Prompts(("x",), torch.zeros(1, length).long(), torch.ones(1, length).bool(), (labels,))


def weight(drawn) -> int:
    """Characters of a figure's own data."""
    return len(drawn.to_json())


def test_the_energy_is_stacked(sample):
    result = sample("PositionContext")
    drawn = figure(result)
    read = result.data.sel(arrangement="as read")
    for trace, part in zip(drawn.data, ("mean", "position", "context", "residual"), strict=True):
        assert trace.name == part
        assert_array_equal(trace.y, read[f"{part}_share"].values)
        assert_array_equal(trace.customdata[:, 1].astype(float), result.data[f"{part}_share"].values[1])
    assert_allclose(sum(trace.y for trace in drawn.data), 1)
    assert drawn.layout.barmode == "stack"
    assert drawn.layout.xaxis.ticktext == ("0", "1", "2", "out")


@pytest.mark.parametrize("layer", [None, 0, 3])
def test_curve_and_gram_are_those_of_the_layer(sample, layer):
    """By default of the layer in which the position part exceeds its control the most."""
    result = sample("PositionContext")
    read, shuffled = result.data.position_share.values
    at = int((read - shuffled).argmax()) if layer is None else layer
    curve, gram = (figure(result, show=show, layer=layer) for show in ("curve", "gram"))
    assert_array_equal(np.stack([curve.data[0][axis] for axis in "xyz"], -1), result.data["curve"].values[at])
    assert_array_equal(curve.data[0].marker.color, result.data.pos.values)
    assert_allclose(gram.data[0].z, result.data.gram.values[at], rtol=1e-6)
    named = "out of the last layer" if at == 3 else f"into layer {at}"
    assert named in curve.layout.title.text
    assert named in gram.layout.title.text


def test_the_map_colours_the_commonest_topics():
    """Every window once; the topics beyond the eighth are grey, and named in the hover."""
    result = samples.position_context(a_prompt(2), windows=40)
    names = np.array([f"topic {min(i, 11)}" for i in range(40)], dtype=object)
    names[:3] = "<b>"
    result = replace(result, data=result.data.assign_coords(topic=("window", names)))
    drawn = figure(result, show="map", layer=1)
    others, *groups = drawn.data
    assert others.name == "others"
    assert len(groups) == 8
    assert groups[0].name == "topic 11"
    assert len({(trace.marker.color, trace.marker.symbol) for trace in drawn.data}) == 9
    assert sum(len(trace.x) for trace in drawn.data) == 40
    assert_array_equal(groups[0].x, result.data["map"].values[1][names == "topic 11", 0])
    assert "&lt;b&gt;" in {trace.name for trace in groups}


def test_measures_stand_beside_their_control(sample):
    result = sample("PositionContext")
    drawn = figure(result, show="measures")
    lines = {(trace.yaxis, trace.name): trace.y for trace in drawn.data}
    assert_array_equal(lines["y", "as read"], result.data.stable_rank.values[0])
    assert_array_equal(lines["y2", "shuffled"], result.data["rank"].values[1])
    assert_array_equal(lines["y6", "as read, different topics"], result.data.similarity_between.values[0])
    assert_array_equal(lines["y6", "shuffled, same topic"], result.data.similarity_within.values[1])


def test_the_spectrum_is_the_result(sample):
    result = sample("PositionContext")
    assert_array_equal(figure(result, show="spectrum", layer=2).data[0].y, result.data.singular_value.values[2])
    assert len(figure(result, show="spectrum").data) == 4


def test_three_maps_add_up_to_the_fourth(sample):
    """Of the prompt that is shown, without its padding, on one scale; what a query cannot see stays blank."""
    result = sample("QKSplit")
    drawn = figure(result, prompt=1)
    position, context, residual, score = (trace.z for trace in drawn.data)
    assert score.shape == (4, 4)
    assert_allclose(position + context + residual, score, atol=1e-5)
    assert_allclose(score, result.data.score.values[1, :4, :4], rtol=1e-6)
    assert np.isnan(score[0, 1:]).all()
    limit = max(np.nanmax(np.abs(trace.z)) for trace in drawn.data)
    for trace in drawn.data:
        assert (-trace.zmin, trace.zmid, trace.zmax) == pytest.approx((limit, 0, limit))
    said = [note.text for note in drawn.layout.annotations]
    assert [text for text in said if text.endswith(("+", "="))] == ["position  +", "context  +", "residual  ="]


def test_shares_of_heads_are_means(sample):
    result = sample("QKSplit")
    for prompt in (None, 1):
        drawn = figure(result, show="heads", prompt=prompt).data
        for trace, name in zip(drawn, ("position", "context", "residual"), strict=True):
            values = result.data[f"{name}_share"].values
            assert_allclose(trace.z, (values.mean(0) if prompt is None else values[prompt]).T)


@pytest.mark.parametrize("kind", ["q", "k", "v"])
def test_the_matrix_greys_what_is_usual(sample, kind):
    """Every pair of the composition once: bright where fewer than 5 % of backward pairs are as high, grey elsewhere."""
    result = sample("HeadComposition")
    grey, bright = figure(result, composition=kind).data
    data = result.data
    of_kind = [str(name).startswith(kind) for name in data.receiver.values]
    assert np.isfinite(grey.z).sum() + np.isfinite(bright.z).sum() == sum(of_kind)
    for edge in np.flatnonzero(of_kind):
        cell = data.isel(edge=edge)
        at = list(bright.y).index(cell.sender.item()), list(bright.x).index(cell.receiver.item())
        usual = cell.backward.item() > 0.05
        assert np.isfinite(grey.z[at]) == usual
        if not usual:
            assert bright.z[at] == pytest.approx(np.log2(cell.score.item() / cell.null_mean.item()), rel=1e-5, abs=1e-6)
        z = (cell.score.item() - cell.null_mean.item()) / cell.null_sd.item()
        assert_allclose(bright.customdata[at], [cell.score, cell.null_mean, z, cell.backward], rtol=1e-4)


def test_channels_stand_beside_their_null(sample):
    result = sample("HeadComposition")
    bar, null = figure(result, show="channels", top=4).data
    assert_array_equal(bar.x, result.data.channel_score.values[:4])
    assert_array_equal(null.x, result.data.channel_null_mean.values[:4])
    assert_array_equal(null.error_x.array, 2 * result.data.channel_null_sd.values[:4])
    assert figure(result, show="channels").layout.yaxis.ticktext[0].startswith("a0.&lt;b&gt; (0) → ")
    values = figure(result, show="channels", composition="v").data[0]
    of_kind = [str(name).startswith("v") for name in result.data.channel_receiver.values]
    assert_array_equal(values.x, result.data.channel_score.values[of_kind])


def test_lines_by_layer(sample):
    result = sample("Linearity")
    whole, added = figure(result).data
    assert_array_equal(whole.y, result.data.linearity.values)
    assert_array_equal(added.y, result.data.update_linearity.values)
    assert figure(result).layout.shapes[0].y0 == 0.25


def test_similarity_of_one_model_and_of_two(sample):
    result = sample("LayerSimilarity")
    assert_array_equal(figure(result).data[0].z, result.data.cka.values)
    drawn = figure(samples.similarity(a_prompt(2), other="<b>small</b>"))
    assert drawn.layout.xaxis.title.text == "stream into layer of &lt;b&gt;small&lt;/b&gt;"
    assert drawn.layout.yaxis.ticktext[-1] == drawn.layout.xaxis.ticktext[-1] == "out"


def test_variance_by_position():
    result = samples.variance(a_prompt(2), layers=30)
    drawn = figure(result)
    assert [trace.name for trace in drawn.data[::2]] == [f"layer {at}" for at in (0, 7, 14, 22, 29)]
    attention, uniform = figure(result, layer=12).data
    assert_array_equal(attention.y, result.data.variance.values[12])
    assert_array_equal(uniform.y, result.data.uniform_attention_variance.values[12])
    assert list(attention.x) == [1, 2, 3, 4, 5]
    assert drawn.layout.xaxis.type == drawn.layout.yaxis.type == "log"


@pytest.mark.parametrize(("count", "expected"), [(1, [0]), (3, [0, 1, 2]), (31, [0, 8, 15, 22, 30])])
def test_some_layers_are_spread_evenly(count, expected):
    assert some_of(count) == expected


def test_large_results_stay_light():
    """512 windows, 1,024 positions, 270 heads: no figure of more than three million characters."""
    large = samples.position_context(a_prompt(2), layers=3, positions=1024, windows=512)
    assert max(weight(figure(large, show=show)) for show in ("energy", "curve", "gram", "map", "measures")) < 1e6
    gram = figure(large, show="gram", layer=1)
    assert_allclose(gram.data[0].z, large.data.gram.values[1, ::4, ::4], rtol=1e-6)
    assert list(gram.data[0].x[:2]) == [1, 5]
    split = figure(samples.qk_split(a_prompt(1024)))
    assert weight(split) < 2e6
    assert "every 6th token" in " ".join(note.text for note in split.layout.annotations)
    heads = figure(samples.composition(a_prompt(2), layers=30, heads=9))
    assert weight(heads) < 3e6
    assert len(heads.layout.xaxis.tickvals) <= 32
    assert heads.layout.xaxis.ticktext[:2] == ("1", "2")


def test_a_model_of_one_layer_has_no_pairs():
    """Nothing to compose, and nothing breaks."""
    result = samples.composition(a_prompt(2))
    empty = replace(result, data=result.data.isel(edge=slice(0), channel=slice(0)))
    assert figure(empty).data[1].z.size == len(figure(empty, show="channels").data[0].x) == 0


@pytest.mark.parametrize(
    ("kind", "shows"),
    [
        ("PositionContext", ("curve", "gram", "spectrum", "map", "measures")),
        ("QKSplit", ("heads",)),
        ("HeadComposition", ("channels",)),
    ],
)
def test_every_table_has_its_page(sample, kind, shows):
    """What is printed as a table of its own can be drawn by the same name."""
    result = sample(kind)
    assert set(type(result).tables) <= set(shows)
    for show in shows:
        for theme in ("light", "dark"):
            assert "</html>" in to_html(result, theme=theme, show=show)


@pytest.mark.parametrize(
    ("kind", "choice", "message"),
    [
        ("PositionContext", {"show": "x"}, "show = 'x'; choose one of energy"),
        ("PositionContext", {"layer": 1}, "show = 'energy' has no choice 'layer'"),
        ("PositionContext", {"show": "map", "layer": 9}, "no layer 9 in this result; choose from 0 to 3"),
        ("QKSplit", {"show": "x"}, "show = 'x'; choose one of maps, heads"),
        ("HeadComposition", {"composition": "x"}, "composition = 'x'; choose one of q, k, v"),
        ("HeadComposition", {"top": 3}, "show = 'matrix' has no choice 'top'"),
        ("HeadComposition", {"show": "channels", "top": 0}, "top = 0; give a whole number"),
        ("PositionalVariance", {"layer": 3}, "no layer 3 in this result; choose from 0 to 2"),
    ],
)
def test_a_wrong_choice_is_named(sample, kind, choice, message):
    with pytest.raises(OptionError, match=re.escape(message)):
        figure(sample(kind), **choice)

"""Every figure holds exactly the numbers of its result, in both looks, and says what it shows."""

import json
import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import xarray as xr
from numpy.testing import assert_array_equal

import interp.kinds
from interp import views
from interp.core.errors import OptionError, ResultError
from interp.core.intervals import bootstrap_mean
from interp.core.result import Result
from interp.views import THEMES, before_after, compare_relevance, head_grid, source_lines, target_curve
from interp.views.labels import escape

KINDS = [name for name, kind in Result.kinds.items() if kind.__module__.startswith("interp.")]
RAW_MARKUP = re.compile(r"<(?!/?(?:br|extra)\b)[a-z/!]", re.IGNORECASE)


def figure(result, **choice) -> Any:  # plotly's own types hide the attributes of a layout
    return views.figure(result, **choice)


def texts(node):
    """Every string that a figure shows."""
    if isinstance(node, str):
        yield node
    elif isinstance(node, dict):
        for key, value in node.items():
            if key not in ("meta", "template", "bdata"):
                yield from texts(value)
    elif isinstance(node, list | tuple):
        for value in node:
            yield from texts(value)


def all_figures(result):
    """Every figure of a result, its further views included."""
    yield figure(result)
    if "prompt" in figure_choices(result):
        yield figure(result, prompt=1)
    name = type(result).__name__
    if name == "LayerReadout":
        yield from (figure(result, show=show) for show in ("top_logprob", "target_rank"))
        yield target_curve(result)
    if name == "Ablation":
        yield before_after(result)
    if name == "Faithfulness":
        yield from (figure(result, show=show) for show in ("comprehensiveness", "deletion_auc"))
        yield figure(result, method="<b>mine</b>")
    if name == "PositionContext":
        yield from (figure(result, show=show) for show in ("curve", "gram", "spectrum", "map", "measures"))
    if name == "Scorecard":
        yield from (figure(result, **more) for more in ({"finds": "tokens"}, {"model": "rasp/<i>hist</i>"}))
    if name == "QKSplit":
        yield from (figure(result, show="heads", **more) for more in ({}, {"prompt": 1}))
    if name == "HeadComposition":
        yield from (figure(result, show=show, composition="k") for show in ("matrix", "channels"))
        yield figure(result, show="channels")
    if name in FEATURES:
        yield from features_figures(result)
    if name in PROBING:
        yield from probing_figures(result)
    if name == "CircuitEvidence":
        yield from (figure(result, show=show) for show in ("nodes", "edges"))
    if name == "Relevance":
        yield from (figure(result, show=show) for show in ("ledger", "stream", "heads", "neurons", "pairs"))
        yield figure(result, show="ledger", by="layer")
        yield compare_relevance([result, result])


FEATURES = ("FeatureSources", "FeatureEffects", "FeatureAblation", "DictionaryQuality")


PROBING = ("Probes", "DepthRanking")


def probing_figures(result):
    """The further views of what the stream holds."""
    if isinstance(result, interp.kinds.Probes):
        yield from (figure(result, show=show) for show in ("map", "changes", "cell"))
        yield from (figure(result, show="map", value=value) for value in ("selectivity", "divergence"))
    else:
        yield figure(result, show="depth", layer=1)
        yield figure(result, show="distances")


def features_figures(result):
    """The further views of a dictionary's kinds."""
    name = type(result).__name__
    if name == "FeatureSources":
        yield from (figure(result, show="parts", **more) for more in ({}, {"head": 1}, {"prompt": 1, "pos": 0}))
        yield from (source_lines(result, **more) for more in ({}, {"prompt": 1, "head": 2}))
    if name == "FeatureEffects":
        yield from (figure(result, show="positions", **more) for more in ({}, {"prompt": 1}))
    if name == "FeatureAblation":
        yield from (figure(result, show="tokens", **more) for more in ({}, {"prompt": 1}))
    if name == "DictionaryQuality":
        yield from (figure(result, show=show) for show in ("features", "probing", "mcc"))


def figure_choices(result):
    with pytest.raises(OptionError) as error:
        figure(result, nonsense=1)
    return str(error.value)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("theme", list(THEMES))
def test_every_kind_has_a_view(kind, theme, sample):
    drawn = figure(sample(kind), theme=theme)
    assert len(drawn.data)
    assert drawn.layout.template.layout.font.color == THEMES[theme].ink
    assert drawn.layout.paper_bgcolor is None
    assert drawn.layout.template.layout.paper_bgcolor == THEMES[theme].card  # a picture is not transparent


@pytest.mark.parametrize("kind", KINDS)
def test_says_what_it_shows(kind, sample):
    """Title, what was measured, the names of the axes, and the sign line."""
    result = sample(kind)
    drawn = figure(result)
    assert drawn.layout.title.text
    assert result.measured.replace("<", "&lt;").replace(">", "&gt;") in drawn.layout.title.subtitle.text
    assert drawn.layout.meta["measured"] == result.measured
    assert drawn.layout.meta["provenance"]["engine"] == "by-hand"
    assert any(axis.title.text for axis in drawn.select_xaxes())
    assert any(axis.title.text for axis in drawn.select_yaxes())
    notes = " ".join(note.text for note in drawn.layout.annotations if note.name == "sign")
    assert escape(result.sign) in notes


@pytest.mark.parametrize("kind", KINDS)
def test_no_text_of_a_prompt_is_markup(kind, sample):
    """A prompt with `<script>` and `<b>` in it is shown letter by letter."""
    for drawn in all_figures(sample(kind)):
        shown = list(texts(json.loads(str(drawn.to_json()))))
        assert not [text for text in shown if RAW_MARKUP.search(text)]
        assert not [text for text in shown if re.search(r"&(?!lt;|gt;|amp;)", text)]


def test_attention_is_the_result(sample):
    result = sample("Patterns")
    for prompt, length in ((0, 5), (1, 4)):
        trace = figure(result, prompt=prompt, layer=2, head=3).data[0]
        expected = result.data.attention.values[prompt, 2, 3][:length, :length]
        assert_array_equal(trace.z, expected)
        assert list(trace.x) == list(trace.y) == list(range(length))


def test_tokens_that_repeat_keep_their_places(sample):
    """Two places of one name stay two places; a line break is seen, a leading space kept."""
    axis = figure(sample("Patterns")).layout.xaxis
    assert axis.ticktext == ("When", " Mary", " and", " Mary", "↵")
    assert axis.tickvals == (0, 1, 2, 3, 4)


def test_gaps_stay_gaps(sample):
    """A place that has no number is NaN in the trace."""
    result = sample("Patterns")
    data = result.data.copy(deep=True)
    data.attention[0, 0, 0, 0, 1:] = np.nan
    z = figure(replace(result, data=data)).data[0].z
    assert np.isnan(z[0, 1:]).all()
    assert not np.isnan(z[1:, 0]).any()


@pytest.mark.parametrize("score", interp.kinds.HeadScores.variables)
def test_head_scores_are_means_over_prompts(score, sample):
    result = sample("HeadScores")
    trace = figure(result, score=score).data[0]
    mean, low, high = bootstrap_mean(result.data[score].values)
    assert_array_equal(trace.z, mean.T)
    assert_array_equal(trace.customdata, np.stack([low.T, high.T], -1))
    assert_array_equal(figure(result, score=score, prompt=1).data[0].z, result.data[score].values[1].T)


def test_head_grid_is_plain_data(sample):
    grid = head_grid(sample("HeadScores"), score="first_token", prompt=0)
    assert_array_equal(grid.values, sample("HeadScores").data.first_token.values[0])
    assert (grid.layers, grid.heads, grid.signed, grid.row) == ((0, 1, 2), (0, 1, 2, 3), False, 0)
    assert head_grid(sample("Effects")).signed
    with pytest.raises(ResultError, match="no value per head"):
        head_grid(sample("Patterns"))


@pytest.mark.parametrize("show", ["target_logprob", "target_rank", "top_logprob"])
def test_layer_readout_is_the_result(show, sample):
    result = sample("LayerReadout")
    trace = figure(result, prompt=1, show=show).data[0]
    values = result.data[show].values[1][:, :4]
    values = values[..., 0] if show == "top_logprob" else values
    assert_array_equal(trace.customdata[..., 2].astype(values.dtype), values)
    if show == "target_rank":
        assert_array_equal(trace.z, np.log10(values))
    else:
        assert_array_equal(trace.z, values)
    assert trace.text[0][0] == " &lt;b&gt;x&lt;/b&gt;"


def test_target_curve_is_probability_and_rank(sample):
    result = sample("LayerReadout")
    for pos, expected in ((None, 3), (1, 1)):
        probability, rank = target_curve(result, prompt=1, pos=pos).data
        assert_array_equal(probability.y, np.exp(result.data.target_logprob.values[1, :, expected]))
        assert_array_equal(rank.y, result.data.target_rank.values[1, :, expected])
    with pytest.raises(OptionError, match="no position 4"):
        target_curve(result, prompt=1, pos=4)


def test_sources_are_the_largest_first(sample):
    result = sample("SourceContributions")
    values = result.data.relevance.values
    for prompt, expected in ((1, values[1]), (None, values.mean(0))):
        drawn = figure(result, prompt=prompt, top=7)
        order = np.argsort(-np.abs(expected))[:7]
        np.testing.assert_allclose(drawn.data[0].x, expected[order])
        assert drawn.layout.yaxis.ticktext[0] == escape(str(result.data.component.values[order[0]]))


def test_contributions_add_up_to_the_total(sample):
    """However few bars are shown, bars with the others and the remainder add up."""
    result = sample("Contributions")
    for prompt, total in ((0, result.data.total.values[0]), (None, result.data.total.values.mean())):
        for top in (1, 20, 30, 99):
            trace = figure(result, prompt=prompt, top=top).data[0]
            assert np.sum(trace.x) == pytest.approx(total, abs=1e-5)
    largest = np.argmax(np.abs(result.data.contribution.values[0]))
    drawn = figure(result, prompt=0, top=3)
    assert drawn.data[0].x[0] == result.data.contribution.values[0, largest]
    assert drawn.layout.yaxis.ticktext[0] == str(result.data.component.values[largest])
    assert drawn.layout.yaxis.ticktext[3:] == ("27 others", "remainder")


def test_query_key_is_the_result(sample):
    result = sample("QueryKey")
    query, product, score, attention = figure(result, prompt=1).data
    assert_array_equal(query.z[0], result.data["query"].values[1])
    assert_array_equal(product.z, result.data["product"].values[1][:4])
    assert_array_equal(score.x, result.data.score.values[1][:4])
    assert_array_equal(attention.x, result.data.attention.values[1][:4])
    assert_array_equal(figure(result, show="key").data[1].z, result.data.key.values[0])


def test_effects_of_heads_are_means(sample):
    result = sample("Effects")
    trace = figure(result).data[0]
    assert_array_equal(trace.z, result.data.effect.values.mean(0, dtype=float).T)
    assert trace.zmin == -trace.zmax == -np.abs(result.data.effect.values.mean(0, dtype=float)).max()
    assert trace.zmid == 0


@pytest.mark.parametrize("axes", ["batch layer pos", "batch head pos"])
def test_effects_of_positions_show_one_prompt(axes, effects_on):
    result = effects_on(axes)
    assert_array_equal(figure(result).data[0].z, result.data.effect.values[0])
    assert_array_equal(figure(result, prompt=1).data[0].z, result.data.effect.values[1][:, :4])


@pytest.mark.parametrize("axes", ["batch layer", "batch head", "batch pos", "batch"])
def test_effects_along_one_axis_are_bars(axes, effects_on):
    result = effects_on(axes)
    values = result.data.effect.values
    expected = {"batch": values, "batch pos": values[0]}.get(axes, values.mean(0, dtype=float))
    assert_array_equal(figure(result).data[0].y, expected)


def test_effects_of_three_axes_are_cut(effects_on):
    """At the choice, or at the position of the largest effect."""
    result = effects_on("batch layer head pos")
    values = result.data.effect.values[0]
    largest = np.unravel_index(np.abs(values).argmax(), values.shape)[2]
    drawn = figure(result)
    assert_array_equal(drawn.data[0].z, values[:, :, largest].T)
    assert f"position {largest}" in drawn.layout.title.text
    assert_array_equal(figure(result, layer=2, head=1).data[0].y, values[2, 1])
    assert_array_equal(figure(result, layer=2, head=1, pos=0).data[0].y, values[2, 1, :1])


def test_ablation_before_and_after(sample):
    result = sample("Ablation")
    before, after = figure(result).data
    assert_array_equal(before.y, result.data.clean.values)
    assert_array_equal(after.y, result.data.edited.values)
    drawn: Any = before_after(result, prompt=1)
    assert_array_equal(drawn.data[0].x, result.data.clean_prob.values[1])
    assert_array_equal(drawn.data[1].x, result.data.edited_prob.values[1])
    assert drawn.layout.yaxis.ticktext == (" Mary", " Mary", "&amp;")


def test_ablation_without_a_question(sample):
    """With no answer asked, there are only tokens to compare."""
    result = sample("Ablation")
    data = result.data.isel(batch=[0]).copy(deep=True)
    for name in ("clean", "edited", "effect"):
        data[name][:] = np.nan
    assert "nan" not in figure(replace(result, data=data)).layout.title.text


def test_accuracy_shows_every_prompt(sample):
    result = sample("TaskAccuracy")
    right, wrong = figure(result).data
    assert (list(right.x), list(right.y)) == ([1], [1.5])
    assert (list(wrong.x), list(wrong.y)) == ([0], [-0.5])
    assert figure(result).layout.title.text == "1 of 2 correct, mean difference +0.5"


@pytest.mark.parametrize("length", [128, 500])
def test_long_prompts_thin_their_labels(length, sample):
    attention = xr.DataArray(np.eye(length)[None, None, None], dims=("batch", "layer", "head", "query_pos", "key_pos"))
    names = [f" {i}" for i in range(length)]
    labels = {axis: (("batch", axis.replace("token", "pos")), [names]) for axis in ("query_token", "key_token")}
    numbers = {axis: np.arange(size) for axis, size in attention.sizes.items()}
    drawn = figure(interp.kinds.Patterns(xr.Dataset({"attention": attention}, coords=numbers | labels)))
    for axis in (drawn.layout.xaxis, drawn.layout.yaxis):
        assert len(axis.tickvals) <= 48
        assert list(axis.ticktext) == [f" {i}" for i in axis.tickvals]
    assert drawn.data[0].z.shape == (length, length)


@pytest.mark.parametrize(
    ("kind", "choice", "message"),
    [
        ("Patterns", {"colour": 1}, "no choice 'colour'; it has show, prompt, layer, head"),
        ("Patterns", {"head": 4}, "no head 4 in this result; choose from 0 to 3"),
        ("Patterns", {"prompt": "x"}, "no prompt 'x' in this result; choose from 0 to 1"),
        ("TaskAccuracy", {"prompt": 0}, "no choice 'prompt'; it has none"),
        ("HeadScores", {"score": "x"}, "score = 'x'; choose one of previous_token"),
        ("LayerReadout", {"show": "x"}, "show = 'x'; choose one of target_logprob"),
        ("Contributions", {"top": 0}, "top = 0; give a whole number"),
        ("Effects", {"pos": 0}, "no pos axis; choose from batch layer head"),
        ("Effects", {"theme": "sepia"}, "no theme 'sepia'; choose one of light, dark"),
    ],
)
def test_a_wrong_choice_is_named(kind, choice, message, sample):
    with pytest.raises(OptionError, match=re.escape(message)):
        figure(sample(kind), **choice)


def test_a_kind_without_view_is_refused(sample):
    with pytest.raises(ResultError, match="no view for int"):
        figure(3)
    with pytest.raises(ResultError, match="no view for Result"):
        figure(Result(xr.Dataset()), prompt=1)

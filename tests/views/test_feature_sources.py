"""Features in figures: every bar and line is a number of the result."""

import re

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from interp import views
from interp.core.errors import OptionError
from interp.views import lines_of_sources, source_lines


def figure(result, **choice):
    return views.figure(result, **choice)


def test_bars_add_up_to_each_source(sample):
    result = sample("FeatureSources")
    for prompt, length in ((0, 5), (1, 4)):
        drawn = figure(result, prompt=prompt)
        assert drawn.layout.barmode == "relative"
        assert_allclose(sum(trace.y for trace in drawn.data), result.data.dfa.values[prompt, :length].sum(1))
        alone = figure(result, prompt=prompt, head=2).data
        assert len(alone) == 1
        assert_array_equal(alone[0].y, result.data.dfa.values[prompt, :length, 2])


@pytest.mark.parametrize("choice", [{}, {"head": 1}, {"pos": 2}, {"head": 3, "pos": 0}])
def test_parts_add_up(sample, choice):
    """The strongest first, with the others and the remainder, named prompt by prompt."""
    result = sample("FeatureSources")
    trace = figure(result, show="parts", **choice).data[0]
    part = result.data.part[0].isel({{"head": "head", "pos": "key_pos"}[name]: [at] for name, at in choice.items()})
    assert_allclose(sum(trace.x), float(part.sum()))
    sums = part.sum(("key_pos", "head")).values
    order = np.argsort(-np.abs(sums))
    assert_allclose(trace.x[: len(order)], sums[order])
    assert trace.customdata[list(order).index(3)] == "f0.z.7"
    assert trace.customdata[-1] == "remainder"


def test_lines_lead_to_the_feature(sample):
    result = sample("FeatureSources")
    total = result.data.dfa.values[0].sum(1)
    lines = lines_of_sources(result, most=3)
    assert [line.source for line in lines] == np.argsort(-np.abs(total))[:3].tolist()
    for line in lines:
        assert line.position == 3
        assert line.value == pytest.approx(total[line.source])
        assert line.head == np.abs(result.data.dfa.values[0, line.source]).argmax()
    by_head = lines_of_sources(result, head=1)
    assert_allclose([line.value for line in by_head], result.data.dfa.values[0, [line.source for line in by_head], 1])
    drawn = source_lines(result, most=3)
    arcs, tokens = drawn.data[:-1], drawn.data[-1]
    assert len(arcs) == 3
    assert max(arc.line.width for arc in arcs) == arcs[0].line.width
    for arc, line in zip(arcs, lines, strict=True):
        assert arc.x[0] == pytest.approx(line.source)
        assert arc.x[-1] == pytest.approx(line.position)
    assert_array_equal(tokens.x, np.arange(5))


def test_effects_and_what_they_add_up_to(sample):
    result = sample("FeatureEffects")
    trace = figure(result, prompt=1).data[0]
    data = result.data.isel(batch=1)
    assert_allclose(trace.x, [*data.effect.values, float(data.rest), float(data.error)])
    assert_allclose(sum(trace.x), float(data.total))
    cells = figure(result, prompt=0, show="positions").data[0]
    assert_array_equal(cells.z, result.data.position_effect.values[0])


def test_an_effect_beside_its_control(sample):
    result = sample("FeatureAblation")
    trace = figure(result, prompt=1).data[0]
    data = result.data.isel(batch=1)
    assert_allclose(trace.x, [float(data.effect), *data.control.values[:3]])
    assert [data[2] for data in trace.customdata] == ["not active", "active", "active", "not active"]
    notes, silent = (
        " ".join(note.text.replace("<br>", " ") for note in figure(result, prompt=prompt).layout.annotations)
        for prompt in (0, 1)
    )
    assert "of the 2 that are changed" in notes
    assert "not active where it is changed" not in notes
    assert "nan" not in silent
    assert "not active where it is changed" in silent
    before, after = figure(result, show="tokens").data
    assert_array_equal(before.x, result.data.clean_prob.values[0])
    assert_array_equal(after.x, result.data.edited_prob.values[0])


def test_wrong_choices_are_named(sample):
    result = sample("FeatureSources")
    for choice, words in (
        ({"show": "x"}, "sources, parts"), ({"pos": 1}, "show = 'parts'"), ({"head": 9}, "no head 9"),
        ({"show": "parts", "pos": 8}, "8"),
    ):  # fmt: skip
        with pytest.raises(OptionError, match=re.escape(words)):
            figure(result, **choice)


def test_without_the_step_back(sample):
    result = sample("FeatureSources")
    dropped = ["part", "part_name", "part_remainder", "unexplained"]
    bare = type(result)(result.data.drop_vars([*dropped, "component"]), result.provenance)
    assert len(figure(bare).data)
    with pytest.raises(OptionError, match="recursive=True"):
        figure(bare, show="parts")

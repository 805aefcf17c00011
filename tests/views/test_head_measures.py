"""Figures and tables of attention at large: every choice is drawn, and is the result."""

from typing import Any

import numpy as np
import pytest
from views.pattern_samples import SAMPLES

from interp import kinds, views

CHOICES = [(kind, show) for kind in SAMPLES for show in views.choices(getattr(kinds, kind)).get("show", ())]


@pytest.mark.parametrize(("kind", "show"), CHOICES)
def test_every_choice_is_drawn_and_has_a_table(kind, show, sample):
    result = sample(kind)
    drawn = views.figure(result, show=show)
    assert len(drawn.data)
    layout: Any = drawn.layout
    assert layout.title.text
    assert "&lt;b&gt;heads&lt;/b&gt;" in layout.title.subtitle.text
    assert len(views.table(result, show=show))


def test_a_map_is_the_variable_with_its_interval(sample):
    result = sample("AttentionSinks")
    trace: Any = views.figure(result).data[0]
    np.testing.assert_array_equal(trace.z, result.data["sink"].values.T)
    np.testing.assert_array_equal(trace.customdata, result.data["sink_interval"].values.transpose(1, 0, 2))


def test_one_matrix_is_drawn_with_its_control(sample):
    heads, random = views.figure(sample("AttentionSpectrum"), matrix="A").data
    frame = sample("AttentionSpectrum").to_frame().query("matrix == 'A'")
    np.testing.assert_array_equal(heads.y, frame["effective_rank"])
    np.testing.assert_allclose(random.y, frame.groupby("layer")["random_effective_rank"].mean())

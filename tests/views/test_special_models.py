"""Every panel of the special models' figures draws the numbers of its result."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from views.special_model_samples import KINDS

from interp import kinds, views


@pytest.mark.parametrize("kind", KINDS)
def test_every_panel_is_drawn(kind, sample):
    result = sample(kind.__name__)
    for name, words in views.choices(kind).items():
        for word in words:
            drawn = views.figure(result, **{name: word})
            assert len(drawn.data)
            drawings = [trace.y if getattr(trace, "z", None) is None else trace.z for trace in drawn.data]
            assert any(np.isfinite(np.asarray(each, dtype=float)).any() for each in drawings)


def test_vectors_of_a_step(sample):
    """Points are the two coordinates of the step that is asked for; sequences have the hue of their sum."""
    result = sample("ClusterStates")
    drawn = views.figure(result, show="positions", step=1)
    assert_allclose(np.stack([drawn.data[0].x, drawn.data[0].y], -1), result.values("position_vector").values[1])
    drawn = views.figure(result, show="embeddings", step=0)
    assert_allclose(drawn.data[0].z, result.values("probability").values[0, 1])
    of_sum_1 = next(trace for trace in drawn.data if trace.name == "sum 1")
    assert_allclose(of_sum_1.x, result.values("embedding").values[0, 1::2, 0])


def test_known_numbers_are_ratios(sample):
    result = sample("KnownNumbers")
    drawn = views.figure(result)
    assert_allclose(drawn.data[0].x, result.values("measured_value") / result.values("closed_form"))


def test_distances_from_a_method(sample):
    result = sample("InContextAlgorithms")
    drawn = views.figure(result, show="weight_distance", method="Bayes")
    assert [trace.name for trace in drawn.data if trace.name] == ["model", "&lt;i>ridge&lt;/i>".replace(">", "&gt;")]
    assert_allclose(drawn.data[0].y, result.values("weight_distance").sel({"method": "Bayes", "other_method": "model"}))


def test_kinds_are_listed():
    assert {kind.__name__ for kind in KINDS} <= {*vars(kinds)}

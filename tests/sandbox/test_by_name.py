"""Trainings by their names: what is listed, the example that a model opens with, and a figure at a step."""

import numpy as np
import pytest

import interp
from interp import sandbox, views
from interp.core.errors import ModelError, ResultError
from interp.sandbox.special import lesson_of, run_of


@pytest.mark.parametrize("name", [each.name for each in sandbox.trainings() if each.reads_tokens])
def test_the_example_is_read_as_a_test_input(name):
    run = sandbox.Run(name)
    model = run.hooked(run.steps[-1])
    together = sandbox.attention_by_step(name)
    tokens = [str(token) for token in together.data["query_token"].values[0]]
    assert [model.token_label(token) for token in model.encode(sandbox.example_of(model.name))] == tokens
    last = together.data.isel(step=-1)["attention"].values
    np.testing.assert_allclose(
        interp.readout.attention(model, sandbox.example_of(name)).values().values, last, atol=1e-6
    )
    assert sandbox.example_of("smollm2-135m") == ""


def test_a_figure_at_a_step():
    result = sandbox.attention_by_step("toy/kv-shift")
    one = result.data.isel(step=1, drop=True)["attention"].values[0, 0, 0]
    step = int(result.data["step"][1])
    drawn = views.at_step(result, step=step, show="map", layer=0, head=0).data[0].z
    np.testing.assert_allclose(np.nan_to_num(np.asarray(drawn, dtype=float)), one, atol=1e-6)
    assert len(views.table_at_step(result, step=step, show="map", layer=0, head=0)) == one.size
    with pytest.raises(ResultError, match="has no step 77; it has 0, "):
        views.at_step(result, step=77)


def test_only_a_clustering_head_is_drawn_as_one():
    assert lesson_of(run_of("clustering")).name
    with pytest.raises(ModelError, match="trained no Clustering Head"):
        sandbox.clustering_head("connectivity")
    with pytest.raises(ModelError, match="there is no training"):
        sandbox.curves("toy/nothing")

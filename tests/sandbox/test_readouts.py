"""Read-outs of the special models compared with the models themselves, at one step."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from interp import views
from interp.sandbox import load
from interp.sandbox.clustering.states import clustering_states
from interp.sandbox.connectivity.learning import connectivity_learning
from interp.sandbox.regression.algorithms import as_predictor, weight_probes
from interp.sandbox.regression.prompts import draw
from interp.sandbox.special import lesson_of, run_of


@pytest.fixture(scope="module")
def clustering():
    run = run_of("clustering")
    return clustering_states(run, lesson_of(run), sequences=32)


def test_states_are_those_of_the_forward_pass(clustering):
    step = int(clustering.data["step"][-3])
    model, lesson, _, _ = load(f"clustering@{step}")
    at = clustering.data.sel(step=step)
    with torch.no_grad():
        state = model.follow(lesson.test_tokens[:32])
    assert_allclose(at["embedding"], state.embedding, rtol=1e-6)
    assert_allclose(at["output"], state.output, rtol=1e-6)
    logged = run_of("clustering").log()["measures"][str(step)]
    assert_allclose(at["cluster_quality"], logged["cluster_quality"], rtol=1e-5)
    for token, pos in ((0, 3), (1, 11)):
        vector = model.tokens[token] + model.positions[pos]
        assert_allclose(at["sum_vector"][token, pos], vector.detach())


def test_level_lines_are_the_models(clustering):
    """At a point of the grid: the MLP and the token table applied to it."""
    model, *_ = load("clustering")
    last = clustering.data.isel(step=-1)
    x, y = float(last["grid_column"][30]), float(last["grid_row"][7])
    with torch.no_grad():
        output = model.transform(torch.tensor([x, y]))[1]
        assert_allclose(last["probability"][:, 7, 30], (model.tokens @ output).softmax(-1), rtol=1e-4, atol=1e-7)
        scaled = torch.tensor([x, y]) * float(last["output_scale"])
        assert_allclose(last["output_probability"][:, 7, 30], (model.tokens @ scaled).softmax(-1), rtol=1e-4, atol=1e-7)


def test_two_stages(clustering):
    """Clusters are there before the sums are right, as the paper has it."""
    data = clustering.data
    clustered = int(data["step"][int(np.argmax(data["cluster_quality"].values > 0.9))])
    solved = int(data["step"][int(np.argmax(data["accuracy"].values > 0.9))])
    assert clustered < solved
    assert views.figure(clustering, show="outputs", step=solved).data


def test_connectivity_by_diameter():
    run = run_of("connectivity-within")
    data = connectivity_learning(run, lesson_of(run)).data.isel(step=-1)
    assert_allclose(data["solved_by_diameter"].sel(distance=[1, 2]), 1)
    assert_allclose(data["solved_by_diameter"].sel(distance=[4, 5, 6, 7]), 0)
    assert_allclose(data["solved"].sel(family=["2 chains", "2 cliques"]), 1)


def test_a_causal_model_is_read_at_every_number_of_examples():
    """As a predictor it says for k examples what its forward pass says at place k."""
    model, lesson, _, _ = load("algorithms")
    prompts = draw(lesson.options.setting, 6, torch.Generator().manual_seed(1), torch.float32)
    with torch.no_grad():
        every = model(prompts)
    for count in (0, 3, 10):
        said = as_predictor(model)(prompts.x[:, :count], prompts.y[:, :count], prompts.x[:, count : count + 1])
        assert_allclose(said[:, 0], every[:, count], rtol=1e-4, atol=1e-4)


def test_weights_are_read_from_late_layers():
    run = run_of("algorithms")
    data = weight_probes(run, lesson_of(run), prompts=1200).data
    score = data["score"].sel(variable="least-squares weights")
    assert score[0] < 0.05
    assert float(score.max()) > 0.1
    assert (data["control"] < 0.05).all()

"""What papers claim of the special models, on the runs that are packaged."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from interp.sandbox import load
from interp.sandbox.connectivity.graphs import Graphs, diameters
from interp.sandbox.connectivity.lesson import right
from interp.sandbox.connectivity.model import channels
from interp.sandbox.regression.gradient_step import constructed, interpolated, rate_of
from interp.sandbox.regression.layers import SoftmaxHeads
from interp.sandbox.regression.prompts import draw
from interp.sandbox.regression.theory import gradient_step, heads_loss
from interp.sandbox.special import run_of


def test_linear_attention_learns_the_gradient_step():
    """Its loss is 0.2062 within sampling error, its product the constructed one, and so is the loss halfway."""
    model, lesson, _, _ = load("gradient-descent")
    setting, best = lesson.options.setting, gradient_step(lesson.options.setting)
    prompts = draw(setting, 40_000, torch.Generator().manual_seed(17), torch.float32)
    step, wanted = constructed(setting), prompts.y[:, -1]
    with torch.no_grad():
        for each in (model, interpolated(model, step)):
            errors = (each(prompts.tokens) - wanted).square() / 2
            assert abs(errors.mean() - best.loss) < 4 * errors.std() / 200
        scores, values = model.scaled_products()
    assert_allclose(scores[0, :-1, :-1], np.eye(10), atol=0.03)
    assert_allclose(values[0, -1, :-1], 0, atol=0.01)
    assert rate_of(model, 10) == pytest.approx(best.rate, rel=0.02)


def test_two_softmax_heads_are_one_of_each_sign():
    """ω and μ are opposite, the rest of the scores is below 5 % of their energy.

    The loss model leaves out terms of order 1/L: the trained loss is within 3 % of the zero predictor's above it, and
    within 2 % of that of heads with exactly these ω and μ.
    """
    model, lesson, _, _ = load("softmax-heads")
    setting = lesson.options.setting
    omega, mu = model.omega.detach(), model.mu.detach()
    assert abs(float(omega.sum() / omega.abs().sum())) < 0.02
    assert abs(float(mu.sum() / mu.abs().sum())) < 0.02
    assert (omega * mu > 0).all()
    assert model.off_pattern.max().item() < 0.05
    prompts = lesson.prompts(20_000, seed=19)
    with torch.no_grad():
        losses = [
            (each(prompts.tokens) - prompts.y[:, -1]).square().mean().item()
            for each in (model, SoftmaxHeads.constructed(5, omega, mu))
        ]
    assert losses[0] == pytest.approx(losses[1], rel=0.02)
    predicted = heads_loss(omega.double().numpy(), mu.double().numpy(), dimension=5, examples=40, noise=0.1)
    assert 0 < losses[0] - predicted < 0.03 * (1 + setting.noise**2)


def test_adam_descends_further_than_sgd():
    """Three layers from the same weights, each at the best of several rates, after as many batches."""
    adam, sgd = (run_of(name).log()["measures"]["1500"]["loss"] for name in ("descent-adam", "descent-sgd"))
    assert adam < sgd / 5


def test_the_clustering_head_has_a_cluster_for_every_count():
    model, lesson, _, _ = load("clustering")
    with torch.no_grad():
        measures, state = lesson.measure(model), model.follow(lesson.test_tokens)
    assert measures["accuracy"] > 0.98
    assert measures["cluster_quality"] > 0.99
    means = torch.stack([state.embedding[lesson.clusters == count].mean(0) for count in range(6)])
    nearest = torch.cdist(state.embedding, means).argmin(-1)
    assert (nearest == lesson.clusters).all()


def test_fine_tuning_takes_the_clusters_over():
    """On three tokens with the same support, the clusters are there at step 0 of fine-tuning, and not from scratch."""
    tuned, scratch = (run_of(name).log()["measures"] for name in ("clustering-p3", "clustering-p3-scratch"))
    assert tuned["0"]["cluster_quality"] > 0.8 > scratch["0"]["cluster_quality"]
    assert tuned["5000"]["accuracy"] > 0.9
    assert scratch["5000"]["accuracy"] < 0.4


@pytest.mark.parametrize("name", ["connectivity", "connectivity-within"])
def test_connectivity_is_learned_up_to_the_diameter(name):
    """All graphs of diameter up to 3 and none above; blocks lie in span{I, J}; only the run on graphs of diameter up
    to 3 has no constant part, and solves the two cliques."""
    model, lesson, _, _ = load(name)
    graphs = Graphs(nodes=8, least=0.02, most=0.4).draw(4000, torch.Generator().manual_seed(23))
    with torch.no_grad():
        solved = right(model, graphs)
        assert solved[diameters(graphs) <= 3].double().mean() > 0.99
        assert not solved[diameters(graphs) > 3].any()
        cliques = Graphs(nodes=8).family("2 cliques", 50, torch.Generator().manual_seed(1))
        assert bool(right(model, cliques).all()) == (name == "connectivity-within")
    split = [channels(block) for block in model.blocks().values()]
    assert all(each["explained"] > 0.95 for each in split)
    early = run_of(name).load(lesson, 26)
    assert channels(early.blocks()["1: A A"])["heuristic"] > 0.99
    assert split[0]["heuristic"] < 0.01

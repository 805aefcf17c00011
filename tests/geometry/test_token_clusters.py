"""Cosines, close pairs and distance from the mean, pair by pair; and in a system that is known to collapse."""

import numpy as np
import pytest
import torch
from reading import sentences
from tiny import FAMILIES

from interp.core.prompts import Prompts
from interp.geometry import feature_diversity, token_clusters
from interp.geometry.tokens.spread import close_share, diversity, mean_cosine, parts_of
from interp.models import Edit, Site

EPSILON, DIMENSIONS = 0.6, 2


def slow_measures(tokens):
    """Mean cosine and share of close pairs over all pairs; distance from the mean."""
    cosines = [
        np.dot(a, b) / np.linalg.norm(a) / np.linalg.norm(b)
        for i, a in enumerate(tokens)
        for j, b in enumerate(tokens)
        if i != j
    ]
    mean = sum(tokens) / len(tokens)
    apart = sum(np.sum((token - mean) ** 2) for token in tokens) ** 0.5
    return np.mean(cosines), np.mean(np.array(cosines) > 1 - EPSILON), apart / np.sum(tokens**2) ** 0.5


def slow_parts(tokens):
    largest = sorted(range(tokens.shape[1]), key=lambda at: -np.mean(tokens[:, at] ** 2))[:DIMENSIONS]
    return tokens, tokens[1:], np.delete(tokens[1:], largest, axis=1)


@pytest.mark.parametrize("family", FAMILIES)
def test_agrees_with_the_definition(family, tiny):
    model, texts = tiny(family, "float64"), sentences(family, 3)
    clusters = token_clusters(model, texts, epsilon=EPSILON, dimensions=DIMENSIONS).data
    distances = feature_diversity(model, texts, dimensions=DIMENSIONS).data
    traces = [model.run(text, record=model.stream_sites()) for text in texts]
    for layer, site in enumerate(model.stream_sites()):
        streams = [trace[site][0].detach().numpy() for trace in traces]
        for at, part in enumerate(("", "_without_first", "_without_massive")):
            expected = np.mean([slow_measures(slow_parts(stream)[at]) for stream in streams], 0)
            found = [clusters["cosine" + part], clusters["close_share" + part], distances["diversity" + part]]
            np.testing.assert_allclose([each.values[layer] for each in found], expected, atol=1e-9)


def test_tokens_that_are_equal(tiny):
    """No diversity, and one cluster: planted in the stream into layer 1."""
    model = tiny("llama", "float64")
    prompts = Prompts.of_tokens(model, [[5, 6, 7, 8], [7, 8, 9]])
    alike = Edit.through(Site("resid_pre", 1), lambda stream: stream[:, :1].expand_as(stream))
    with model.edited([alike]):
        clusters, distances = token_clusters(model, prompts).data, feature_diversity(model, prompts).data
    for part in ("", "_without_first", "_without_massive"):
        assert distances["diversity" + part].values[1] < 1e-12
        assert clusters["cosine" + part].values[1] == pytest.approx(1)
        assert clusters["close_share" + part].values[1] == 1


def flow(tokens, beta, step, steps):
    """ẋ_i = P_x Σ_j softmax_j(β x_i·x_j) x_j on the sphere, by Euler's steps."""
    for _ in range(steps):
        weights = (beta * tokens @ tokens.T).softmax(1)
        speed = weights @ tokens
        speed = speed - (speed * tokens).sum(1, keepdim=True) * tokens
        tokens = torch.nn.functional.normalize(tokens + step * speed, dim=1)
    return tokens


@pytest.mark.parametrize("beta", [1.0, 4.0])
def test_self_attention_alone_ends_in_one_cluster(beta):
    """Theorem 6.1 of Geshkovski et al.: tokens on a sphere of many dimensions converge to one point."""
    start = torch.randn(16, 32, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    start = torch.nn.functional.normalize(start, dim=1)
    states = [flow(start, beta, 0.1, steps) for steps in (0, 100, 4000)]
    cosines, distances = [mean_cosine(state) for state in states], [diversity(state) for state in states]
    assert cosines == sorted(cosines)
    assert distances == sorted(distances, reverse=True)
    assert abs(cosines[0]) < 0.1
    assert cosines[-1] == pytest.approx(1, abs=1e-6)
    assert distances[-1] < 1e-3
    assert (close_share(states[0], 0.1), close_share(states[-1], 0.1)) == (0, 1)


def test_too_few_tokens_and_dimensions():
    one = torch.ones(1, 3)
    assert np.isnan([mean_cosine(one), close_share(one, 0.1), diversity(one[1:])]).all()
    assert [part.shape for part in parts_of(torch.ones(4, 3), 9)] == [(4, 3), (3, 3), (3, 1)]

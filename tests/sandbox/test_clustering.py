"""The Clustering Head: its forward written out, its clusters counted, and the packaged run by the definitions."""

import math
from collections import Counter

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from torch.testing import assert_close

from interp.core.errors import OptionError
from interp.sandbox.clustering.lesson import Clustering, ClusteringLesson
from interp.sandbox.clustering.model import ClusteringHead, ModularAddition, cluster_quality


def norm(vector):
    return [each / math.sqrt(sum(x * x for x in vector) / len(vector) + 1e-5) for each in vector]


def gelu(x):
    return x * 0.5 * (1 + math.erf(x / math.sqrt(2)))


def plain_logits(model, tokens):
    """One sequence's logits, number by number."""
    weights = {name: value.tolist() for name, value in model.state_dict().items()}
    states = [
        norm([a + b for a, b in zip(weights["tokens"][token], place, strict=True)])
        for token, place in zip(tokens, weights["positions"], strict=True)
    ]
    scores = [
        math.exp(sum(q * x for q, x in zip(weights["query"], state, strict=True)) / math.sqrt(2)) for state in states
    ]
    values = [
        [sum(v * x for v, x in zip(row, state, strict=True)) for row in weights["value.weight"]] for state in states
    ]
    xi = [sum(s * value[c] for s, value in zip(scores, values, strict=True)) / sum(scores) for c in range(2)]
    hidden = [
        gelu(sum(w * x for w, x in zip(row, norm(xi), strict=True)) + bias)
        for row, bias in zip(weights["receptors.weight"], weights["receptors.bias"], strict=True)
    ]
    out = [
        x + bias + sum(w * h for w, h in zip(row, hidden, strict=True))
        for x, row, bias in zip(xi, weights["assemblers.weight"], weights["assemblers.bias"], strict=True)
    ]
    return [sum(a * b for a, b in zip(out, row, strict=True)) for row in weights["tokens"]], xi


def test_the_forward_pass_by_definition():
    model = ClusteringHead(p=3, length=7, neurons=5, seed=2).double()
    tokens = torch.randint(3, (6, 7), generator=torch.Generator().manual_seed(0))
    state = model.follow(tokens)
    for row, sequence in enumerate(tokens.tolist()):
        logits, xi = plain_logits(model, sequence)
        assert_allclose(state.logits[row].tolist(), logits, rtol=1e-10)
        assert_allclose(state.embedding[row].tolist(), xi, rtol=1e-10)


@pytest.mark.parametrize(("p", "support"), [(2, 5), (3, 3)])
def test_clusters_are_counts_in_the_support(p, support):
    """As many clusters as multisets: C(support + p − 1, support); 6 for p = 2 and k = 5."""
    task = ModularAddition(p=p, support=support)
    tokens, answers = task.data()
    clusters = task.clusters(tokens)
    assert len(set(clusters.tolist())) == math.comb(support + p - 1, support)
    multisets = [tuple(sorted(Counter(row[:support]).items())) for row in tokens.tolist()]
    assert len(set(zip(multisets, clusters.tolist(), strict=True))) == len(set(multisets))
    assert answers.tolist() == [sum(row[:support]) % p for row in tokens.tolist()]
    if p == 2:
        assert clusters.tolist() == [sum(row[:5]) for row in tokens.tolist()]


def test_cluster_quality():
    """1 of points; the share of variance between by the law of total variance; 0 of clusters with one mean."""
    clusters = torch.tensor([0, 0, 1, 1, 2])
    points = torch.tensor([[0.0, 1], [0, 1], [2, 2], [2, 2], [5, 0]])
    assert cluster_quality(points, clusters) == pytest.approx(1)
    noisy = points + torch.randn(5, 2, generator=torch.Generator().manual_seed(0))
    means = torch.stack([noisy[clusters == c].mean(0) for c in range(3)])[clusters]
    within, total = (noisy - means).square().sum(), (noisy - noisy.mean(0)).square().sum()
    assert cluster_quality(noisy, clusters) == pytest.approx(float(1 - within / total))
    assert cluster_quality(torch.tensor([[1.0, 0], [-1, 0], [1, 0], [-1, 0]]), torch.tensor([0, 0, 1, 1])) == 0


def test_fine_tuning_starts_from_the_trained_head():
    """Everything but the vectors of new tokens is taken over; the same task starts from the same answers."""
    head = ClusteringHead(seed=5)
    start = ClusteringLesson(Clustering(task=ModularAddition(p=3, support=4)), head).model()
    assert_close(start.tokens[:2], head.tokens)
    assert_close(start.positions, head.positions)
    tokens = torch.randint(2, (5, 12), generator=torch.Generator().manual_seed(1))
    assert_close(start(tokens)[:, :2], head(tokens))


def test_support_within_the_length():
    with pytest.raises(OptionError, match=r"support = 13 exceeds length = 12"):
        ModularAddition(support=13)


def test_the_grid_is_what_the_mlp_does():
    model = ClusteringHead(seed=1).double()
    tokens = torch.randint(2, (4, 12), generator=torch.Generator().manual_seed(2))
    state = model.follow(tokens)
    assert_close(model.transform(state.embedding)[1], state.output)
    assert np.isfinite(state.output.detach().numpy()).all()

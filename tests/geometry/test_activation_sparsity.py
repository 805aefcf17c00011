"""Sparsity by its definition, token by token; losses by plain runs."""

import numpy as np
import pytest
import torch
from reading import sentences
from torch.nn.functional import cross_entropy

from interp.core.errors import EngineError
from interp.core.prompts import Prompts
from interp.geometry import activation_sparsity
from interp.geometry.activation_sparsity import _measures, without_smallest
from interp.models import Edit

THRESHOLD, SHARE = 0.02, 0.5


def loss(model, text, edits=()):
    prompts = Prompts.of(model, text)
    return cross_entropy(model.run(prompts, edits=edits).logits[0, :-1], prompts.tokens[0, 1:]).item()


def cut(neurons):
    """The smaller half of each token's activations at zero, number by number."""
    out = neurons.clone()
    for window in out:
        for token in window:
            for at in sorted(range(len(token)), key=lambda at, token=token: abs(float(token[at])))[: len(token) // 2]:
                token[at] = 0
    return out


@pytest.mark.parametrize("family", ["llama", "gptneox", "gemma3", "bert-masked"])
def test_agrees_with_the_definition(family, tiny):
    model, texts = tiny(family, "float64"), sentences(family, 2)
    result = activation_sparsity(model, texts, threshold=THRESHOLD, fractions=(SHARE,), layer_fraction=SHARE)
    sites = model.sites("mlp_post")
    for layer, site in enumerate(sites):
        rows = []
        for text in texts:
            neurons = model.run(text, record=[site])[site][0, 1:].detach().numpy()
            root = np.sqrt(neurons.shape[1])
            norms = [np.abs(token).sum() / np.linalg.norm(token) for token in neurons]
            rows.append([np.mean(np.abs(neurons) < THRESHOLD), np.mean([(root - r) / (root - 1) for r in norms])])
        cell = result.data.isel(layer=layer)
        np.testing.assert_allclose([cell["small_share"], cell["hoyer"]], np.mean(rows, 0), atol=1e-9)
        if model.is_causal:
            rises = [loss(model, text, [Edit.through(site, cut)]) - loss(model, text) for text in texts]
            assert cell["layer_increase"].item() == pytest.approx(np.mean(rises), abs=1e-9)
    if model.is_causal:
        everywhere = [Edit.through(site, cut) for site in sites]
        rises = [loss(model, text, everywhere) - loss(model, text) for text in texts]
        assert result.increase.values[0] == pytest.approx(np.mean(rises), abs=1e-9)
    else:
        assert np.isnan(result.increase).all()
        assert np.isnan(result.loss)


def test_nothing_removed_costs_nothing_and_all_removed_is_all(tiny):
    """With every activation at zero, which ones came first does not matter."""
    model, texts = tiny("llama", "float64"), sentences("llama", 2)
    result = activation_sparsity(model, texts, fractions=(0.0, 1.0), layer_fraction=0.0)
    np.testing.assert_allclose(result.layer_increase, 0, atol=1e-12)
    assert result.increase.values[0] == pytest.approx(0, abs=1e-12)
    assert result.increase.values[1] == pytest.approx(result.random_increase.values[1])
    zero = [Edit.zero(site) for site in model.sites("mlp_post")]
    rises = [loss(model, text, zero) - loss(model, text) for text in texts]
    assert result.increase.values[1] == pytest.approx(np.mean(rises))


def test_hoyers_index_at_its_ends():
    """All alike 0, a single one 1; zeros have none."""
    cases = torch.tensor([[[1.0, -1, 1, 1], [0, 0, 7, 0], [0, 0, 0, 0]]], dtype=torch.float64)
    small, zeros, hoyer = _measures(cases, 0.5)
    np.testing.assert_allclose(hoyer[0], [0, 1, np.nan])
    assert small.tolist() == zeros.tolist() == [[0, 0.75, 1]]
    assert without_smallest(torch.tensor([[[3.0, -4, 1, 2]]]), 0.5).tolist() == [[[3, -4, 0, 0]]]


def test_a_mixture_of_experts_is_refused(tiny):
    with pytest.raises(EngineError, match="mixtures of experts"):
        activation_sparsity(tiny("mixtral"), ["the"])

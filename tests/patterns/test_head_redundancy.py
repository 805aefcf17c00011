"""Leave one head out by plain runs, and CKA by its definition."""

import numpy as np
import pytest
import torch
from reading import sentences
from tiny import FAMILIES
from torch.nn.functional import cross_entropy

from interp.core.prompts import Prompts
from interp.models import Edit, Site
from interp.patterns import head_redundancy


def loss(model, text, edits=()):
    prompts = Prompts.of(model, text)
    logits = model.run(prompts, edits=edits).logits[0]
    return cross_entropy(logits[:-1], prompts.tokens[0, 1:]).item()


def unbiased_hsic(k, m):
    """Song et al. 2012, equation 5, as it is written."""
    n, k, m = len(k), k - np.diag(np.diag(k)), m - np.diag(np.diag(m))
    one = np.ones(n)
    return (
        np.trace(k @ m) + one @ k @ one * (one @ m @ one) / (n - 1) / (n - 2) - 2 / (n - 2) * (one @ k @ m @ one)
    ) / (n * (n - 3))


@pytest.mark.parametrize("family", ["llama", "gemma3", "gptneox"])
@pytest.mark.parametrize("ablation", ["zero", "mean"])
def test_increases_are_those_of_plain_runs(family, ablation, tiny):
    model, texts = tiny(family, "float64"), sentences(family, 2)
    result = head_redundancy(model, texts, ablation=ablation)
    clean = [loss(model, text) for text in texts]
    assert result.loss.item() == pytest.approx(np.mean(clean))
    for layer, head in np.ndindex(model.dims.layers, model.dims.heads):
        site, rises = Site("z", layer), []
        for text, before in zip(texts, clean, strict=True):
            z = model.run(text, record=[site])[site]
            value = 0.0 if ablation == "zero" else z[:, :, head].mean(1, keepdim=True)
            rises.append(loss(model, text, [Edit.replace(site, value, head=head)]) - before)
        cell = result.data.isel(layer=layer, head=head)
        assert cell["increase"].item() == pytest.approx(np.mean(rises), abs=1e-9)
        assert cell["increase_interval"].values[0] <= cell["increase"] <= cell["increase_interval"].values[1]


@pytest.mark.parametrize("family", FAMILIES)
def test_the_nearest_head_by_the_definition(family, tiny):
    model, texts = tiny(family, "float64"), sentences(family, 3)
    result = head_redundancy(model, texts, skip=1)
    size = model.dims.layers * model.dims.heads
    hsic = np.zeros((size, size))
    for text in texts:
        trace = model.run(text, record=model.sites("head_out"))
        outs = [trace[site][0, 1:, head].detach().numpy() for site in model.sites("head_out") for head in range(4)]
        kernels = [out @ out.T for out in outs]
        hsic += [[unbiased_hsic(k, m) for m in kernels] for k in kernels]
    cka = hsic / np.sqrt(np.outer(np.diag(hsic), np.diag(hsic)))
    np.fill_diagonal(cka, np.nan)
    np.testing.assert_allclose(result.similarity.values.ravel(), np.nanmax(cka, 1), atol=1e-8)
    np.testing.assert_allclose(result.mean_similarity.values.ravel(), np.nanmean(cka, 1), atol=1e-8)
    names = [f"a{at // 4}.{at % 4}" for at in np.nanargmax(cka, 1)]
    assert result.nearest.values.ravel().tolist() == names


def test_a_rotated_copy_is_found(tiny):
    """A head that writes what another one writes, in other directions of the stream, is the nearest, at 1."""
    model = tiny("gpt2", "float64")
    first, _, _, last = (torch.linalg.cholesky(each @ each.T) for each in model.weights.output(1))
    turn = torch.linalg.solve_triangular(last, first, upper=False, left=False)  # first = turn @ last
    copy = Edit.through(Site("z", 1), lambda z: torch.cat([z[:, :, :3], z[:, :, :1] @ turn], 2))
    with model.edited([copy]):
        result = head_redundancy(model, sentences("gpt2", 3)).data.sel(layer=1)
    assert result["nearest"].values[[0, 3]].tolist() == ["a1.3", "a1.0"]
    np.testing.assert_allclose(result["similarity"].values[[0, 3]], 1)

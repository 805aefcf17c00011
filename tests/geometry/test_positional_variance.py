"""Positional variance against loops over the plain model, and the law that it is about."""

import numpy as np
import pytest
import torch
from reading import sentences
from tiny import FAMILIES

from interp.core.prompts import Prompts
from interp.corpus import Windows
from interp.geometry import positional_variance
from interp.models import Edit, Site


def written(model, text, uniform: bool):
    """What attention adds at each layer and position of one prompt; `uniform`: with every pattern made flat."""
    prompts, sites = Prompts.of(model, text), model.sites("attn_write")
    layers = []
    with torch.no_grad():
        plain = model.run(prompts, record=[*model.sites("pattern"), *sites, *model.sites("v")])
        for layer, site in enumerate(sites):
            if not uniform:
                layers.append(plain[site][0].numpy())
                continue
            pattern, values = plain[Site("pattern", layer)][0], plain[Site("v", layer)][0]
            z = torch.zeros(prompts.width, model.dims.heads, model.dims.d_head, dtype=torch.float64)
            for query in range(prompts.width):
                keys = [key for key in range(prompts.width) if pattern[0, query, key] > 0]
                for head in range(model.dims.heads):
                    of = head * model.dims.kv_heads // model.dims.heads
                    z[query, head] = sum(values[key, of] for key in keys) / len(keys)
            run = model.run(prompts, record=[site], edits=[Edit.replace(Site("z", layer), z[None])])
            layers.append(run[site][0].numpy())
    return layers


@pytest.mark.parametrize("family", FAMILIES)
def test_agrees_with_the_definition(family, tiny):
    """Prompts of different lengths: at each position over the prompts that have one there."""
    model, texts = tiny(family, "float64"), sentences(family, 5)
    found = positional_variance(model, texts).data
    for name, uniform in (("variance", False), ("uniform_attention_variance", True)):
        each = [written(model, text, uniform) for text in texts]
        for layer in range(model.dims.layers):
            for pos in range(found.sizes["pos"]):
                rows = [prompt[layer][pos] for prompt in each if pos < len(prompt[layer])]
                mean = sum(rows) / len(rows)
                expected = np.mean(sum((row - mean) ** 2 for row in rows) / len(rows))
                np.testing.assert_allclose(found[name].values[layer, pos], expected, atol=1e-10)


def test_the_mean_of_independent_values_varies_like_one_over_t(tiny):
    """Random tokens, no positions, first layer: uniform attention writes the mean of t unrelated values."""
    model = tiny("llama", "float64")
    tokens = torch.randint(1, model.dims.vocab, (400, 40), generator=torch.Generator().manual_seed(0))
    windows = Windows.of_rows(model, tokens, corpus="random", documents=[""] * 400, topics=[""] * 400)
    found = positional_variance(model, windows).values("uniform_attention_variance").values[0]
    scaled = found * np.arange(1, 41)
    np.testing.assert_allclose(scaled / scaled.mean(), 1, atol=0.15)


def test_one_window_does_not_vary(tiny):
    found = positional_variance(tiny("gpt2", "float64"), "When Mary and John went to the store").data
    for name in found.data_vars:
        np.testing.assert_allclose(found[name], 0, atol=1e-12)

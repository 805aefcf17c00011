"""The lazy ratio query by query, and the restricted loss by patterns cut and shared out again."""

import numpy as np
import pytest
from reading import sentences
from tiny import FAMILIES
from torch.nn.functional import cross_entropy

from interp.core.prompts import Prompts
from interp.models import Edit, Site
from interp.patterns import lazy_layers
from interp.readout import attention

FIRST, RECENT, QUERIES = 1, 2, 3


def is_lazy(query, key):
    return key < FIRST or abs(query - key) < RECENT


@pytest.mark.parametrize("family", FAMILIES)
def test_agrees_with_the_definition(family, tiny):
    """On prompts of different lengths."""
    model, texts = tiny(family, "float64"), sentences(family, 3)
    result = lazy_layers(model, texts, first=FIRST, recent=RECENT, queries=QUERIES)
    rows, uniform = [], []
    for text in texts:
        pattern = attention(model, text).values("attention").values[0]
        queries = range(pattern.shape[-1] - QUERIES, pattern.shape[-1])
        cells = [(query, key) for query in queries for key in range(pattern.shape[-1]) if is_lazy(query, key)]
        rows.append(sum(pattern[..., query, key] for query, key in cells) / QUERIES)
        seen = pattern.max(1) > 0
        shares = [[seen[:, q, k] / seen[:, q].sum(-1) for k in range(seen.shape[-1]) if is_lazy(q, k)] for q in queries]
        uniform.append(np.array([np.sum(share, 0) for share in shares]).mean(0))
    np.testing.assert_allclose(result.lazy, np.mean(rows, 0), atol=1e-6)
    np.testing.assert_allclose(result.layer_lazy, np.mean(rows, 0).mean(1), atol=1e-6)
    np.testing.assert_allclose(result.uniform, np.mean(uniform, 0), atol=1e-6)


def loss(model, text, edits=()):
    prompts = Prompts.of(model, text)
    return cross_entropy(model.run(prompts, edits=edits).logits[0, :-1], prompts.tokens[0, 1:]).item()


@pytest.mark.parametrize("family", ["llama", "gemma3", "gptneox"])
def test_the_restricted_loss_is_that_of_patterns_cut(family, tiny):
    """A softmax over fewer keys is the pattern cut to them and divided by its sum."""
    model, texts = tiny(family, "float64"), sentences(family, 2)
    result = lazy_layers(model, texts, first=FIRST, recent=RECENT)

    def cut(pattern):
        size = pattern.shape[-1]
        keep = pattern.new_tensor([[is_lazy(query, key) for key in range(size)] for query in range(size)])
        return pattern * keep / (pattern * keep).sum(-1, keepdim=True)

    for layer in range(model.dims.layers):
        edit = Edit.through(Site("pattern", layer), cut)
        rises = [loss(model, text, [edit]) - loss(model, text) for text in texts]
        assert result.increase.values[layer] == pytest.approx(np.mean(rises), abs=1e-7)
    assert result.loss.item() == pytest.approx(np.mean([loss(model, text) for text in texts]))


def test_a_layer_that_may_see_all_keys_loses_nothing(tiny):
    result = lazy_layers(tiny("llama", "float64"), sentences("llama", 2), recent=64)
    np.testing.assert_allclose(result.lazy, 1)
    np.testing.assert_allclose(result.uniform, 1)
    np.testing.assert_allclose(result.increase, 0, atol=1e-12)

"""Entropy, largest weight, local share and slope against their definitions, query by query."""

import math

import numpy as np
import pytest
from reading import sentences
from tiny import FAMILIES

from interp.core.prompts import Prompts
from interp.models import Edit
from interp.models.attention import visible
from interp.patterns import attention_dispersion
from interp.readout import attention

LOCAL, FIRST = 3, 2


def slow_entropy(row):
    return -sum(p * math.log(p) for p in row if p > 0)


def slow_measures(pattern, keys_of):
    """One head of one prompt, query by query; `keys_of` are the keys that a query sees."""
    queries = range(FIRST, len(pattern))
    keys = {query: keys_of(query) for query in queries}
    shares, besides = [], []
    for query in queries:
        row, others = pattern[query], [key for key in keys[query] if key > 0]
        shares.append(slow_entropy(row) / math.log(len(keys[query])))
        if len(others) > 1:
            rest = sum(row[key] for key in others)
            besides.append(slow_entropy([row[key] / rest for key in others]) / math.log(len(others)))
    logs = [math.log(len(keys[query])) for query in queries]
    varies = max(logs) - min(logs) > 1e-9
    slope = np.polyfit(logs, [slow_entropy(pattern[query]) for query in queries], 1)[0] if varies else math.nan
    local = [sum(p for key, p in enumerate(pattern[query]) if abs(query - key) < LOCAL) for query in queries]
    return np.mean(shares), np.mean(besides), slope, np.mean([max(pattern[q]) for q in queries]), np.mean(local)


@pytest.mark.parametrize("family", FAMILIES)
def test_agrees_with_the_definition(family, tiny):
    model, texts = tiny(family, "float64"), sentences(family, 3)
    result = attention_dispersion(model, texts, local=LOCAL, first_query=FIRST)
    names = ("entropy_share", "entropy_share_without_first", "slope", "max_weight", "local_mass")
    for layer in range(model.dims.layers):
        rows = []
        for text in texts:
            patterns = attention(model, text).values("attention").values[0, layer]

            def keys_of(query, patterns=patterns):
                return np.flatnonzero(patterns[0, query] > 0)

            rows.append([slow_measures(pattern, keys_of) for pattern in patterns])
        expected = np.mean(rows, 0)
        for at, name in enumerate(names):
            np.testing.assert_allclose(result.values(name)[layer], expected[:, at], atol=1e-6, err_msg=name)


def test_uniform_attention_has_the_entropy_log_t(tiny):
    """Exactly, at every position, with a slope of 1 and a largest weight of 1 / t."""
    model = tiny("llama", "float64")
    prompts = Prompts.of_tokens(model, [[5, 6, 7, 8, 9, 10, 3, 4]])
    alike = [Edit.through(site, lambda x: x.where(~visible(x), 0)) for site in model.sites("scores")]
    with model.edited(alike):
        result = attention_dispersion(model, prompts, local=2)
    expected = np.log(np.arange(1, 9))
    np.testing.assert_allclose(result.entropy, np.broadcast_to(expected, result.entropy.shape), atol=1e-12)
    np.testing.assert_allclose(result.uniform_entropy, np.broadcast_to(expected, (3, 8)), atol=1e-12)
    np.testing.assert_allclose(result.slope, 1, atol=1e-12)
    np.testing.assert_allclose(result.entropy_share, 1, atol=1e-12)
    np.testing.assert_allclose(result.entropy_share_without_first, 1, atol=1e-12)
    largest = np.mean([1 / t for t in range(2, 9)])
    np.testing.assert_allclose(result.max_weight, largest)
    np.testing.assert_allclose(result.uniform_max_weight, largest)
    np.testing.assert_allclose(result.local_mass, result.uniform_local_mass.values[:, None] * np.ones(4))


def test_both_ways_the_number_of_keys_does_not_vary(tiny):
    """An encoder's queries all see all keys: there is no slope."""
    assert np.isnan(attention_dispersion(tiny("bert-masked"), sentences("bert-masked", 2)).slope).all()

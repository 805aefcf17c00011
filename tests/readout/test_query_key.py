"""Compared with the queries and keys that Hugging Face's own eager attention receives, normed and rotated."""

import sys

import numpy as np
import pytest
from tiny import FAMILIES

from interp.core.errors import EngineError, OptionError
from interp.core.prompts import Prompts
from interp.models.obstacles import Obstacles
from interp.readout import query_key

HEADS, WINDOW = 4, 8
SLIDING = {("gemma3", 0), ("gemma3", 2)}


def received(reference, tokens):
    """Query, key and scale of every layer, as the plain model's attention function gets them."""
    home = sys.modules[type(reference.model).__module__]
    eager, seen = home.eager_attention_forward, []

    def spy(module, query, key, *rest, scaling=None, **more):
        seen.append((query[0].tolist(), key[0].tolist(), scaling or query.shape[-1] ** -0.5))
        return eager(module, query, key, *rest, scaling=scaling, **more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(home, "eager_attention_forward", spy)
        reference.run(tokens)
    return seen


def is_visible(family, layer, query_pos, key_pos):
    if family.startswith("bert"):
        return True
    return key_pos <= query_pos and ((family, layer) not in SLIDING or query_pos - key_pos < WINDOW)


@pytest.mark.parametrize("query_pos", [-1, 3])
@pytest.mark.parametrize("family", FAMILIES)
def test_agrees_with_the_definition(family, query_pos, tiny, plain, texts):
    """Every layer and head, in a padded batch; keys that the query cannot see are NaN."""
    model, reference = tiny(family, "float64"), plain(family)
    prompts = Prompts.of(model, texts(family))
    rows = [reference.tokens(text) for text in texts(family)]
    plains = [(received(reference, tokens), reference.attention(tokens).numpy()) for tokens in rows]
    for layer in range(3):
        for head in range(HEADS):
            found = query_key(model, prompts, layer=layer, head=head, query_pos=query_pos).data
            for row, (seen, attention) in enumerate(plains):
                queries, keys, scale = seen[layer]
                place = len(rows[row]) - 1 if query_pos == -1 else query_pos
                query, group = queries[head][place], head // (HEADS // len(keys))
                assert found.query_pos.values[row] == place
                np.testing.assert_allclose(found["query"].values[row], query, atol=1e-5)
                for key_pos in range(prompts.width):
                    cell = found.isel(batch=row, key_pos=key_pos)
                    if key_pos >= len(rows[row]) or not is_visible(family, layer, place, key_pos):
                        assert all(np.isnan(cell[name]).all() for name in ("key", "product", "score", "attention"))
                        continue
                    key = keys[group][key_pos]
                    product = [q * k * scale for q, k in zip(query, key, strict=True)]
                    np.testing.assert_allclose(cell.key, key, atol=1e-5)
                    np.testing.assert_allclose(cell["product"], product, atol=1e-5)
                    np.testing.assert_allclose(cell.score, sum(product), atol=1e-5)
                    np.testing.assert_allclose(cell.attention, attention[layer, head, place, key_pos], atol=1e-6)


@pytest.mark.parametrize("family", FAMILIES)
def test_products_and_remainder_are_the_score(family, tiny, texts):
    """And the softmax of the scores is the attention."""
    model = tiny(family, "float64")
    found = query_key(model, texts(family)[0], layer=1, head=3).data.isel(batch=0)
    seen = ~np.isnan(found.score.values)
    score = found.score.values[seen]
    np.testing.assert_allclose(
        found["product"].sum("d_head").values[seen] + found.remainder.values[seen], score, rtol=1e-12
    )
    assert abs(found.remainder.values[seen]).max() < 1e-12
    np.testing.assert_allclose(np.exp(score) / np.exp(score).sum(), found.attention.values[seen], atol=1e-6)


def test_the_query_is_labelled(tiny):
    frame = query_key(tiny("llama"), "the store", query_pos=1).to_frame()
    label = Prompts.of(tiny("llama"), "the store").labels[0][1]
    assert set(frame.query_pos) == {1}
    assert set(frame.query_token) == {label}


@pytest.mark.parametrize("options", [{"layer": 3}, {"layer": -1}, {"head": 4}, {"query_pos": 50}, {"query_pos": -2}])
def test_bad_options_are_named(options, tiny):
    name = next(iter(options))
    with pytest.raises(OptionError, match=f"query-key, {name} = {options[name]}") as error:
        query_key(tiny("llama"), "the store", **options)
    assert "\n" not in str(error.value)


def test_attention_of_another_kind_is_refused(tiny, monkeypatch):
    model = tiny("llama")
    monkeypatch.setattr(model, "obstacles", Obstacles(parts={"attention": "adds a bias by position"}))
    with pytest.raises(EngineError, match="adds a bias by position"):
        query_key(model, "the store")


@pytest.mark.real_model
def test_real_scores_add_up(real_model):
    found = query_key(real_model, "When Mary and John went to the store, John gave a drink to", layer=18, head=3).data
    assert abs(found.remainder).max() < 1e-4
    np.testing.assert_allclose(np.exp(found.score) / np.exp(found.score).sum(), found.attention, atol=1e-5)

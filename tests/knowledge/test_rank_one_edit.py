"""Rank-one edits against a model whose weight is really changed, and against the equation."""

from copy import deepcopy

import numpy as np
import pytest
import torch
from asking import pairs_for
from reading import sentences

from interp.core.errors import OptionError, PromptError, TargetError
from interp.core.prompts import Prompts
from interp.knowledge import rank_one_edit
from interp.knowledge.rank_one import KeySums, edits_of, key_direction, rank_one_edits
from interp.models import Site

TEXT = "When Mary and John went to the store"


@pytest.mark.parametrize("family", ["llama", "gptneox", "gemma3"])
def test_the_edit_is_the_changed_weight(family, tiny):
    """Every logit, with W + change ⊗ direction put into the model itself; and without the edit all is as before."""
    model = tiny(family, "float64")
    pairs = pairs_for(model, family)
    result = rank_one_edit(model, pairs, layer=1, windows=2, steps=4)
    edits = edits_of(result, 1)
    edited, before = model.run(pairs.clean, edits=edits).logits, model.logits(pairs.clean)
    matrix = model.weights.mlp_out(1).matrix  # a view of the parameter
    kept = matrix.clone()
    try:
        data = result.data.isel(batch=1)
        change = np.outer(data["key_direction"], data["value_change"])
        with torch.no_grad():
            matrix += torch.from_numpy(change)
        changed = model.logits(pairs.clean)
    finally:
        with torch.no_grad():
            matrix.copy_(kept)
    assert torch.allclose(edited, changed, atol=1e-9)
    assert not torch.allclose(edited, before, atol=1e-6)
    assert torch.equal(model.logits(pairs.clean), before)
    np.testing.assert_allclose(data["weight_change"], np.linalg.norm(change) / np.linalg.norm(kept.numpy()), rtol=1e-9)


def test_the_key_gets_its_value_and_what_is_orthogonal_in_the_corpus_keeps_its_own():
    random = np.random.default_rng(0)
    keys = random.normal(size=(500, 12)) @ random.normal(size=(12, 12))
    covariance, key = keys.T @ keys / 500, random.normal(size=12)
    direction = key_direction(covariance, key, 1e-12)
    solved = np.linalg.inv(covariance) @ key
    np.testing.assert_allclose(direction, solved / (solved @ key), rtol=1e-6)
    assert direction @ key == pytest.approx(1)
    # Of all changes that give the key its value it moves the corpus' keys least.
    other = direction + random.normal(size=12)
    other = other / (other @ key)
    assert np.mean((keys @ direction) ** 2) < np.mean((keys @ other) ** 2)
    assert not key_direction(covariance, np.zeros(12), 1e-3).any()


def test_the_new_answer_wins_and_the_numbers_are_plain_runs(tiny):
    model = tiny("llama", "float64")
    prompt = Prompts.of(model, TEXT, target=" Mary", contrast=" John")
    others, near = ("the store Mary and John",), ("to the store went", "and to")
    result = rank_one_edit(model, prompt, subject="John", steps=100, windows=4, paraphrases=others, neighbours=near)
    data, edits = result.data, edits_of(result)
    new, old = (model.encode_continuation(text)[0] for text in (" John", " Mary"))

    def odds(text, edits=()):
        row = model.run(text, edits=edits).logits[0, -1].log_softmax(-1)
        return float(row[new] - row[old])

    np.testing.assert_allclose(data["before"], odds(TEXT), rtol=1e-9)
    np.testing.assert_allclose(data["after"], odds(TEXT, edits), rtol=1e-9)
    np.testing.assert_allclose(data["paraphrase_after"][0, 0], odds(others[0], edits), rtol=1e-9)
    np.testing.assert_allclose(data["neighbour_before"][0, 1], odds(near[1]), rtol=1e-9)
    assert data["after"].item() > max(0, data["before"].item())


def test_keys_are_summed_over_tokens(tiny):
    model = tiny("llama", "float64")
    prompts, site = Prompts.of(model, sentences("llama", 3)), Site("mlp_post", 2)
    keys = model.run(prompts, record=[site])[site][:, 1:][prompts.mask[:, 1:]].numpy()
    sums = KeySums(2).measure(model, prompts, 0).totals
    np.testing.assert_allclose(sums["kk"], keys.T @ keys)
    assert int(sums["tokens"]) == len(keys)


def test_an_edit_along_nothing_changes_nothing(tiny):
    model = tiny("llama", "float64")
    edits = rank_one_edits(0, torch.zeros(model.dims.d_mlp), torch.ones(model.dims.d_model))
    assert torch.equal(model.run(TEXT, edits=deepcopy(edits)).logits, model.logits(TEXT))


def test_refusals(tiny):
    model = tiny("llama")
    with pytest.raises(TargetError, match="give a contrast"):
        rank_one_edit(model, TEXT, target=" Mary", subject="John")
    with pytest.raises(PromptError, match="needs the subject"):
        rank_one_edit(model, TEXT, target=" Mary", contrast=" John")
    with pytest.raises(OptionError, match=r"layer = 9: .* has layers 0 to 2"):
        rank_one_edit(model, TEXT, target=" Mary", contrast=" John", subject="John", layer=9)


def test_the_search_in_half_precision(tiny):
    """Adam's squares of gradients are too small for float16: the change is searched for in float32."""
    ask = {"target": " Mary", "contrast": " John", "subject": "Mary", "layer": 1, "windows": 2, "steps": 4}
    half, full = (rank_one_edit(tiny("llama", dtype), TEXT, **ask) for dtype in ("float16", "float32"))
    np.testing.assert_allclose(half.values("after"), full.values("after"), atol=0.1)
    assert half.data["value_change"].any()

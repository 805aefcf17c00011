"""Rollout against its definition on the plain Hugging Face model: whole matrices multiplied, one prompt at a time."""

import numpy as np
import pytest
import torch
from asking import covering, prompts_for
from tiny import FAMILIES

from interp.attribution import rollout
from interp.core.errors import OptionError

# Some families compute their softmax in float32 even with float64 weights: the two runs differ by its rounding.
CLOSE = 1e-6


def attentions(family, folder, tokens):
    model = FAMILIES[family].model.from_pretrained(folder, dtype=torch.float64, attn_implementation="eager").eval()
    with torch.no_grad():
        return [a[0].double().numpy() for a in model(tokens[None], output_attentions=True).attentions]


def by_definition(maps, row, residual, fuse):
    product = np.eye(maps[0].shape[-1])
    for heads in maps:
        fused = fuse(heads, axis=0)
        fused = fused / fused.sum(-1, keepdims=True)
        product = (residual * np.eye(len(fused)) + (1 - residual) * fused) @ product
    return product[row]


@covering(("family", FAMILIES), ("heads", ["mean", "max"]))
def test_agrees_with_the_definition(family, heads, tiny, checkpoint):
    model = tiny(family, "float64")
    prompts = prompts_for(model, family)
    result = rollout(model, prompts, pooling=heads, residual=0.3)
    for index, keep in enumerate(prompts.mask):
        maps = attentions(family, checkpoint(family), prompts.tokens[index][keep])
        row = 0 if model.is_classifier else prompts.answer_positions(model)[index]
        expected = by_definition(maps, row, 0.3, {"mean": np.mean, "max": np.max}[heads])
        found = result.data["relevance"].values[index]
        np.testing.assert_allclose(found[keep.numpy()], expected, atol=CLOSE)
        assert (found[~keep.numpy()] == 0).all()


@pytest.mark.parametrize("family", FAMILIES)
def test_adds_up_to_one_at_every_layer(family, tiny):
    model = tiny(family)
    data = rollout(model, prompts_for(model, family)).data
    np.testing.assert_allclose(data["relevance"].sum("pos"), 1, atol=1e-12)
    np.testing.assert_allclose(data["stream"].sum("pos"), 1, atol=1e-12)
    np.testing.assert_allclose(data["remainder"], 0, atol=1e-12)
    assert (data["stream"].isel(layer=-1).max("pos") == 1).all()


def test_a_target_changes_nothing(tiny):
    model = tiny("llama")
    asked = rollout(model, "The keys to the cabinet", target=" is")
    assert asked.data["relevance"].equals(rollout(model, "The keys to the cabinet").data["relevance"])


def test_with_residual_one_everything_stays_where_the_answer_is(tiny):
    relevance = rollout(tiny("gpt2"), "The keys", residual=1).data["relevance"].values[0]
    assert relevance[-1] == 1
    assert (relevance[:-1] == 0).all()


def test_bad_options_are_refused(tiny):
    with pytest.raises(OptionError, match="residual"):
        rollout(tiny("gpt2"), "The keys", residual=1.5)

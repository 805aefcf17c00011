"""Ablation of a set, against the same edits made one by one on the model."""

import pytest
import torch
from asking import pairs_for
from numpy.testing import assert_allclose
from tiny import FAMILIES

from interp.circuits import ablation, activation_patching
from interp.core.errors import OptionError, SiteError
from interp.models import Edit, Site


@pytest.mark.parametrize("family", FAMILIES)
def test_a_set_equals_its_edits(tiny, family):
    model = tiny(family, "float64")
    pairs = pairs_for(model, family)
    result = ablation(model, pairs, nodes=("a1.2", "0.3", "m2"), how="zero", top=3)
    edits = [Edit.zero(Site("z", 1), head=2), Edit.zero(Site("z", 0), head=3), Edit.zero(Site("mlp_out", 2))]
    metric = pairs.metric
    clean, edited = model.logits(pairs.clean), model.run(pairs.clean, edits=edits).logits
    assert_allclose(result.values("clean"), metric(clean), atol=1e-9)
    assert_allclose(result.values("edited"), metric(edited), atol=1e-9)
    assert_allclose(result.values("effect"), metric(edited) - metric(clean), atol=1e-9)
    rows = edited if model.is_classifier else metric.at_answer(edited)
    assert_allclose(result.values("edited_prob"), rows.softmax(-1).sort(descending=True).values[:, :3], atol=1e-9)


@pytest.mark.parametrize("how", ["zero", "mean", "resample"])
def test_one_head_equals_its_patch(tiny, how):
    model = tiny("gemma3", "float64")
    pairs = pairs_for(model, "gemma3")
    patched = activation_patching(model, pairs, how=how).values().sel(layer=1, head=3)
    assert_allclose(ablation(model, pairs, nodes=("a1.3",), how=how).values("effect"), patched, atol=1e-9)


def test_nothing_ablated_changes_nothing(tiny):
    model = tiny("llama")
    result = ablation(model, pairs_for(model, "llama"))
    assert (result.values("effect") == 0).all()


def test_without_a_question_the_tokens_are_still_compared(tiny):
    model = tiny("llama")
    result = ablation(model, "When Mary and John went", nodes=("m0",))
    assert result.values("effect").isnull().all()
    assert float(result.values("clean_prob").sum()) <= 1


@pytest.mark.parametrize("node", ["a9.0", "0.9", "m7"])
def test_a_node_that_is_not_there(tiny, node):
    model = tiny("llama")
    with pytest.raises(SiteError, match="layers run from 0 to 2, heads from 0 to 3"):
        ablation(model, pairs_for(model, "llama"), nodes=(node,))


def test_a_node_that_is_no_node(tiny):
    model = tiny("llama")
    with pytest.raises(SiteError, match=r"'head three' is not a node; write a head as a23.3"):
        ablation(model, pairs_for(model, "llama"), nodes=("head three",))


def test_resampling_needs_a_corrupted_prompt(tiny):
    with pytest.raises(OptionError, match="needs a corrupted prompt"):
        ablation(tiny("llama"), "The keys", nodes=("m0",), how="resample")
    assert torch.is_grad_enabled()

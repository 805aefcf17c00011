"""Mixtures of experts: relevance and decompositions against their definitions, and ledgers that close."""

import numpy as np
import pytest
import torch
from asking import covering, prompts_for, some
from attribution.lrp_by_definition import Propagation
from attribution.test_cdt import by_definition
from attribution.test_decompx import TokenByToken
from attribution.test_relevance_rules import RECIPES, assert_adds_up, assert_same_ledger, ledger, run
from numpy.testing import assert_allclose
from plain_transformer import plain, walk
from tiny import MIXTURES

import interp
from interp.core.errors import EngineError

EVERY = some("family", MIXTURES, always=["qwen2moe"])
CLOSE = {"atol": 1e-5, "rtol": 1e-5}  # Hugging Face computes norms, softmax and router in float32
LATENT = ("stream", "heads", "neurons", "experts", "router")


@covering(("family", MIXTURES), ("recipe", RECIPES))
def test_relevance_is_the_definitions(tiny, checkpoint, family, recipe):
    """Tokens, experts, neurons and every entry of the ledger, which closes to 1e-9."""
    model = tiny(family, "float64")
    prompts = prompts_for(model, family)
    data, rules = run(model, family, recipe, prompts, latent=LATENT)
    assert_adds_up(data, 1e-9)
    for row in range(2):
        prompt = prompts[[row]]
        bare = plain(checkpoint, family, prompt.tokens[0])
        definition = Propagation(model, prompt, rules, bare.layers)
        total = definition.explain_answer(prompt.metric)
        assert_allclose(data["total"].values[row], total, **CLOSE)
        entries = ledger(data, row)
        assert ("layer 1", "router") in entries or rules.product == "up"
        width = prompt.width
        if recipe != "gim":  # whose baseline is no part of the definition
            assert_allclose(data["relevance"].values[row, :width], definition.tokens, **CLOSE)
            assert_same_ledger(entries, definition.ledger, **CLOSE)
        for layer in range(3):
            assert_allclose(data["stream"].values[row, layer, :width], definition.stream(layer), **CLOSE)
            for expert, relevance in definition.experts(layer).items():
                assert_allclose(data["experts"].values[row, layer, expert, :width], relevance, **CLOSE)


@EVERY
def test_what_passes_through_the_router(tiny, family):
    """The gates' halves go in: what the ledger says was absorbed, and what the router passes on."""
    model = tiny(family, "float64")
    data = interp.attribution.attnlrp(model, prompts_for(model, family), latent=("experts", "router")).data
    for row in range(2):
        for layer in range(1, 3):
            half = data["experts"].values[row, layer].sum() / 2
            absorbed = ledger(data, row)[f"layer {layer}", "router"]
            assert_allclose(absorbed + data["router"].values[row, layer].sum(), half, atol=1e-9)


@EVERY
def test_decompx_is_the_definition(tiny, checkpoint, family):
    model = tiny(family, "float64")
    prompt = prompts_for(model, family)[[1]]
    bare = plain(checkpoint, family, prompt.tokens[0])
    parts = [torch.zeros_like(bare.embed) for _ in range(prompt.width)]
    for at, part in enumerate(parts):
        part[at] = bare.embed[at]
    logits = torch.stack(walk(bare, parts, TokenByToken(), prompt.metric.positions[0]))
    data = interp.attribution.decompx(model, prompt).data
    assert_allclose(data.relevance.values[0], prompt.metric.select([0] * len(parts)).of_rows(logits), **CLOSE)
    assert_allclose(data.remainder, 0, atol=1e-9)


@EVERY
@pytest.mark.parametrize("attention", ["frozen", "split"])
def test_sources_of_cdt_are_the_definitions(tiny, checkpoint, family, attention):
    """Experts, tokens and heads as sources."""
    model = tiny(family, "float64")
    prompt = prompts_for(model, family)[[1]]
    starts = {
        "E1.2+a1.0": {("expert_write", 1): [2], ("z", 1): [0]}, "m0": {("mlp_out", 0): slice(None)},
        "token 1": {("resid_pre", 0): [1]},
    }  # fmt: skip
    data = interp.attribution.cdt_sources(model, prompt, sources=tuple(starts), attention=attention).data
    for name, start in starts.items():
        beta, gamma = by_definition(checkpoint, family, prompt, prompt.metric, attention, start)
        found = data.sel(batch=0, component=name)
        assert_allclose(found.beta, prompt.metric.of_rows(beta[None])[0], atol=1e-4, rtol=1e-4)
        assert_allclose(found.gamma, prompt.metric.of_rows(gamma[None])[0], atol=1e-4, rtol=1e-4)


@EVERY
def test_other_ledgers_close(tiny, family):
    model = tiny(family, "float64")
    prompts = prompts_for(model, family)
    for engine in (interp.attribution.alti_logit, interp.attribution.cp_lrp, interp.attribution.gim):
        assert np.abs(engine(model, prompts).data.remainder.values).max() < 1e-9


def test_what_is_refused(tiny):
    mixture, plain_model = tiny("qwen2moe"), tiny("llama")
    with pytest.raises(EngineError, match="mixtures of experts, for whose router the method has no rule"):
        interp.attribution.chefer(mixture, prompts_for(mixture, "qwen2moe"))
    with pytest.raises(EngineError, match="has no router"):
        interp.attribution.attnlrp(plain_model, prompts_for(plain_model, "llama"), latent=("experts",))

"""ALTI-Logit against its definition: every pair's vector on its own, every part pushed up to the logit on its own."""

import numpy as np
import pytest
import torch
from asking import covering, prompts_for
from tiny import FAMILIES

import interp
from interp.attribution import alti_logit
from interp.core.errors import EngineError
from interp.core.metric import Metric
from interp.models import Site

# Families whose norms and softmax are computed in float32 even with float64 weights.
ROUNDED = ("llama", "gemma3", "qwen2", "qwen3")
CLOSE = 2e-6


class Definition:
    """One prompt in plain loops; a norm's divisor comes from the stream that it reads, not from a recording of it."""

    def __init__(self, model, prompt, metric):
        self.model, self.metric = model, metric
        names = ("resid_pre", "resid_mid", "resid_post", "v", "pattern", "attn_out", "mlp_out", "ln1_in", "ln2_in")
        sites = [site for name in names if model.has(name) for site in model.sites(name)]
        sites += [Site(name) for name in ("pooler_pre", "pooler_post", "mlm_pre", "mlm_post") if model.has(name)]
        self.trace = model.run(prompt, record=sites)
        self.answer = 0 if model.is_classifier else metric.positions[0]
        self.layers, self.width = model.dims.layers, prompt.width
        self.kind = model.architecture.stream

    def at(self, name, layer=None):
        return self.trace[Site(name, layer)][0].double()

    def norm(self, name, layer, whole, part):
        """What a part of `whole` becomes, the shift left out."""
        factor, _ = self.model.weights.norm(name, layer)
        if self.model.architecture.norm == "layer":
            whole, part = whole - whole.mean(), part - part.mean()
        config = self.model.config
        names = ("rms_norm_eps", "layer_norm_epsilon", "layer_norm_eps")
        eps = next(getattr(config, name) for name in names if hasattr(config, name))
        return factor * part / (whole.square().mean() + eps).sqrt()

    def to_metric(self, part, layer, place):
        """A part of the stream at the answer, in front of `place` of `layer`, pushed up to the metric."""
        if self.kind == "post":
            for above in range(layer, self.layers):
                if above > layer or place == "ln1":
                    whole = self.at("resid_pre", above)[self.answer] + self.at("attn_out", above)[self.answer]
                    part = self.norm("ln1", above, whole, part)
                whole = self.at("resid_mid", above)[self.answer] + self.at("mlp_out", above)[self.answer]
                part = self.norm("ln2", above, whole, part)
        return self.head(part)

    def head(self, part):
        model = self.model
        if model.is_classifier:
            ratio = self.at("pooler_post") / self.at("pooler_pre")
            part = (part @ model.weights.pooler().matrix) * ratio
        elif self.kind == "post":
            after = self.at("mlm_post")[self.answer]
            part = (part @ model.weights.mlm_transform().matrix) * after / self.at("mlm_pre")[self.answer]
            part = self.norm("ln_final", None, after, part)
        else:
            part = self.norm("ln_final", None, self.at("resid_post", self.layers - 1)[self.answer], part)
        rows = part @ model.weights.unembedding()
        return (rows[list(self.metric.targets[0])].mean() - rows[list(self.metric.contrasts[0])].mean()).item()

    def sent(self, layer, i, j):
        """What position j writes to position i by attention, after the norm that some families put there."""
        group = self.model.dims.heads // self.model.dims.kv_heads
        output = self.model.weights.output(layer)
        vector = torch.zeros(self.model.dims.d_model, dtype=torch.float64)
        for head in range(self.model.dims.heads):
            value = self.at("v", layer)[j, head // group]
            vector += self.at("pattern", layer)[head, i, j] * (value @ output[head])
        return self.after_attention(layer, i, vector)

    def after_attention(self, layer, i, vector):
        if self.kind == "sandwich":
            return self.norm("ln1_post", layer, self.at("attn_out", layer)[i], vector)
        return vector

    def mixing(self, layer):
        rows = np.zeros((self.width, self.width))
        for i in range(self.width):
            residual, out = self.at("resid_pre", layer)[i], self.at("attn_out", layer)[i]
            y = residual + self.after_attention(layer, i, out)
            if self.kind == "post":
                y = self.norm("ln1", layer, residual + out, residual + out) + self.model.weights.norm("ln1", layer)[1]
            for j in range(self.width):
                vector = self.sent(layer, i, j) + (residual if i == j else 0)
                if self.kind == "post":
                    vector = self.norm("ln1", layer, residual + out, vector)
                rows[i, j] = max(0.0, (y.abs().sum() - (y - vector).abs().sum()).item())
        return rows / rows.sum(-1, keepdims=True)

    def relevance(self, parts="all"):
        below, tokens = np.eye(self.width), np.zeros(self.width)
        if parts == "all":
            tokens += self.to_metric(self.at("resid_pre", 0)[self.answer], 0, "ln1") * below[self.answer]
        for layer in range(self.layers):
            updates = [self.to_metric(self.sent(layer, self.answer, j), layer, "ln1") for j in range(self.width)]
            tokens += np.array(updates) @ below
            after = self.mixing(layer) @ below
            if parts == "all":
                out = self.at("mlp_out", layer)[self.answer]
                write = self.norm("ln2_post", layer, out, out) if self.kind == "sandwich" else out
                read_from = below if self.kind == "parallel" else after
                tokens += self.to_metric(write, layer, "ln2") * read_from[self.answer]
            below = after
        return tokens


@covering(("family", FAMILIES), ("parts", ["all", "attention"]))
def test_agrees_with_the_definition(family, parts, tiny):
    model = tiny(family, "float64")
    prompts = prompts_for(model, family)
    result = alti_logit(model, prompts, parts=parts, chunk_numbers=1000)
    for row in range(len(prompts)):
        prompt = prompts[[row]]
        expected = Definition(model, prompt, prompt.metric).relevance(parts)
        found = result.data["relevance"].values[row]
        np.testing.assert_allclose(found[: prompt.width], expected, atol=CLOSE)
        assert (found[prompt.width :] == 0).all()


@pytest.mark.parametrize("parts", ["all", "attention"])
@pytest.mark.parametrize("family", FAMILIES)
def test_tokens_and_biases_are_the_logit_difference(family, parts, tiny):
    model = tiny(family, "float64")
    data = alti_logit(model, prompts_for(model, family), parts=parts).data
    np.testing.assert_allclose(data["remainder"], 0, atol=1e-6 if family in ROUNDED else 1e-9)
    np.testing.assert_allclose(data["ledger"].sum("entry"), data["total"], atol=1e-12)


@pytest.mark.parametrize("family", FAMILIES)
def test_every_layer_adds_up(family, tiny):
    """The stream out of a layer, and the biases above it, are worth the same at every layer."""
    model = tiny(family, "float64")
    data = alti_logit(model, prompts_for(model, family)).data
    entries = list(zip(data["at"].values, data["term"].values, strict=True))
    absorbed = {at: data["ledger"].values[:, place] for place, (at, term) in enumerate(entries) if term == "bias"}
    stream = data["stream"].sum("pos").values
    worth = [data["relevance"].sum("pos").values, *stream.T]
    for layer in range(model.dims.layers):
        # The norm after Gemma's attention is rounded to float32 by the model.
        close = 1e-6 if family == "gemma3" else 1e-9
        np.testing.assert_allclose(worth[layer] + absorbed[f"layer {layer}"], worth[layer + 1], atol=close)


def test_a_position_to_which_nobody_contributes_keeps_its_state(checkpoint):
    """No value reaches any position and the embeddings are 0: every contribution is 0, and nothing is 0 / 0."""
    model = interp.load(str(checkpoint("gpt2")), dtype="float64")
    for name, parameter in model.bridge.original_model.named_parameters():
        if "attn" in name or "wte" in name or "wpe" in name:
            parameter.zero_()
    data = alti_logit(model, "The keys to", target=" Mary", contrast=" John").data
    assert np.isfinite(data["relevance"]).all()
    assert (data["relevance"].values[0, :-1] == 0).all()
    np.testing.assert_allclose(data["remainder"], 0, atol=1e-9)


def test_a_probability_is_refused(tiny):
    model = tiny("gpt2")
    prompts = prompts_for(model, "gpt2")
    metric = Metric.of(model, " Mary", positions=prompts.answer_positions(model), scale="prob")
    with pytest.raises(EngineError, match="decomposes logits"):
        alti_logit(model, prompts, metric=metric)

"""Every part rebuilt from the plain model: hooks on its own modules, norms and sums written out, one head at a time."""

import dataclasses
from contextlib import ExitStack

import numpy as np
import pytest
from tiny import FAMILIES

from interp.core.errors import EngineError, TargetError
from interp.core.metric import Metric
from interp.core.prompts import Prompts
from interp.models.obstacles import Obstacles
from interp.readout import direct_logit_attribution

EXACT = [family for family in FAMILIES if not family.startswith("bert")]
LAYERS = {"gpt2": "transformer.h", "gptneox": "gpt_neox.layers"}
OUTPUT = {"gpt2": "attn.c_proj", "gptneox": "attention.dense"}
FINAL = {"gpt2": "transformer.ln_f", "gptneox": "gpt_neox.final_layer_norm"}
HEADS, D_HEAD = 4, 8


def record(reference, tokens):
    """What goes into each attention output and the final norm, and what MLPs and embeddings give, last position."""
    family, model = reference.family, reference.model
    seen = {}
    with ExitStack() as stack:

        def keep(name, module, read):
            hook = module.register_forward_hook(
                lambda _, inputs, output: seen.update({name: read(inputs, output)[0, -1]})
            )
            stack.callback(hook.remove)

        layers = model.get_submodule(LAYERS.get(family, "model.layers"))
        for index, layer in enumerate(layers):
            keep(f"z{index}", layer.get_submodule(OUTPUT.get(family, "self_attn.o_proj")), lambda x, y: x[0])
            keep(f"m{index}", layer.post_feedforward_layernorm if family == "gemma3" else layer.mlp, lambda x, y: y)
        keep("final", model.get_submodule(FINAL.get(family, "model.norm")), lambda x, y: x[0])
        keep("embed", model.get_input_embeddings(), lambda x, y: y)
        if family == "gpt2":
            keep("pos_embed", model.transformer.wpe, lambda x, y: y)
        logits = reference.run(tokens).logits[0, -1]
    return seen, logits, layers


def frozen(family, norm, part, stream):
    """`part` through `norm`, whose divisor comes from the whole `stream`."""
    if family in ("gpt2", "gptneox"):
        part, stream = part - part.mean(), stream - stream.mean()
        return part / (stream.pow(2).mean() + norm.eps).sqrt() * norm.weight
    epsilon = norm.eps if family == "gemma3" else norm.variance_epsilon
    weight = 1 + norm.weight if family == "gemma3" else norm.weight
    return part / (stream.pow(2).mean() + epsilon).sqrt() * weight


def rebuilt(reference, tokens, target, contrast):
    """Contribution of every component by name, and the logit difference."""
    family, model = reference.family, reference.model
    seen, logits, layers = record(reference, tokens)
    final = model.get_submodule(FINAL.get(family, "model.norm"))
    head = model.get_output_embeddings()
    direction = head.weight[target] - (head.weight[contrast] if contrast is not None else 0)
    parts = {name: seen[name] for name in ("embed", "pos_embed") if name in seen}
    for index, layer in enumerate(layers):
        project = layer.get_submodule(OUTPUT.get(family, "self_attn.o_proj"))
        weight = project.weight if family == "gpt2" else project.weight.T
        z = seen[f"z{index}"]
        writes = {
            f"a{index}.{h}": z[h * D_HEAD : (h + 1) * D_HEAD] @ weight[h * D_HEAD : (h + 1) * D_HEAD]
            for h in range(HEADS)
        }
        if project.bias is not None:
            writes[f"b{index}"] = project.bias
        if family == "gemma3":
            norm = layer.post_attention_layernorm
            writes = {name: frozen(family, norm, write, z @ weight) for name, write in writes.items()}
        parts |= writes
        parts[f"m{index}"] = seen[f"m{index}"]
    shares = {name: float(frozen(family, final, part, seen["final"]) @ direction) for name, part in parts.items()}
    shares["bias"] = float(final.bias @ direction) if getattr(final, "bias", None) is not None else 0.0
    return shares, float(logits[target] - (logits[contrast] if contrast is not None else 0))


@pytest.mark.parametrize("contrast", ["b", None])
@pytest.mark.parametrize("family", EXACT)
def test_agrees_with_the_definition(family, contrast, tiny, plain, texts):
    """A padded batch holds each prompt's own numbers, in the order of computation."""
    model, reference = tiny(family, "float64"), plain(family)
    found = direct_logit_attribution(model, texts(family), target="a", contrast=contrast).data
    target, other = (None if text is None else model.encode_continuation(text)[0] for text in ("a", contrast))
    for row, text in enumerate(texts(family)):
        shares, total = rebuilt(reference, reference.tokens(text), target, other)
        assert found.component.values.tolist() == list(shares)
        np.testing.assert_allclose(found.contribution.values[row], list(shares.values()), atol=1e-5)
        np.testing.assert_allclose(found.total.values[row], total, atol=1e-5)


@pytest.mark.parametrize("family", EXACT)
def test_parts_and_remainder_are_the_logit_difference(family, tiny, texts):
    """The remainder is rounding: of float64 where Hugging Face norms in it, of float32 where it casts to that."""
    model = tiny(family, "float64")
    prompts = Prompts.of(model, texts(family), target="a", contrast="b")
    found = direct_logit_attribution(model, prompts).data
    np.testing.assert_allclose(found.contribution.sum("component") + found.remainder, found.total, rtol=1e-12)
    assert prompts.metric is not None
    np.testing.assert_allclose(found.total, prompts.metric(model.logits(prompts)), rtol=1e-12)
    limit = 1e-9 if family in ("gpt2", "gptneox") else 1e-5
    assert (abs(found.remainder) <= limit * abs(found.contribution).sum("component")).all()


def test_labels_say_layer_and_head(tiny):
    frame = direct_logit_attribution(tiny("gpt2"), "the store", target="a").to_frame()
    rows = frame.set_index("component")[["layer", "head"]]
    assert rows.loc["a2.3"].tolist() == [2, 3]
    assert rows.loc["m1"].tolist() == [1, -1]
    assert rows.loc["b0"].tolist() == [0, -1]
    assert rows.loc["embed"].tolist() == rows.loc["bias"].tolist() == [-1, -1]


def test_a_set_of_answers_has_the_mean_of_their_parts(tiny, texts):
    model = tiny("gptneox", "float64")
    prompts = Prompts.of(model, texts("gptneox")[:1])
    metric = Metric.of(model, "a", positions=prompts.answer_positions(model))
    pair = (metric.targets[0] + tuple(model.encode_continuation("b")),)
    one, other = (direct_logit_attribution(model, prompts, target=text).values().values for text in ("a", "b"))
    both = direct_logit_attribution(model, prompts, metric=dataclasses.replace(metric, targets=pair)).values().values
    np.testing.assert_allclose(both, (one + other) / 2)


def test_only_a_logit_splits(tiny):
    model = tiny("llama")
    prompts = Prompts.of(model, "the store")
    metric = Metric.of(model, "a", positions=prompts.answer_positions(model), scale="prob")
    with pytest.raises(EngineError, match="decomposes logits, not a prob"):
        direct_logit_attribution(model, prompts, metric=metric)
    with pytest.raises(TargetError, match="give a target"):
        direct_logit_attribution(model, prompts)


def test_what_it_cannot_split_is_refused_by_name(tiny, monkeypatch):
    with pytest.raises(EngineError, match="nonlinear"):
        direct_logit_attribution(tiny("bert-masked"), "the [MASK]", target="a")
    with pytest.raises(EngineError, match="classifier"):
        direct_logit_attribution(tiny("bert-classifier"), "the store", target="LABEL_0")
    model = tiny("gemma3")
    with monkeypatch.context() as patch:
        patch.setattr(model.config, "final_logit_softcapping", 30.0)
        with pytest.raises(EngineError, match="soft cap"):
            direct_logit_attribution(model, "the store", target="a")
    monkeypatch.setattr(model, "obstacles", Obstacles(parts={"layers": "has layers that no known layer map explains"}))
    with pytest.raises(EngineError, match="no known layer map explains"):
        direct_logit_attribution(model, "the store", target="a")


@pytest.mark.real_model
def test_real_remainder_is_rounding(real_model):
    text = "When Mary and John went to the store, John gave a drink to"
    found = direct_logit_attribution(real_model, text, target=" Mary", contrast=" John").data
    assert found.sizes["component"] == 1 + 30 * (9 + 1) + 1
    assert abs(found.remainder.item()) < 1e-4
    np.testing.assert_allclose(found.contribution.sum() + found.remainder, found.total, rtol=1e-9)

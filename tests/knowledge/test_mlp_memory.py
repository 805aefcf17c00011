"""MLP memory against direct logit attribution, and each column against its definition."""

from typing import Any

import numpy as np
import pytest
import torch
from asking import prompts_for

from interp.core.prompts import Prompts
from interp.corpus.options import windows_of
from interp.knowledge import mlp_memory
from interp.knowledge.mlp_memory import MLPMemoryOptions
from interp.models import Site
from interp.readout import direct_logit_attribution, neuron_attribution

FAMILIES = ("llama", "gemma3", "gptneox")


@pytest.mark.parametrize("family", FAMILIES)
def test_totals_are_direct_logit_attribution(family, tiny):
    """Of every MLP; and the neurons are those of all layers' neuron attribution, strongest first."""
    model = tiny(family, "float64")
    prompts = prompts_for(model, family)
    result, whole = mlp_memory(model, prompts, windows=2, top=12).data, direct_logit_attribution(model, prompts).data
    listed = np.zeros((len(prompts), model.dims.layers))
    layers = [neuron_attribution(model, prompts, layer=layer).data for layer in range(model.dims.layers)]
    for layer in range(model.dims.layers):
        np.testing.assert_allclose(
            result["total"][:, layer], whole["contribution"].sel(component=f"m{layer}"), atol=1e-9
        )
    assert np.abs(result["remainder"]).max() < 1e-6  # Gemma's norms are in float32
    for row in range(len(prompts)):
        everything = {
            str(name): (value, active)
            for data in layers
            for name, value, active in zip(
                data["component"].values, data["contribution"].values[row], data["activation"].values[row], strict=True
            )
            if str(name).startswith("n")
        }
        order = sorted(everything, key=lambda name: -abs(everything[name][0]))[:12]
        assert result["node"].values[row].tolist() == order
        for rank, name in enumerate(order):
            value, active = everything[name]
            np.testing.assert_allclose(result["contribution"][row, rank], value, atol=1e-12)
            np.testing.assert_allclose(result["activation"][row, rank], active, atol=1e-12)
            listed[row, int(name[1:].split(".")[0])] += value
    np.testing.assert_allclose(result["listed"], listed, atol=1e-9)


def test_words_weights_and_twins(tiny):
    """Of a gated MLP, with numpy alone."""
    model = tiny("llama", "float64")
    result = mlp_memory(model, prompts_for(model, "llama"), windows=2, top=6, tokens=3).data
    gain, unembedding = model.weights.norm("ln_final", None)[0].numpy(), model.weights.unembedding().numpy()
    outputs = [model.weights.mlp_out(layer).matrix.numpy() for layer in range(model.dims.layers)]
    for rank in range(6):
        layer, index = map(int, str(result["node"].values[0, rank])[1:].split("."))
        value, key = outputs[layer][index], model.weights.mlp_pre(layer).matrix[:, index].numpy()
        logits = (float(result["activation"][0, rank]) * value * gain) @ unembedding
        order = [model.token_label(int(token)) for token in np.argsort(-logits)]
        assert str(result["promoted"].values[0, rank]) == " | ".join(order[:3])
        assert str(result["suppressed"].values[0, rank]) == " | ".join(order[::-1][:3])
        np.testing.assert_allclose(result["key_norm"][0, rank], np.linalg.norm(key))
        cosine = key @ value / np.linalg.norm(key) / np.linalg.norm(value)
        np.testing.assert_allclose(result["key_value_cosine"][0, rank], cosine)
        best = max(
            (rows[at] @ value / np.linalg.norm(rows[at]) / np.linalg.norm(value), f"n{other}.{at}")
            for other, rows in enumerate(outputs)
            for at in range(len(rows))
            if other != layer
        )
        np.testing.assert_allclose(result["twin_cosine"][0, rank], best[0])
        assert str(result["twin"].values[0, rank]) == best[1]


def test_contexts_are_the_strongest_windows(tiny):
    """One place of each, in the direction in which the prompt drives the neuron."""
    model = tiny("llama", "float64")
    settings: Any = {"windows": 5, "length": 24, "skip": 2}
    result = mlp_memory(model, "the store", target=" Mary", top=8, contexts=3, **settings).data
    windows = windows_of(model, MLPMemoryOptions(**settings))
    signs = set()
    for rank in range(8):
        layer, index = map(int, str(result["node"].values[0, rank])[1:].split("."))
        sign = np.sign(float(result["activation"][0, rank]))
        signs.add(sign)
        site = Site("mlp_post", layer)
        neurons = model.run(windows, record=[site])[site][:, 2:, index].numpy() * sign
        order = np.argsort(-neurons.max(1))[:3]
        assert result["context_window"].values[0, rank].tolist() == order.tolist()
        np.testing.assert_allclose(result["context_activation"].values[0, rank] * sign, neurons.max(1)[order])
        pos = neurons[order[0]].argmax() + 2
        assert int(result["context_pos"][0, rank, 0]) == pos
        assert f"«{windows.labels[order[0]][pos]}»" in str(result["context"].values[0, rank, 0])
    assert len(signs) == 2


def test_zeroing_all_neurons_of_a_layer_takes_their_contribution_and_leaves_the_bias(tiny):
    """In the last layer, with the final norm's divisor as it was: what the neurons are said to add."""
    model = tiny("gptneox", "float64")
    prompts = Prompts.of(model, "When Mary and John went to", target=" Mary", contrast=" John")
    result = mlp_memory(model, prompts, windows=2).data
    last, question = model.dims.layers - 1, prompts.metric
    assert question is not None
    sites = [Site("mlp_post", last), Site("ln_final_in"), Site("ln_final_scale")]
    trace = model.run(prompts, record=sites)
    removed = trace[sites[0]] @ model.weights.mlp_out(last).matrix
    gain, shift = model.weights.norm("ln_final", None)

    def metric(stream):
        stream = stream - stream.mean(-1, keepdim=True)
        logits = (stream / trace[sites[2]] * gain + shift) @ model.weights.unembedding()
        return question(logits)

    change = metric(trace[sites[1]]) - metric(trace[sites[1]] - removed)
    assert torch.allclose(change, torch.from_numpy(result["neurons"].values[:, last]))

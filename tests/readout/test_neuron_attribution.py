"""Neurons rebuilt from the plain model: what goes into each MLP's last matrix, one neuron at a time."""

import numpy as np
import pytest
from readout.test_direct_logit_attribution import EXACT, FINAL, LAYERS, frozen

from interp.core.errors import EngineError, OptionError
from interp.core.metric import Metric
from interp.core.prompts import Prompts
from interp.readout import direct_logit_attribution, neuron_attribution

LAST = {"gpt2": "mlp.c_proj", "gptneox": "mlp.dense_4h_to_h"}


def rebuilt(reference, tokens, layer, direction):
    """Contribution of every neuron and of the bias, and the activations, at the last position."""
    family, model = reference.family, reference.model
    block = model.get_submodule(LAYERS.get(family, "model.layers"))[layer]
    last, final = block.get_submodule(LAST.get(family, "mlp.down_proj")), model.get_submodule(
        FINAL.get(family, "model.norm")
    )  # fmt: skip
    seen = {}
    hooks = [
        module.register_forward_hook(lambda _, inputs, output, name=name: seen.update({name: (inputs[0], output)}))
        for name, module in (("last", last), ("final", final))
    ]
    try:
        reference.run(tokens)
    finally:
        for hook in hooks:
            hook.remove()
    neurons, written = (tensor[0, -1] for tensor in seen["last"])
    stream = seen["final"][0][0, -1]
    weight = last.weight if family == "gpt2" else last.weight.T
    writes = [neurons[i] * weight[i] for i in range(len(neurons))]
    writes.append(last.bias if last.bias is not None else 0 * written)
    if family == "gemma3":
        writes = [frozen(family, block.post_feedforward_layernorm, write, written) for write in writes]
    return [float(frozen(family, final, write, stream) @ direction) for write in writes], neurons


@pytest.mark.parametrize("family", EXACT)
def test_agrees_with_the_definition(family, tiny, plain, texts):
    model, reference = tiny(family, "float64"), plain(family)
    target, contrast = (model.encode_continuation(text)[0] for text in ("a", "b"))
    weight = reference.model.get_output_embeddings().weight
    for layer in (0, model.dims.layers - 1):
        data = neuron_attribution(model, texts(family), target="a", contrast="b", layer=layer).data
        for row, text in enumerate(texts(family)):
            parts, neurons = rebuilt(reference, reference.tokens(text), layer, weight[target] - weight[contrast])
            np.testing.assert_allclose(data.contribution.values[row], parts, atol=1e-5)
            np.testing.assert_allclose(data.activation.values[row, :-1], neurons.detach().numpy(), atol=1e-5)
        assert data.component.values.tolist() == [*(f"n{layer}.{i}" for i in range(len(neurons))), f"b{layer}"]


@pytest.mark.parametrize("family", EXACT)
def test_neurons_add_up_to_what_the_mlp_contributes(family, tiny, texts):
    """The remainder is rounding: of float64 where Hugging Face norms in it, of float32 where it casts to that."""
    model = tiny(family, "float64")
    prompts = Prompts.of(model, texts(family), target="a", contrast="b")
    whole = direct_logit_attribution(model, prompts).data.set_index(component="component")
    for layer in range(model.dims.layers):
        data = neuron_attribution(model, prompts, layer=layer).data
        np.testing.assert_allclose(data.total, whole.contribution.sel(component=f"m{layer}"), rtol=1e-12)
        np.testing.assert_allclose(data.contribution.sum("component") + data.remainder, data.total, rtol=1e-12)
        limit = 1e-9 if family in ("gpt2", "gptneox") else 1e-5
        assert (abs(data.remainder) <= limit * abs(data.contribution).sum("component")).all()


def test_what_it_cannot_split_is_refused_by_name(tiny):
    model = tiny("llama")
    with pytest.raises(OptionError, match="layer = 9: .* has layers 0 to 2"):
        neuron_attribution(model, "the store", target="a", layer=9)
    prompts = Prompts.of(model, "the store")
    metric = Metric.of(model, "a", positions=prompts.answer_positions(model), scale="prob")
    with pytest.raises(EngineError, match="decomposes logits, not a prob"):
        neuron_attribution(model, prompts, metric=metric)
    with pytest.raises(EngineError, match="nonlinear"):
        neuron_attribution(tiny("bert-masked"), "the [MASK]", target="a")

"""MLP memory: the neurons behind an answer as keys that the prompt matched, and values that they wrote."""

from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from pydantic import Field
from pydantic.dataclasses import dataclass
from torch import Tensor

from interp.core.engine import engine
from interp.core.metric import Metric
from interp.core.options import Count, Index
from interp.core.prompts import Prompts
from interp.core.ranking import strongest
from interp.corpus.gathering import gather
from interp.corpus.options import CorpusOptions, windows_of
from interp.decomposition.linear_readout import readout_sites, require_logits
from interp.decomposition.neurons import NeuronParts, neuron_parts, neuron_sites, neurons_obstacle
from interp.decomposition.promoted import promoted_tokens
from interp.kinds import MLPMemory
from interp.knowledge.neurons.contexts import Neuron, NeuronExtremes, contexts_of
from interp.knowledge.neurons.weights import weight_facts
from interp.models.hooked import HookedModel


@dataclass(frozen=True)
class MLPMemoryOptions(CorpusOptions):
    """How many neurons, and the text for their contexts."""

    top: Count = Field(20, description="neurons listed of each prompt", le=10**4)
    tokens: Count = Field(8, description="tokens listed that a neuron raises, and lowers", le=1000)
    contexts: Count = Field(3, description="contexts of each neuron", le=1000)
    windows: Count = Field(16, description="windows of the corpus that are searched for contexts")
    length: Count = Field(128, description="tokens per window")
    skip: Index = Field(1, description="initial positions of every window that are no contexts")


@engine(obstacle=neurons_obstacle)
def mlp_memory(model: HookedModel, prompts: Prompts, metric: Metric, options: MLPMemoryOptions) -> MLPMemory:
    """The neurons that contribute most to the answer: activation, tokens, contexts, weights and twins.

    An MLP writes Σ activation × value over its neurons, whose keys the prompt matched: those of all layers that
    contribute most to the answer, `batch rank`, with the contribution of each under norms held fixed.

    Tokens are those that activation × value raises and lowers directly; contexts are the corpus' windows in which the
    neuron is most active with the sign that it has here; the twin is the neuron of another layer that writes most like
    it.
    Unit: logits.
    Conserves: a layer's neurons, its bias and the remainder add up to its MLP's direct contribution.
    Raises: EngineError if the metric is not on the logit scale; CorpusError for a corpus that cannot be read.
    Source: Geva et al. 2021, "Transformer Feed-Forward Layers Are Key-Value Memories"; Geva et al. 2022, "Transformer
    Feed-Forward Layers Build Predictions by Promoting Concepts in the Vocabulary Space".
    Differs: contributions to one answer rather than to the whole vocabulary; the final norm's factor is folded into the
    tokens' directions.
    """
    require_logits("mlp-memory", metric)
    layers = range(model.dims.layers)
    with torch.no_grad():
        sites = [site for layer in layers for site in neuron_sites(model, layer)]
        trace = model.run(prompts, record=[*sites, *readout_sites(model)], answer=metric)
        parts = [neuron_parts(model, trace, metric, layer) for layer in layers]
    del trace
    order = strongest(torch.stack([each.contribution for each in parts], 1).flatten(1).abs(), options.top).indices
    neurons = [[Neuron(*divmod(place, model.dims.d_mlp)) for place in row] for row in order.tolist()]
    values: dict[str, Any] = {"node": np.array([[str(each) for each in row] for row in neurons])}
    for name in ("contribution", "activation"):
        whole = torch.stack([getattr(each, name) for each in parts], 1).flatten(1)
        values[name] = whole.gather(1, order).cpu().numpy()
    values |= weight_facts(model, neurons) | _tokens(model, neurons, values["activation"], options.tokens)
    values |= _totals(parts, neurons, values["contribution"])
    wanted = tuple(sorted({each for row in neurons for each in row}))
    windows = windows_of(model, options)
    gathered = gather(model, windows, NeuronExtremes(wanted, options.skip))
    values |= contexts_of(gathered, wanted, neurons, values["activation"], options.contexts)
    return MLPMemory.of(
        prompts,
        values,
        measured=f"neurons' direct contribution to {metric.label}, final norm frozen; contexts from "
        f"{len(windows):,} windows",
        sign="positive: the neuron writes in favour of the answer",
    )


def _totals(parts: list[NeuronParts], neurons: list[list[Neuron]], contribution: np.ndarray) -> dict[str, np.ndarray]:
    def by_layer(values: list[Tensor]) -> Float[np.ndarray, "batch layer"]:
        return torch.stack(values, 1).cpu().numpy()

    total, bias = by_layer([each.total for each in parts]), by_layer([each.bias for each in parts])
    everything, listed = by_layer([each.contribution.sum(-1) for each in parts]), np.zeros_like(total)
    for row, some in enumerate(neurons):
        np.add.at(listed[row], [each.layer for each in some], contribution[row])
    remainder = total - everything - bias
    return {"total": total, "neurons": everything, "bias": bias, "remainder": remainder, "listed": listed}


def _tokens(
    model: HookedModel, neurons: list[list[Neuron]], activation: np.ndarray, most: int
) -> dict[str, np.ndarray]:
    """The tokens that activation × value raises and lowers: the other way round for a negative activation."""
    label = model.answer_label
    values = torch.stack([_value(model, each) for row in neurons for each in row])
    with torch.no_grad():
        sides = promoted_tokens(model, values, most)
    up, down = ([" | ".join(map(label, row)) for row in side.token.tolist()] for side in sides)
    negative, shape = activation.ravel() < 0, activation.shape
    return {
        "promoted": np.where(negative, down, up).reshape(shape),
        "suppressed": np.where(negative, up, down).reshape(shape),
    }


def _value(model: HookedModel, neuron: Neuron) -> Float[Tensor, "d_model"]:
    row, after = model.weights.mlp_out(neuron.layer).matrix[neuron.index], model.layer_map.mlp.norm_after
    return row if after is None else row * model.weights.norm(after.name, neuron.layer)[0].to(row)

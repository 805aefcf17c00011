"""Neuron attribution: what each neuron of one MLP writes along the direction of the answer."""

import torch
from pydantic import Field
from pydantic.dataclasses import dataclass

from interp.core.engine import engine
from interp.core.errors import OptionError
from interp.core.metric import Metric
from interp.core.options import Index
from interp.core.prompts import Prompts
from interp.decomposition.linear_readout import readout_sites, require_logits
from interp.decomposition.neurons import neuron_parts, neuron_sites, neurons_obstacle
from interp.kinds import NeuronContributions
from interp.models.hooked import HookedModel


@dataclass(frozen=True)
class NeuronAttributionOptions:
    """Which MLP."""

    layer: Index = Field(0, description="layer of the MLP")


@engine(obstacle=neurons_obstacle)
def neuron_attribution(
    model: HookedModel, prompts: Prompts, metric: Metric, options: NeuronAttributionOptions
) -> NeuronContributions:
    """Direct contribution of each neuron of one MLP to the answer.

    Split what direct logit attribution gives to an MLP between its neurons: a neuron's activation times its output
    weights along the answer's direction, norms' divisors held fixed. In a gated MLP the activation is the product of
    gate and input, which the output weights read.

    One number per neuron, `batch component`: `n{layer}.{neuron}`, and last `b{layer}`, the MLP's output bias (and the
    shift of a norm behind it). `activation` is the neuron's; NaN for the bias. `total` is the MLP's contribution.
    Unit: logits.
    Conserves: the neurons, the bias and the remainder add up to the MLP's direct contribution.
    Raises: OptionError for a layer that is not there; EngineError if the metric is not on the logit scale.
    Source: Elhage et al. 2021, "A Mathematical Framework for Transformer Circuits", on direct paths; Geva et al. 2022,
    "Transformer Feed-Forward Layers Build Predictions by Promoting Concepts in the Vocabulary Space", section 3.
    Differs: along one answer's direction behind the final norm, not over the vocabulary.
    """
    require_logits("neuron-attribution", metric)
    layer, count = options.layer, model.dims.layers
    if layer >= count:
        raise OptionError(f"neuron-attribution, layer = {layer}: {model.name} has layers 0 to {count - 1}")
    with torch.no_grad():
        trace = model.run(prompts, record=[*neuron_sites(model, layer), *readout_sites(model)], answer=metric)
        parts = neuron_parts(model, trace, metric, layer)
    values = torch.cat([parts.contribution, parts.bias[:, None]], -1)
    numbers = range(values.shape[1] - 1)
    return NeuronContributions.of(
        prompts,
        {
            "contribution": values,
            "total": parts.total,
            "remainder": parts.total - values.sum(-1),
            "activation": torch.cat([parts.activation, torch.full_like(parts.bias, torch.nan)[:, None]], -1),
        },
        measured=f"direct contribution of MLP {layer}'s neurons to {metric.label}, final norm frozen",
        sign="positive: the neuron writes in favour of the answer",
        component=[*(f"n{layer}.{neuron}" for neuron in numbers), f"b{layer}"],
        layer=("component", [layer] * values.shape[1]),
        neuron=("component", [*numbers, -1]),
    )

"""Neuron attribution: what each neuron of one MLP writes along the direction of the answer."""

import torch
from pydantic import Field
from pydantic.dataclasses import dataclass

from interp.core.engine import engine
from interp.core.errors import OptionError
from interp.core.metric import Metric
from interp.core.options import Index
from interp.core.prompts import Prompts
from interp.decomposition.linear_readout import (
    FrozenNorm,
    linear_readout,
    parts_obstacle,
    readout_sites,
    require_logits,
)
from interp.kinds import NeuronContributions
from interp.models.hooked import HookedModel
from interp.models.sites import Site


@dataclass(frozen=True)
class NeuronAttributionOptions:
    """Which MLP."""

    layer: Index = Field(0, description="layer of the MLP")


def _obstacle(model: HookedModel) -> str | None:
    return parts_obstacle(model) or model.obstacle("mlp") or model.site_obstacle(Site("mlp_post", 0))


@engine(obstacle=_obstacle)
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
    after = model.layer_map.mlp.norm_after
    own = [Site("mlp_post", layer), Site("mlp_write", layer)]
    divisor = [Site(after.scale, layer)] if after else []
    with torch.no_grad():
        trace = model.run(prompts, record=[*own, *divisor, *readout_sites(model)], answer=metric)
        neurons, write = (metric.at_answer(trace[site]).double() for site in own)
        along, _ = linear_readout(model, trace, metric)
        total, constant = (write * along).sum(-1), torch.zeros_like(along[:, 0])
        if after:
            norm = FrozenNorm.of(model, after.name, layer, metric.at_answer(trace[divisor[0]]).double())
            constant, along = norm.constant(along), norm.read(along)
        matrix, bias = model.weights.mlp_out(layer).to(torch.float64)
        parts = neurons * (along @ matrix.T)
        if bias is not None:
            constant = constant + along @ bias
    values = torch.cat([parts, constant[:, None]], -1)
    numbers = range(parts.shape[1])
    return NeuronContributions.of(
        prompts,
        {
            "contribution": values,
            "total": total,
            "remainder": total - values.sum(-1),
            "activation": torch.cat([neurons, torch.full_like(constant, torch.nan)[:, None]], -1),
        },
        measured=f"direct contribution of MLP {layer}'s neurons to {metric.label}, final norm frozen",
        sign="positive: the neuron writes in favour of the answer",
        component=[*(f"n{layer}.{neuron}" for neuron in numbers), f"b{layer}"],
        layer=("component", [layer] * values.shape[1]),
        neuron=("component", [*numbers, -1]),
    )

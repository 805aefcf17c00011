"""An MLP's direct contribution to the answer, split between its neurons with everything above held fixed."""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from interp.core.metric import Metric
from interp.decomposition.linear_readout import FrozenNorm, linear_readout, parts_obstacle
from interp.models.hooked import HookedModel, Trace
from interp.models.sites import Site


class NeuronParts(NamedTuple):
    """What the neurons and the bias of one MLP contribute, and the MLP's own contribution, in float64."""

    activation: Float[Tensor, "batch neuron"]
    contribution: Float[Tensor, "batch neuron"]
    bias: Float[Tensor, "batch"]
    total: Float[Tensor, "batch"]


def neurons_obstacle(model: HookedModel) -> str | None:
    """Why an MLP's contribution does not split between neurons; None if it does."""
    return parts_obstacle(model) or model.obstacle("mlp") or model.site_obstacle(Site("mlp_post", 0))


def neuron_sites(model: HookedModel, layer: int) -> list[Site]:
    """What `neuron_parts` reads of a run, besides `readout_sites`."""
    after = model.layer_map.mlp.norm_after
    return [Site("mlp_post", layer), Site("mlp_write", layer), *([Site(after.scale, layer)] if after else [])]


def value_direction(model: HookedModel, trace: Trace, metric: Metric, layer: int) -> Float[Tensor, "batch d_model"]:
    """The direction that reads the output of an MLP as the metric does, norms' divisors held fixed."""
    along, _ = linear_readout(model, trace, metric)
    norm = _norm_after(model, trace, metric, layer)
    return along if norm is None else norm.read(along)


def neuron_parts(model: HookedModel, trace: Trace, metric: Metric, layer: int) -> NeuronParts:
    """A neuron's activation times its output weights along the answer's direction, norms' divisors held fixed.

    The bias is the MLP's output bias and the shift of a norm behind it.
    """
    neurons, write = (metric.at_answer(trace[Site(name, layer)]).double() for name in ("mlp_post", "mlp_write"))
    along, _ = linear_readout(model, trace, metric)
    total, norm = (write * along).sum(-1), _norm_after(model, trace, metric, layer)
    constant = torch.zeros_like(total) if norm is None else norm.constant(along)
    along = along if norm is None else norm.read(along)
    matrix, bias = model.weights.mlp_out(layer).to(torch.float64)
    if bias is not None:
        constant = constant + along @ bias
    return NeuronParts(neurons, neurons * (along @ matrix.T), constant, total)


def _norm_after(model: HookedModel, trace: Trace, metric: Metric, layer: int) -> FrozenNorm | None:
    after = model.layer_map.mlp.norm_after
    if after is None:
        return None
    return FrozenNorm.of(model, after.name, layer, metric.at_answer(trace[Site(after.scale, layer)]).double())

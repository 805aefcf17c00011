"""How large the Jacobian of the last state can be where attention patterns are held fixed: a sum over all paths."""

import torch
from jaxtyping import Float
from torch import Tensor

from interp.core.metric import Metric
from interp.core.prompts import Prompts
from interp.decomposition.linear_readout import walk_obstacle
from interp.models.hooked import HookedModel, Trace
from interp.models.layer_map import NORMS, Norm
from interp.models.sites import Site
from interp.models.weights import Linear

_RECORDED = ("pattern", "mlp_pre", "mlp_up", *(norm.scale for norm in NORMS.values() if norm.name[0] not in "qk"))


def bound_obstacle(model: HookedModel) -> str | None:
    """Why the bound cannot be computed; None if it can."""
    if model.dims.experts:
        return "its MLPs are mixtures of experts"
    return walk_obstacle(model) or model.site_obstacle(Site("pattern", 0))


@torch.no_grad()
def log_path_bound(model: HookedModel, prompt: Prompts, metric: Metric, size: float) -> Float[Tensor, "pos"]:
    """log10 of `size` · Σ over paths from each position to the answer; NaN where there is none.

    A step through attention from j to i multiplies by Σ_h A_ij ‖W_V W_O‖ and the largest factor of the norm at j, one
    through the MLP by its weights' spectral norms and its neurons' largest slopes, one along the stream by 1.
    """
    names = [name for name in _RECORDED if model.has(name) and name != "ln_final_scale"]
    trace = model.record(prompt, [site for name in names for site in model.sites(name)])
    attention_map, mlp_map, parallel = model.layer_map
    paths = torch.eye(prompt.width, dtype=torch.float64)
    if model.has("embed_ln_scale"):
        paths = paths * _largest(model, NORMS["embed_ln"], None, trace)
    identity, log_size = torch.eye(prompt.width, dtype=torch.float64), torch.zeros(())
    for layer in range(model.dims.layers):

        def factor(norm: Norm | None, layer: int = layer) -> Tensor:
            return _largest(model, norm, layer, trace)

        attention = torch.einsum("hqk,h->qk", trace[Site("pattern", layer)][0].double().cpu(), _heads(model, layer))
        attention = factor(attention_map.norm_after)[:, None] * attention * factor(attention_map.norm_before)
        mlp = factor(mlp_map.norm_after) * _mlp(model, layer, trace) * factor(mlp_map.norm_before)
        if parallel:
            paths = (identity + attention + mlp.diag()) @ paths
        else:
            paths = factor(attention_map.norm_on_sum)[:, None] * ((identity + attention) @ paths)
            paths = ((1 + mlp) * factor(mlp_map.norm_on_sum))[:, None] * paths
        log_size = log_size + paths.max().log10()  # a hundred layers would overflow
        paths = paths / paths.max()
    row = paths[0 if metric.positions is None else metric.positions[0]]
    bound = row.log10() + log_size + torch.tensor(size, dtype=torch.float64).log10()
    return torch.where(row > 0, bound, torch.nan)


def _largest(model: HookedModel, norm: Norm | None, layer: int | None, trace: Trace) -> Float[Tensor, "pos"]:
    """The most that a norm can stretch a change of its input at each position: its largest gain over its divisor."""
    if norm is None:
        return torch.ones((), dtype=torch.float64).expand(trace_width(trace))
    gain = model.weights.norm(norm.name, layer)[0].abs().max().double().cpu()
    return gain / trace[Site(norm.scale, layer)][0, :, 0].double().cpu()


def trace_width(trace: Trace) -> int:
    """Positions of a run that recorded patterns."""
    return trace[Site("pattern", 0)].shape[-1]


def _heads(model: HookedModel, layer: int) -> Float[Tensor, "head"]:
    """‖W_V W_O‖₂ of every head."""
    values = model.weights.projection("v", layer).matrix.double().cpu()
    outputs = model.weights.output(layer).double().cpu()
    values = values.repeat_interleave(len(outputs) // len(values), 0)
    left, right = torch.linalg.qr(values).R, torch.linalg.qr(outputs.mT).R
    return torch.linalg.matrix_norm(left @ right.mT, 2)


def _mlp(model: HookedModel, layer: int, trace: Trace) -> Float[Tensor, "pos"]:
    """The most that an MLP can stretch a change of what it reads, at each position."""
    weights, pre = model.weights, trace[Site("mlp_pre", layer)][0].double()
    with torch.enable_grad():
        inputs = pre.detach().requires_grad_()
        neurons = weights.activation(inputs)
        (slopes,) = torch.autograd.grad(neurons.sum(), inputs)
    up = weights.mlp_up(layer)
    within = _norm_of(weights.mlp_pre(layer))
    if up is None:
        stretch = slopes.abs().amax(-1) * within
    else:
        factor = trace[Site("mlp_up", layer)][0].double()
        stretch = (slopes * factor).abs().amax(-1) * within + neurons.detach().abs().amax(-1) * _norm_of(up)
    return (stretch * _norm_of(weights.mlp_out(layer))).cpu()


def _norm_of(linear: Linear) -> Tensor:
    """The spectral norm of a map, by the smaller of its Gram matrices."""
    matrix = linear.matrix.double()
    gram = matrix @ matrix.mT if matrix.shape[0] <= matrix.shape[1] else matrix.mT @ matrix
    return torch.linalg.eigvalsh(gram)[-1].sqrt()

"""Path lengths: the answer as a sum over the number of sub-layers passed, and each sub-layer's direct path."""

from dataclasses import dataclass as plain_dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from pydantic import Field
from pydantic.dataclasses import dataclass
from torch import Tensor

from interp.core.engine import engine
from interp.core.metric import Metric
from interp.core.options import Count
from interp.core.progress import track
from interp.core.prompts import Prompts
from interp.decomposition.linear_readout import FrozenNorm, require_logits, walk_obstacle
from interp.decomposition.walk import Function, Totals, Walk, mixed
from interp.kinds import PathLengths
from interp.models.edits import Edit
from interp.models.finite import require_finite
from interp.models.hooked import HookedModel
from interp.models.memory import require_memory_for_parts
from interp.models.sites import Site
from interp.models.slope import slope
from interp.models.weights import Linear

_WRITES = {"attention": "attn_write", "mlp": "mlp_write"}


@dataclass(frozen=True)
class PathLengthsOptions:
    """How long paths are told apart."""

    longest: Count = Field(64, description="longest paths that are told apart: those of more sub-layers count as these")


@plain_dataclass(frozen=True)
class LengthRules:
    """Part k is what has passed k sub-layers; a constant has passed none. Every rule is linear, as the run froze it."""

    def linear(self, parts: Tensor, linear: Linear, total: Tensor) -> Tensor:
        """W x_k; the bias starts paths of its own."""
        return _with_constant(parts @ linear.matrix, linear.bias)

    def norm(self, parts: Tensor, norm: FrozenNorm, total: Tensor) -> Tensor:
        """Centred by its own mean, divided by the total's divisor; the shift starts paths of its own."""
        return _with_constant(norm.sent(parts), norm.shift)

    def nonlinearity(self, parts: Tensor, function: Function, total: Tensor) -> Tensor:
        """Every part times the total's slope f(x) / x."""
        return parts * slope(function, total)

    def gated(self, gate: Tensor, up: Tensor, function: Function, gate_total: Tensor, up_total: Tensor) -> Tensor:
        """f(gate) · up_k, with the gate of the run."""
        return up * function(gate_total)

    def attention(self, walk: Walk, layer: int, parts: Tensor, rows: slice) -> Tensor:
        """The run's pattern times the values' parts."""
        pattern = walk.totals("pattern", layer)[:, rows]
        z = mixed(pattern, walk.heads("v", layer, parts))
        return walk.attended(layer, z, walk.output_bias(layer), rows)


def _with_constant(parts: Tensor, constant: Tensor | None) -> Tensor:
    if constant is not None:
        parts[0] += constant
    return parts


@engine(obstacle=walk_obstacle)
def path_lengths(model: HookedModel, prompts: Prompts, metric: Metric, options: PathLengthsOptions) -> PathLengths:
    """The answer as a sum over the number of sub-layers passed, and the causal effect of each sub-layer's direct path.

    With attention patterns, norms' divisors, gates and the slopes f(x) / x of ungated neurons held as they are in the
    run, a network is a sum over paths, each of which passes some of its sub-layers (attention or MLP) and goes along
    the stream past the others.

    `contribution` (`batch count`) is that of all paths of a length to the metric; they add up to the `total`, with the
    `remainder`. Embeddings and what the last norm and the unembedding add have length 0; a bias in a sub-layer starts a
    path of length 1. Contributions have both signs: `absolute` is Σ |c|, and `mean_length` Σ k |c_k| / Σ |c|.
    `direct_effect` (`batch layer part`): the metric where the final norm and unembedding read the last stream without
    what a sub-layer wrote to it at the answer, all others as they were, less the metric; NaN where that is no sum.
    `total_effect`: the metric where the sub-layer writes nothing, less the metric. These two freeze nothing.
    Cost: about as many forwards as half the lengths, and one for each sub-layer.
    Unit: logits.
    Conserves: contributions and the remainder add up to the total.
    Raises: EngineError if the metric is not on the logit scale; MemoryLimitError.
    Source: Veit et al. 2016, "Residual Networks Behave Like Ensembles of Relatively Shallow Networks";
    Elhage et al. 2021, "A Mathematical Framework for Transformer Circuits", on paths.
    Differs: transformers, frozen and so exact; in a gated MLP the gate is frozen whole.
    """
    require_logits("path-lengths", metric)
    layers, parallel = model.dims.layers, model.layer_map.parallel
    lengths = min(options.longest, layers * (1 if parallel else 2)) + 1
    contribution = torch.zeros(len(prompts), lengths, dtype=torch.float64)
    total = torch.zeros(len(prompts), dtype=torch.float64)
    effects = {
        name: np.full((len(prompts), layers, len(_WRITES)), np.nan) for name in ("direct_effect", "total_effect")
    }
    with torch.no_grad():
        for row in track(range(len(prompts)), len(prompts), "path-lengths"):
            prompt, of_row = prompts[[row]], metric.select([row])
            total[row], contribution[row] = _by_length(model, prompt, of_row, lengths)
            require_finite(model, prompt, contribution[row])
            effects["direct_effect"][row] = _direct_effects(model, prompt, of_row)
            effects["total_effect"][row] = _total_effects(model, prompt, of_row)
    absolute = contribution.abs()
    weighted = (absolute * torch.arange(lengths)).sum(1)
    return PathLengths.of(
        prompts,
        {
            "contribution": contribution,
            "total": total,
            "remainder": total - contribution.sum(1),
            "absolute": absolute.sum(1),
            "mean_length": torch.where(weighted > 0, weighted / absolute.sum(1), 0),
            **effects,
        },
        unit=metric.unit,
        measured=f"contribution to {metric.label} of all paths through so many sub-layers, patterns and norms frozen",
        part=list(_WRITES),
    )


def _by_length(model: HookedModel, prompt: Prompts, metric: Metric, lengths: int) -> tuple[float, Tensor]:
    """The metric of one prompt, and its part of every length."""
    require_memory_for_parts(model, lengths, prompt.width, max(4, model.dtype.itemsize))
    totals, layers = Totals(model, prompt, metric, pattern=True), model.layer_map
    ends = {
        part.norm_after.after if part.norm_after else out
        for part, out in ((layers.attention, "attn_out"), (layers.mlp, "mlp_out"))
    }

    def passed(site: Site, parts: Tensor, rows: slice) -> Tensor:
        return _one_longer(parts) if site.name in ends else parts

    walk = Walk(model, totals, LengthRules(), passed)
    position = 0 if metric.positions is None else metric.positions[0]
    stream, last = totals("resid_pre", 0)[None], model.dims.layers - 1
    for layer in range(last + 1):
        more = min(lengths - len(stream), 1 if layers.parallel else 2)
        stream = torch.cat([stream, stream.new_zeros(more, *stream.shape[1:])])
        stream = walk.layer(layer, stream, slice(position, position + 1) if layer == last else slice(None))
    logits = walk.answer(stream, position)
    return totals.metric, metric.select([0] * lengths).of_rows(logits).double()


def _one_longer(parts: Float[Tensor, "part ..."]) -> Float[Tensor, "part ..."]:
    """The same parts, having passed one more sub-layer; the last ones are as long as is told."""
    longer = torch.cat([torch.zeros_like(parts[:1]), parts[:-1]])
    longer[-1] += parts[-1]
    return longer


def _direct_effects(model: HookedModel, prompt: Prompts, metric: Metric) -> Any:
    """What the metric loses where the last stream is read without what one sub-layer wrote; NaN if it is no sum."""
    if model.obstacle("unembedding") or model.layer_map.attention.norm_on_sum:
        return np.nan
    sites = [Site(name, layer) for layer in range(model.dims.layers) for name in _WRITES.values()]
    last = Site("resid_post", model.dims.layers - 1)
    trace = model.run(prompt, record=[*sites, last], answer=metric)
    stream, writes = metric.at_answer(trace[last]), torch.cat([metric.at_answer(trace[site]) for site in sites])
    rows = model.unembed(torch.cat([stream, stream - writes]))
    values = metric.select([0] * len(rows)).of_rows(rows).double().cpu()
    return (values[1:] - values[0]).reshape(-1, len(_WRITES))


def _total_effects(model: HookedModel, prompt: Prompts, metric: Metric) -> Any:
    """What the metric loses where one sub-layer writes nothing; NaN where what it writes cannot be edited."""
    trace = model.run(prompt, record=model.sites("resid_pre"), answer=metric)
    clean = metric.of_rows(trace.logits).double().item()
    effects = np.full((model.dims.layers, len(_WRITES)), np.nan)
    for layer in range(model.dims.layers):
        for at, name in enumerate(_WRITES.values()):
            site, start = Site(name, layer), (layer, trace[Site("resid_pre", layer)])
            if model.edit_obstacle(site) is None:
                rows = model.run(prompt, start=start, edits=[Edit.zero(site)], answer=metric).logits
                effects[layer, at] = metric.of_rows(rows).double().item() - clean
    return effects

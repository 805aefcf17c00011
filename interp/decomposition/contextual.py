"""Contextual decomposition: x = β + γ, where β is what came from the source and γ the rest."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from interp.core.metric import Metric
from interp.core.nodes import Node
from interp.core.progress import track
from interp.core.prompts import Prompts
from interp.decomposition.linear_readout import FrozenNorm
from interp.decomposition.walk import EVERYWHERE, Function, Totals, Walk, mixed
from interp.models.hooked import HookedModel
from interp.models.memory import require_memory_for_parts
from interp.models.sites import Site
from interp.models.weights import Linear


@dataclass(frozen=True)
class ContextualRules:
    """Parts are β, one a source; γ = total − β always, so the two add up to the activation whatever is rounded.

    Source: Hsu et al. 2024 (CD-T), after Murdoch et al. 2018. Differs: where β and γ of a bias' share are both 0 the
    bias goes to γ, and is not lost; in a gated MLP, what β of one factor and γ of the other make is split in half.
    """

    frozen_attention: bool

    def linear(self, parts: Tensor, linear: Linear, total: Tensor) -> Tensor:
        """β' = Wβ + b |Wβ| / (|Wβ| + |Wγ|), element by element."""
        out = parts @ linear.matrix
        return out if linear.bias is None else out + linear.bias * _share(out, total - linear.bias)

    def norm(self, parts: Tensor, norm: FrozenNorm, total: Tensor) -> Tensor:
        """Centred by its own mean, divided by the total's divisor; the shift is split by |β| : |γ| of the input."""
        out = norm.sent(parts)
        return out if norm.shift is None else out + norm.shift * _share(parts, total)

    def nonlinearity(self, parts: Tensor, function: Function, total: Tensor) -> Tensor:
        """β' = f(total) − f(γ)."""
        return function(total) - function(total - parts)

    def gated(self, gate: Tensor, up: Tensor, function: Function, gate_total: Tensor, up_total: Tensor) -> Tensor:
        """½ (β_g · up + g · β_up), where g = f(gate): β_g β_up and half of what β and γ make together.

        All of it to one of the two would be quadratic in β, and grow without bound from layer to layer.
        """
        whole = function(gate_total)
        part = self.nonlinearity(gate, function, gate_total)
        return part.mul_(up_total / 2).addcmul_(up, whole / 2)

    def attention(self, walk: Walk, layer: int, parts: Tensor, rows: slice) -> Tensor:
        """β_z = softmax(β_q β_k) β_v; or the run's own pattern times β_v."""
        value = walk.heads("v", layer, parts)
        if self.frozen_attention:
            z = mixed(walk.totals("pattern", layer)[:, rows], value)
        else:
            query, key = walk.turned("q", layer, parts, rows), walk.turned("k", layer, parts)
            z = F.scaled_dot_product_attention(
                *(heads.transpose(1, 2) for heads in (query, key, value)),
                attn_mask=walk.totals.visible(layer)[rows],
                scale=walk.model.weights.attention_scale(layer),
                enable_gqa=True,
            ).transpose(1, 2)
        return walk.attended(layer, z, walk.output_bias(layer), rows)


def _share(part: Tensor, total: Tensor) -> Tensor:
    """|β| / (|β| + |γ|), and 0 where both are."""
    size = part.abs()
    whole = (total - part).abs_().add_(size)
    return torch.where(whole > 0, size / whole, 0)


def stabilised(part: Tensor, total: Tensor) -> Tensor:
    """β after the reference's stabiliser: where β and γ differ in sign, the larger of the two takes their sum."""
    rest = total - part
    larger = torch.where(part.abs() >= rest.abs(), total.expand_as(part), 0)
    return torch.where(part * rest < 0, larger, part)


@dataclass(frozen=True)
class Start:
    """Where a source enters: what β is put to at a site of a layer, at the heads or positions `places`."""

    site: Site
    places: tuple[int, ...] = ()

    @classmethod
    def of(cls, node: Node) -> "Start":
        """Where a node's own value stands: a head's before W_O, as the output bias belongs to no head."""
        if node.kind == "m":
            return cls(Site("mlp_out", node.layer))
        return cls(Site("z" if node.kind == "a" else "expert_write", node.layer), (node.index,))


@dataclass(frozen=True)
class SourceSet:
    """A set of sources that is followed as one."""

    name: str
    starts: tuple[Start, ...]

    @property
    def first(self) -> int:
        """The first layer in which it has a part."""
        return min(start.site.layer or 0 for start in self.starts)


class SourceVisitor:
    """A visitor of the walk that puts sources in: row r of the parts follows the r-th set."""

    def __init__(self, totals: Totals, sources: Sequence[SourceSet], how: "ContextualSettings") -> None:
        self._totals, self._how = totals, how
        self._starts: dict[Site, list[tuple[int, tuple[int, ...]]]] = {}
        for row, source in enumerate(sources):
            for start in source.starts:
                self._starts.setdefault(start.site, []).append((row, start.places))

    def __call__(self, site: Site, parts: Tensor, rows: slice) -> Tensor:
        """The parts with those of the sources that start here; stabilised, if that was asked for."""
        if site in self._starts:
            parts = self._enter(site, parts, rows)
        if self._how.stabilise and site.name not in ("q", "k", "v") and self._totals.has(*site):
            parts = stabilised(parts, self._totals(*site, rows))
        return parts

    def _enter(self, site: Site, parts: Tensor, rows: slice) -> Tensor:
        """Heads, MLPs and experts enter at all positions, tokens (in the stream) at their own."""
        value, parts = self._totals(*site), parts.clone()
        value = (value - value.mean(0) if self._how.mean else value)[rows]
        for row, places in self._starts[site]:
            if site.name in ("z", "expert_write"):
                parts[row, :, list(places)] = value[:, list(places)]
            elif places:
                parts[row, list(places)] = value[list(places)]
            else:
                parts[row] = value
        return parts


@dataclass(frozen=True)
class ContextualSettings:
    """How sources are followed: attention's rule, how many rows share a pass, and whether β starts less its mean."""

    frozen_attention: bool
    batch_tokens: int
    mean: bool = False
    stabilise: bool = False

    def totals(self, model: HookedModel, prompt: Prompts, metric: Metric) -> Totals:
        """The plain run of one prompt that all sources share."""
        return Totals(model, prompt, metric, pattern=self.frozen_attention)

    def walk(self, model: HookedModel, totals: Totals, sources: Sequence[SourceSet]) -> Walk:
        """A walk in which these sources enter."""
        return Walk(model, totals, ContextualRules(self.frozen_attention), SourceVisitor(totals, sources, self))


def beta_of_answer(
    model: HookedModel, totals: Totals, metric: Metric, sources: Sequence[SourceSet], how: ContextualSettings
) -> Float[Tensor, "source"]:
    """β of the metric of one prompt, for every source."""
    beta = torch.zeros(len(sources), dtype=torch.float64)
    last, position = model.dims.layers - 1, 0 if metric.positions is None else metric.positions[0]
    for group in _groups(model, totals, sources, how):
        walk = how.walk(model, totals, [sources[index] for index in group])
        stream = _stream_into(walk, [sources[index] for index in group], last)
        stream = walk.layer(last, stream, slice(position, position + 1))
        logits = walk.answer(stream, position)
        beta[group] = metric.select([0] * len(group)).of_rows(logits).double().cpu()
    return beta


def sizes_at_nodes(
    model: HookedModel, totals: Totals, targets: Sequence[Start], sources: Sequence[SourceSet], how: ContextualSettings
) -> Float[Tensor, "target source size"]:
    """Σ_t ‖β_t‖₁, Σ_t ‖γ_t‖₁ and Σ_t ‖β_t‖₁ / ‖γ_t‖₁ over positions t, for every source; 0 / 0 counts as 0.

    Nothing of a source that enters in a layer above a target's has reached it: its sizes there are 0.
    """
    sizes = torch.zeros(len(targets), len(sources), 3, dtype=torch.float64)
    last = max(target.site.layer or 0 for target in targets)
    for group in _groups(model, totals, sources, how):
        walk = how.walk(model, totals, [sources[index] for index in group])
        enter = walk.visit

        def look(site: Site, parts: Tensor, rows: slice, enter=enter, group=group) -> Tensor:
            parts = enter(site, parts, rows)
            for row, target in enumerate(targets):
                if target.site == site:
                    sizes[row, group[: len(parts)]] = _sizes(parts, totals, target)
            return parts

        walk.visit = look
        walk.layer(last, _stream_into(walk, [sources[index] for index in group], last))
    return sizes


def _sizes(parts: Tensor, totals: Totals, target: Start) -> Float[Tensor, "source size"]:
    heads = list(target.places) or slice(None)
    part, total = parts[:, :, heads].flatten(2).double(), totals(*target.site)[:, heads].flatten(1).double()
    beta, gamma = part.abs().sum(-1), (total - part).abs().sum(-1)
    ratio = torch.where(beta > 0, beta / gamma, 0)
    return torch.stack([beta.sum(-1), gamma.sum(-1), ratio.sum(-1)], -1).cpu()


def _groups(
    model: HookedModel, totals: Totals, sources: Sequence[SourceSet], how: ContextualSettings
) -> Iterator[list[int]]:
    """The sources in the order of their first layers, as many at a time as share a pass."""
    order = sorted(range(len(sources)), key=lambda index: sources[index].first)
    size = max(1, how.batch_tokens // totals.width)
    require_memory_for_parts(model, min(size, len(order)), totals.width, totals.dtype.itemsize)
    groups = [order[first : first + size] for first in range(0, len(order), size)]
    return track(groups, len(groups), "following sources")


def _stream_into(walk: Walk, sources: Sequence[SourceSet], until: int) -> Float[Tensor, "part pos d_model"]:
    """The stream into layer `until` of all sources; each joins at its first layer, below which it is nothing."""
    stream = walk.totals("resid_pre", 0).new_zeros(0, walk.totals.width, walk.model.dims.d_model)
    for layer in range(sources[0].first, until + 1):
        joining = sum(source.first == layer for source in sources)
        stream = torch.cat([stream, stream.new_zeros(joining, *stream.shape[1:])]) if joining else stream
        if layer == 0:
            stream = walk.visit(Site("resid_pre", 0), stream, EVERYWHERE)
        if layer < until:
            stream = walk.layer(layer, stream)
    return stream

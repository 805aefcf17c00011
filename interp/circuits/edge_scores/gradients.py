"""Scores of all edges from one backward pass: what each sender would change times the gradient at each receiver.

The gradient at a head's query, key or value is taken behind its projection and pulled back through its weights and the
norm, head by head; no run is split by head, and nothing is kept but the senders' differences.
"""

from collections.abc import Iterable, Iterator
from functools import partial
from math import prod
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from interp.circuits.interventions.replacements import How
from interp.core.errors import OptionError
from interp.core.graph import EMBED, Block
from interp.core.metric import Metric
from interp.core.prompts import PromptPairs, Prompts
from interp.decomposition.relevance.modified_gradient import with_rules
from interp.decomposition.relevance.rules import Recipe
from interp.models.edits import Edit, mean_over_positions
from interp.models.gradients import on_gradient
from interp.models.hooked import HookedModel, Trace
from interp.models.memory import give_back, require_memory_for_gradient
from interp.models.sites import Site
from interp.models.writes import graph_of, head_writes, mlp_write, mlp_writes, write_sites

_GIVES_BACK = 10  # layers after which freed memory is; it costs time


class Differences:
    """What every sender would write instead less what it writes, taken while the clean prompts run with `edits`."""

    def __init__(self, model: HookedModel, prompts: Prompts | PromptPairs, metric: Metric, how: How) -> None:
        if how == "resample" and isinstance(prompts, Prompts):
            raise OptionError("resampling needs a corrupted prompt; give one, or use how='zero' or 'mean'")
        self.model, self.how, self._graph = model, how, graph_of(model)
        self.clean = prompts.clean
        shape = (len(self._graph.senders), *self.clean.tokens.shape, model.dims.d_model)
        require_memory_for_gradient(model, self.clean, beside=prod(shape))
        self._other = Trace()
        self.other_metric: Tensor | None = None  # of every prompt
        if isinstance(prompts, PromptPairs) and how == "resample":
            with torch.no_grad():
                self._other = model.run(prompts.corrupted, record=write_sites(model), answer=metric)
            self.other_metric = metric.of_rows(self._other.logits)
        self.values: Float[Tensor, "sender batch pos d_model"] = torch.zeros(
            shape, dtype=model.dtype, device=model.device
        )

    def edits(self) -> Iterator[Edit]:
        """Edits that change nothing and fill `values`."""
        yield Edit.through(Site("resid_pre", 0), partial(self._keep, EMBED))
        for layer in range(self.model.dims.layers):
            yield Edit.through(Site("z", layer), partial(self._keep_heads, layer))
            yield Edit.through(Site(mlp_write(self.model), layer), partial(self._keep, Block("mlp", layer)))

    def _keep(self, block: Block, value: Tensor) -> None:
        site = Site("resid_pre", 0) if block == EMBED else Site(mlp_write(self.model), block.layer)
        change = self._instead(site, value.detach()) - value.detach()
        self.values[self._graph.senders_at(block)] = mlp_writes(change)

    def _keep_heads(self, layer: int, z: Tensor) -> None:
        z, site, write = z.detach(), Site("z", layer), partial(head_writes, self.model, layer)
        if layer % _GIVES_BACK == 0:
            give_back()
        if self.model.layer_map.attention.norm_after is None:  # linear: one product serves both runs
            changes = write(self._instead(site, z) - z)
        elif self.how == "resample":
            changes = write(self._other.pop(site)) - write(z)
        else:
            now = write(z)
            changes = torch.stack([self._instead(site, each) for each in now]) - now
        self.values[self._graph.senders_at(Block("attention", layer))] = changes

    def _instead(self, site: Site, value: Tensor) -> Tensor:
        if self.how == "zero":
            return torch.zeros_like(value)
        # Taken once and let go: beside the gradient there is no room for a second run.
        return mean_over_positions(value, self.clean.mask) if self.how == "mean" else self._other.pop(site)


class Leaf(NamedTuple):
    """Where the gradient goes back to, and the tensor to put there; None leaves what is there."""

    site: Site
    value: Tensor | None = None


def edge_scores(
    model: HookedModel,
    prompts: Prompts,
    metric: Metric,
    differences: Differences,
    leaf: Leaf,
    *,
    more: Iterable[Edit] = (),
    start: tuple[int, Tensor] | None = None,
    weights: Float[Tensor, "row"] | None = None,
    senders: slice = slice(None),
    by_position: bool = False,
    rules: Recipe | None = None,
) -> tuple[Float[Tensor, "batch *pos sender receiver"], Float[Tensor, "row"]]:
    """One forward and backward pass: the score of every edge whose receiver depends on `leaf`, and the metric.

    The score of an edge is ⟨what its sender would change, ∂metric/∂(what its receiver reads)⟩, over all positions or at
    each. `prompts` are those of `differences`, or several times those, one after another: points of a path, whose
    gradients are added up with the `weights` of their rows. `more` are further edits of the run; `start` is that of
    `HookedModel.run`; only edges out of `senders` are scored. With `rules`, the gradient is relevance per unit.
    """
    frozen = rules is not None and rules.norm == "freeze"
    scoring = _Scoring(model, differences.values, senders, by_position, frozen_norms=frozen)
    leaves: list[Tensor] = []

    def begin(old: Tensor) -> Tensor:
        leaves.append((old if leaf.value is None else leaf.value).detach().requires_grad_())
        return leaves[0]

    edits = with_rules(model, rules, [*more, Edit.through(leaf.site, begin), *scoring.edits()])
    with torch.enable_grad():
        total = metric.of_rows(model.run(prompts, edits=edits, answer=metric, start=start).logits)
        torch.autograd.grad((total if weights is None else total * weights).sum(), leaves)
    scoring.finish()
    return scoring.scores, total.detach()


class _Scoring:
    """Hooks that turn each receiver's gradient into scores as it passes."""

    def __init__(
        self, model: HookedModel, differences: Tensor, senders: slice, by_position: bool, *, frozen_norms: bool
    ) -> None:
        self.model, self.graph, self.differences = model, graph_of(model), differences
        self.senders = range(len(differences))[senders]
        count, batch, width, _ = differences.shape
        places = (batch, width) if by_position else (batch,)
        self.by_position, self.frozen_norms = by_position, frozen_norms
        self.scores = differences.new_zeros(*places, count, len(self.graph.receivers))
        self._inputs: dict[int, Tensor] = {}
        self._divisors: dict[int, Tensor] = {}
        self._normed: tuple[int, Tensor] | None = None  # of the layer that the gradient passes
        self._layer: int | None = None
        self._rows: list[int] = []  # the receivers of the layer whose gradients have come
        self._gradients = differences.new_empty(self.graph.attention_receivers + 1, *differences.shape[1:])

    def edits(self) -> Iterator[Edit]:
        """Edits that change nothing."""
        dims, (attention, mlp, _) = self.model.dims, self.model.layer_map
        norm, shared = attention.norm_before, mlp.norm_before is not None and mlp.branch == mlp.reads
        into_mlp = self._behind_norm if shared else self._block
        for layer in range(dims.layers):
            first = self.graph.receivers_at(Block("attention", layer)).start
            if norm is not None and not self.frozen_norms:
                yield Edit.through(Site(norm.before, layer), partial(self._hold_input, layer))
            if norm is not None:
                yield Edit.through(Site(norm.scale, layer), partial(self._hold_divisor, layer))
            for name, start in (("q", 0), ("k", dims.heads), ("v", dims.heads + dims.kv_heads)):
                yield self._edit(Site(name, layer), partial(self._heads, name, layer, first + start))
            at = self.graph.receivers_at(Block("mlp", layer)).start
            yield self._edit(Site(mlp.branch, layer), partial(into_mlp, layer, at))
        logits = len(self.graph.receivers) - 1
        yield self._edit(Site("ln_final_in"), partial(self._block, dims.layers, logits))

    @staticmethod
    def _edit(site: Site, function) -> Edit:
        return Edit.through(site, partial(on_gradient, function=function))

    def _hold_input(self, layer: int, stream: Tensor) -> None:
        self._inputs[layer] = stream.detach()

    def _hold_divisor(self, layer: int, divisor: Tensor) -> None:
        self._divisors[layer] = divisor.detach()

    def _heads(self, name: str, layer: int, first: int, x: Tensor, g: Float[Tensor, "batch pos head d_head"]) -> None:
        """Pull the gradient back to what each head reads: through its weights, then through the norm."""
        if name == "v" and layer % _GIVES_BACK == 0:
            give_back()
        weights, norm = self.model.weights, self.model.layer_map.attention.norm_before
        matrix = weights.projection(name, layer).matrix
        if norm is None:
            self._add(layer, first, torch.einsum("bphk,hdk->hbpd", g, matrix))
            return
        divisor = self._divisors[layer]
        matrix = (matrix * weights.norm(norm.name, layer)[0][:, None]).to(divisor.dtype)
        self._add(layer, first, self._before(layer, torch.einsum("bphk,hdk->hbpd", g / divisor[..., None], matrix)))

    def _behind_norm(self, layer: int, first: int, x: Tensor, g: Float[Tensor, "batch pos d_model"]) -> None:
        """The MLP's branch where it begins behind the norm that attention reads too."""
        factor, divisor = self.model.weights.norm("ln1", layer)[0], self._divisors[layer]
        self._add(layer, first, self._before(layer, (g * factor / divisor)[None]))

    def _before(self, layer: int, along: Float[Tensor, "receiver batch pos d_model"]) -> Tensor:
        """The gradient at the norm's input from that at its output, with its factor and divisor in it."""
        if self.frozen_norms:
            return self.model.centred(along)
        if self._normed is None or self._normed[0] != layer:
            # Only now: the graph keeps the input anyway, and would not keep what is made of it.
            self._normed = layer, self.model.centred(self._inputs.pop(layer)) / self._divisors[layer]
        normed = self._normed[1]
        along = self.model.centred(along)
        share = torch.linalg.vecdot(along, normed)[..., None] / normed.shape[-1]
        return along.addcmul_(normed, share, value=-1)

    def _block(self, layer: int, first: int, x: Tensor, g: Float[Tensor, "batch pos d_model"]) -> None:
        self._add(layer, first, g[None])

    def _add(self, layer: int, first: int, gradients: Float[Tensor, "receiver batch pos d_model"]) -> None:
        """Keep a layer's gradients until the next layer's come: what takes time is to read the senders."""
        if layer != self._layer:
            self.finish()
            self._layer = layer
        for index, gradient in enumerate(gradients):
            points = gradient.unflatten(0, (-1, self.differences.shape[1]))
            self._rows.append(first + index)
            self._gradients[len(self._rows) - 1] = points[0] if len(points) == 1 else points.sum(0)

    def finish(self) -> None:
        """Score the edges into the receivers whose gradients are kept, and pairs beside them that are no edge."""
        if not self._rows:
            return
        gradients = self._gradients[: len(self._rows)]
        senders = slice(self.senders.start, min(self.senders.stop, int(self.graph.reads[self._rows].max())))
        changes = self.differences[senders]
        if self.by_position:
            scores = changes.permute(1, 2, 0, 3) @ gradients.permute(1, 2, 3, 0)
        else:
            scores = changes.flatten(2).transpose(0, 1) @ gradients.flatten(2).permute(1, 2, 0)
        self.scores[..., senders, self._rows] = scores
        self._rows.clear()

"""Information flow routes: who is near what is read, followed from the answer down. Proximity, not causal effect."""

import torch
from jaxtyping import Bool, Float
from pydantic import Field
from pydantic.dataclasses import dataclass
from torch import Tensor

from interp.circuits.edge_table import EdgeTable
from interp.circuits.groups import Group, groups
from interp.circuits.writes import graph_obstacle, graph_of, write_sites, writes
from interp.core.engine import EngineSpec
from interp.core.kinds import EdgeScores
from interp.core.metric import Metric
from interp.core.progress import track
from interp.core.prompts import Prompts
from interp.models.finite import require_finite
from interp.models.hooked import HookedModel, Trace
from interp.models.sites import Site

_CELLS = 2**24  # numbers of heads' parts, token by token, that are computed at a time


@dataclass(frozen=True)
class FlowRoutesOptions:
    """Which edges belong to a route, and whether positions are told apart."""

    threshold: float = Field(0.01, ge=0, lt=1, description="the smallest share with which an edge is on a route")
    by_position: bool = Field(False, description="one share a position instead of the largest of all")
    batch_tokens: int = Field(128, ge=1, description="tokens taken at a time: more prompts take more memory")


def flow_routes(model: HookedModel, prompts: Prompts, metric: Metric | None, options: FlowRoutesOptions) -> EdgeScores:
    """Follow what is read at the answer down to the embeddings, along the senders that are nearest to it.

    What a receiver reads at a position, y, is a sum of what senders wrote there, x_u. The share of an edge is
    max(0, ‖y‖₁ − ‖x_u − y‖₁), divided by the sum of this over all senders that the receiver reads. Routes start at the
    `logits` where the answer is read; an edge is on a route if its receiver is and its share reaches the threshold. An
    MLP that is reached reads where it writes. A head that is reached takes its query there, and its keys and values at
    the positions whose parts of its output (attention times value, through W_O) have a share in it, by the same
    measure, of at least the threshold.
    Returns the share of every edge on a route, the largest over positions unless `by_position`, and 0 elsewhere; axes
    `batch [pos] edge`. Nothing is patched: an edge that is near may still have no effect.

    Unit: shares, from 0 to 1.
    Raises: EngineError where activations are not finite; MemoryLimitError.
    Source: Ferrando & Voita 2024, "Information Flow Routes", section 2.
    Differs: on the graph of senders and receivers, where the residual stream is no sender: what earlier blocks wrote
    counts as theirs. An edge has more competitors than in the paper, so that shares, and the threshold, are smaller. A
    head's query, key and value are reached alike, where the paper has one edge for all three. Biases are in y, but are
    nobody's.
    """
    asked = metric or Metric.reading(prompts.answer_positions(model))
    table = EdgeTable(model, prompts, by_position=options.by_position)
    found = groups(prompts, asked, options.batch_tokens)
    for group in track(found, len(found), "flow-routes"):
        with torch.no_grad():
            shares = _Routes(model, group, options.threshold).shares()
        require_finite(model, group.clean, shares)
        table.add(group.rows, shares if options.by_position else shares.amax(1))
    return table.result(
        asked,
        f"share of what the receiver reads, by proximity (not causal), on routes of shares ≥ {options.threshold:g}",
        unit="share",
        sign="",
    )


class _Routes:
    """One group's routes, found from the logits down."""

    def __init__(self, model: HookedModel, group: Group, threshold: float) -> None:
        self.model, self.graph, self.threshold = model, graph_of(model), threshold
        reads = [*model.sites("resid_pre"), *model.sites("ln2_in"), Site("ln_final_in")]
        record = {*write_sites(model), *reads, *model.sites("pattern"), *model.sites("v")}
        self._trace: Trace = model.run(group.clean, record=record, answer=group.metric)
        self._written = torch.cat(list(writes(model, self._trace).values())).permute(1, 2, 0, 3).contiguous()
        batch, width, senders, _ = self._written.shape
        self._shares = self._written.new_zeros(batch, width, senders, len(self.graph.receivers))
        self._reached = torch.zeros(batch, width, senders, dtype=torch.bool, device=model.device)
        assert group.metric.positions is not None
        self._answer = torch.zeros(batch, width, dtype=torch.bool, device=model.device)
        self._answer[range(batch), list(group.metric.positions)] = True

    def shares(self) -> Float[Tensor, "batch pos sender receiver"]:
        """The share of every edge on a route."""
        dims, graph = self.model.dims, self.graph
        self._read(Site("ln_final_in"), len(graph.receivers) - 1, self._answer[..., None])
        for layer in reversed(range(dims.layers)):
            heads = slice(graph.senders_before(layer), graph.senders_before(layer) + dims.heads)
            first = graph.receivers_before(layer)
            mlp = first + dims.heads + 2 * dims.kv_heads
            self._read(Site("ln2_in", layer), mlp, self._reached[..., heads.stop : heads.stop + 1])
            queries = self._reached[..., heads]
            looked_at = self._looked_at(layer, queries)
            self._read(Site("resid_pre", layer), first, torch.cat([queries, looked_at, looked_at], -1))
        return self._shares

    def _read(self, site: Site, first: int, reached: Bool[Tensor, "batch pos receiver"]) -> None:
        """Shares of the edges into receivers that read at `site`, where they are reached."""
        rows, senders = reached.any(-1), int(self.graph.reads[first])
        share = proximity(self._written[rows][:, :senders], self._trace[site][rows])
        share = torch.where(share >= self.threshold, share, 0)
        receivers = slice(first, first + reached.shape[-1])
        self._shares[..., :senders, receivers][rows] = share[..., None] * reached[rows][:, None]
        self._reached[..., :senders][rows] |= share > 0

    def _looked_at(self, layer: int, reached: Bool[Tensor, "batch pos head"]) -> Bool[Tensor, "batch pos kv_head"]:
        """The positions whose keys and values make enough of the output of heads that are reached."""
        pattern, values = self._trace[Site("pattern", layer)], self._trace[Site("v", layer)]
        output, dims = self.model.weights.output(layer), self.model.dims
        found = reached.new_zeros(*reached.shape[:2], dims.kv_heads)
        places = reached.nonzero()
        for some in places.split(max(1, _CELLS // (reached.shape[1] * dims.d_model))):
            row, pos, head = some.unbind(-1)
            shared = head * dims.kv_heads // dims.heads
            parts = pattern[row, head, pos, :, None].to(values) * values[row, :, shared]
            parts = torch.einsum("npd,ndm->npm", parts, output[head])
            share = proximity(parts, parts.sum(1))
            at, key = ((share >= self.threshold) & (share > 0)).nonzero().unbind(-1)
            found[row[at], key, shared[at]] = True
        return found


def proximity(
    parts: Float[Tensor, "place part d_model"], total: Float[Tensor, "place d_model"]
) -> Float[Tensor, "place part"]:
    """max(0, ‖y‖₁ − ‖x − y‖₁) of each part x of a total y, as shares that add up to one (or are all 0)."""
    size = total.abs().sum(-1, keepdim=True)
    near = size - torch.cdist(parts, total.unsqueeze(1), p=1)[..., 0]
    near = torch.where(near > 100 * torch.finfo(near.dtype).eps * size, near, 0)  # what is less is rounding
    return near / near.sum(-1, keepdim=True).clamp_min(torch.finfo(near.dtype).tiny)


SPEC = EngineSpec(
    name="flow-routes",
    run=flow_routes,
    result=EdgeScores,
    options=FlowRoutesOptions,
    asks="nothing",
    summary="which senders are nearest to what each receiver reads, from the answer down: proximity, not causal",
    source="Ferrando & Voita 2024",
    conserves="with threshold 0, shares into a receiver add up to one at every position that is reached",
    obstacle=graph_obstacle,
)

"""Information flow routes: which senders are close to what is read, traced down from the answer. Not causal."""

import torch
from jaxtyping import Float
from pydantic import Field
from pydantic.dataclasses import dataclass
from torch import Tensor

from interp.circuits.edge_scores.table import EdgeTable
from interp.circuits.interventions.groups import Group, groups
from interp.core.engine import engine
from interp.core.graph import Block
from interp.core.metric import Metric
from interp.core.options import BatchTokens
from interp.core.progress import track
from interp.core.prompts import Prompts
from interp.kinds import EdgeScores
from interp.models.finite import require_finite
from interp.models.hooked import HookedModel, Trace
from interp.models.sites import Site
from interp.models.writes import graph_obstacle, graph_of, read_site, write_sites, writes

_CELLS = 2**24  # numbers of heads' parts, token by token, that are computed at a time


@dataclass(frozen=True)
class FlowRoutesOptions:
    """Which edges belong to a route, and whether positions are separate."""

    threshold: float = Field(
        0.0, ge=0, lt=1, allow_inf_nan=False, description="threshold: the smallest share for an edge to be on a route"
    )
    by_position: bool = Field(False, description="one flow per position instead of their sum")
    batch_tokens: BatchTokens = Field(128, description="tokens per pass: more need more memory")


@engine(obstacle=lambda model: graph_obstacle(model) or model.obstacle("attention"))
def flow_routes(model: HookedModel, prompts: Prompts, metric: Metric | None, options: FlowRoutesOptions) -> EdgeScores:
    """Which senders are closest to what each receiver reads, traced down from the answer: proximity, not causal effect.

    Follow what is read at the answer down to the embeddings, along the senders that are nearest to it.

    What a receiver reads at a position, y, is a sum of what senders wrote there, x_u. The share of an edge is
    max(0, ‖y‖₁ − ‖x_u − y‖₁), divided by the sum of this over all senders that the receiver reads. A flow of 1 starts
    at the `logits` where the answer is read; a receiver hands its flow to the senders by their shares. An MLP hands on
    what it gets where it writes. A head hands a third to its query there, and a third each to its keys and values, at
    the positions whose parts of its output (attention times value, through W_O) are near it, by the same measure.
    Shares below the threshold are on no route; what would flow there is lost, as it is where no part is near.
    Returns the flow through every edge, over all positions unless `by_position`; axes `batch [pos] edge`. Nothing is
    patched: an edge that is near may still have no effect.

    Unit: shares of the answer's flow, from 0 to 1.
    Conserves: flows into the logits add up to one; so do flows out of the embedding, up to what no sender is close to.
    Raises: EngineError where activations are not finite; MemoryLimitError.
    Source: Ferrando & Voita 2024, "Information Flow Routes", section 2.
    Differs: on the graph of senders and receivers, where the residual stream is no sender: what earlier blocks wrote
    counts as theirs. The paper keeps the edges whose own share reaches a threshold, from the top down; here shares are
    multiplied on the way as well, so that edges of all layers can be compared. A head's query, key and value get equal
    parts, where the paper has one edge for all three. Biases are in y, but are nobody's.
    """
    target = metric or Metric.reading(prompts.answer_positions(model))
    table = EdgeTable(model, prompts, by_position=options.by_position)
    batches = groups(prompts, target, options.batch_tokens)
    for group in track(batches, len(batches), "flow-routes"):
        with torch.no_grad():
            flows = _Routes(model, group, options.threshold).flows()
        require_finite(model, group.clean, flows)
        table.add(group.rows, flows if options.by_position else flows.sum(1))
    return table.result(
        target,
        "share of the answer's flow through the edge, by proximity to what is read (not causal)",
        unit="share",
        sign="",
        supports="",
    )


class _Routes:
    """One group's routes, found from the logits down."""

    def __init__(self, model: HookedModel, group: Group, threshold: float) -> None:
        self.model, self.graph, self.threshold = model, graph_of(model), threshold
        reads = [*model.sites("resid_pre"), *model.sites(model.layer_map.mlp.stream), Site("ln_final_in")]
        record = {*write_sites(model), *reads, *model.sites("pattern"), *model.sites("v")}
        self._trace: Trace = model.run(group.clean, record=record, answer=group.metric)
        self._writes = torch.cat(list(writes(model, self._trace).values())).permute(1, 2, 0, 3).contiguous()
        batch, width, senders, _ = self._writes.shape
        flow = self._writes.new_zeros(batch, width, dtype=torch.promote_types(model.dtype, torch.float32))
        self._flows = flow.new_zeros(batch, width, senders, len(self.graph.receivers))
        self._write_flow = flow.new_zeros(batch, width, senders)
        assert group.metric.positions is not None
        self._answer = flow
        self._answer[range(batch), list(group.metric.positions)] = 1

    def flows(self) -> Float[Tensor, "batch pos sender receiver"]:
        """What flows through every edge."""
        graph = self.graph
        self._distribute(Block("logits", graph.layers), self._answer[..., None])
        for layer in reversed(range(graph.layers)):
            attention, mlp = Block("attention", layer), Block("mlp", layer)
            self._distribute(mlp, self._write_flow[..., graph.senders_at(mlp)].sum(-1, keepdim=True))
            queries = self._write_flow[..., graph.senders_at(attention)] / 3
            keys = self._flow_to_keys(layer, queries)
            self._distribute(attention, torch.cat([queries, keys, keys], -1))
        return self._flows

    def _distribute(self, block: Block, flow: Float[Tensor, "batch pos receiver"]) -> None:
        """Hand what the receivers of a block get to the senders that they read."""
        receivers = self.graph.receivers_at(block)
        rows, senders = (flow > 0).any(-1), int(self.graph.reads[receivers.start])
        share = self._share(self._writes[rows][:, :senders], self._trace[read_site(self.model, block)][rows])
        flows = share[..., None] * flow[rows][:, None]
        self._flows[..., :senders, receivers][rows] = flows
        self._write_flow[..., :senders][rows] += flows.sum(-1)

    def _flow_to_keys(self, layer: int, flow: Float[Tensor, "batch pos head"]) -> Float[Tensor, "batch pos kv_head"]:
        """What heads hand to the positions that their keys and values stand at."""
        pattern, values = self._trace[Site("pattern", layer)], self._trace[Site("v", layer)]
        output, dims = self.model.weights.output(layer), self.model.dims
        at_keys = flow.new_zeros(len(flow), dims.kv_heads, flow.shape[1])
        for some in flow.nonzero().split(max(1, _CELLS // (flow.shape[1] * dims.d_model))):
            row, pos, head = some.unbind(-1)
            kv_head = head // dims.group
            parts = pattern[row, head, pos, :, None].to(values) * values[row, :, kv_head]
            parts = torch.einsum("npd,ndm->npm", parts, output[head])
            portion = flow[row, pos, head, None] * self._share(parts, parts.sum(1))
            at_keys.index_put_((row, kv_head), portion, accumulate=True)
        return at_keys.transpose(1, 2)

    def _share(self, parts: Tensor, total: Tensor) -> Float[Tensor, "place part"]:
        share = proximity(parts, total)
        return torch.where(share >= self.threshold, share, 0)


def proximity(
    parts: Float[Tensor, "place part d_model"], total: Float[Tensor, "place d_model"]
) -> Float[Tensor, "place part"]:
    """max(0, ‖y‖₁ − ‖x − y‖₁) of each part x of a total y, as shares that add up to one (or are all 0)."""
    precision = torch.promote_types(parts.dtype, torch.float32)
    parts, total = parts.to(precision), total.to(precision)
    size = total.abs().sum(-1, keepdim=True)
    near = size - torch.cdist(parts, total.unsqueeze(1), p=1)[..., 0]
    near = torch.where(near > 100 * torch.finfo(near.dtype).eps * size, near, 0)  # what is less is rounding
    return near / near.sum(-1, keepdim=True).clamp_min(torch.finfo(near.dtype).tiny)

"""The last layer where the answer is read: the one head that a receiver feeds, the MLP and the unembedding there.

Nothing looks at what the last layer writes elsewhere, so a change of what one of its receivers reads needs no more.
"""

from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor

from interp.circuits.interventions.edge_executor import BaseRun, EdgeExecutor
from interp.circuits.search.work import Work
from interp.core.graph import Block
from interp.core.nodes import Node
from interp.models.attention import softmax_dtype, visible
from interp.models.edits import Edit
from interp.models.sites import Site
from interp.models.writes import head_writes, mlp_writes


class LastLayer:
    """Logits when one receiver of the last layer, or `logits`, reads something else than in the run `base`.

    `edits` have to be in force in a run on the clean prompts, and `settle` called, before anything is asked.
    """

    def __init__(self, executor: EdgeExecutor, work: Work) -> None:
        self.executor, self.model, self.work = executor, executor.model, work
        self.layer = self.model.dims.layers - 1
        self._attention, self._mlp = Block("attention", self.layer), Block("mlp", self.layer)
        self._logits = Block("logits", self.layer + 1)
        self._at_answer = executor.metric.at_answer
        self._rotation: dict[str, Tensor] = {}
        self._scores: Float[Tensor, "batch key_pos"]
        self._precision: torch.dtype | None = None
        self._z: Float[Tensor, "batch head d_head"]
        self._cache: dict[tuple[int, int], Tensor] = {}  # what a receiver's trials share, by head and receiver

    def edits(self) -> Iterator[Edit]:
        """Edits that change nothing and look at rotation and mask."""
        for name in ("rot_cos", "rot_sin"):
            if self.model.has(name):
                yield Edit.through(Site(name, self.layer), lambda part, at=name: self._rotation.update({at: part}))
        yield Edit.through(Site("scores", self.layer), self._see_scores)
        yield Edit.through(Site("pattern", self.layer), self._see_pattern)

    def _see_scores(self, scores: Float[Tensor, "batch head query_pos key_pos"]) -> None:
        self._scores = self._at_answer(scores[:, 0])

    def _see_pattern(self, pattern: Float[Tensor, "batch head query_pos key_pos"]) -> None:
        self._precision = softmax_dtype(self._scores, self._at_answer(pattern[:, 0]))

    def settle(self, base: BaseRun, receiver: int | None = None) -> None:
        """Take note of what a receiver (without one, all of them) reads in `base` for good."""
        self._cache.clear()
        heads = range(self.model.dims.heads) if receiver is None else self.heads(receiver)
        outputs = {head: self._attend(base, head)[0] for head in heads}
        if receiver is None:
            self._z = torch.stack(list(outputs.values()), 1)
        for head, z in outputs.items():
            self._z[:, head] = z

    def run(
        self, base: BaseRun, mask: Tensor, receiver: int, shifts: Float[Tensor, "way batch pos d_model"]
    ) -> Float[Tensor, "way batch vocab"]:
        """The logits of the circuit `mask` (`sender receiver`) with `added` to what a receiver reads in `base`."""
        kind = self.executor.block_of(receiver).part
        shift = torch.stack([self._at_answer(way) for way in shifts])
        stream = self._at_answer(base.inputs[self._logits][0])
        if kind == "logits":
            return self.model.unembed(stream + shift)
        into_mlp = self._at_answer(base.inputs[self._mlp][0])
        if kind == "mlp":
            into_mlp = into_mlp + shift
        heads, mlp = self.executor.graph.senders_at(self._attention), self.executor.graph.senders_at(self._mlp)
        changes = self._writes(base, receiver, shifts) if kind == "attention" else self._writes(base)
        into_mlp = into_mlp + torch.einsum(
            "h,hwbd->wbd", mask[heads, self.executor.graph.receivers_at(self._mlp).start], changes
        )
        before = torch.stack([self._at_answer(sender) for sender in base.outputs[self._mlp]])
        written = self._through_mlp(into_mlp) - before[:, None]
        for senders, change in ((heads, changes), (mlp, written)):
            stream = stream + torch.einsum("s,swbd->wbd", mask[senders, -1], change)
        return self.model.unembed(stream)

    def cost(self, receiver: int) -> float:
        """What one way costs, in forward passes."""
        kind = self.executor.graph.receiver_nodes[receiver].kind
        if kind == "logits":
            return self.work.head
        if kind == "m":
            return self.work.mlp_and_head
        positions = 1 if kind == "q" else self.work.width
        return self.work.heads(len(self.heads(receiver)), positions=positions) + self.work.mlp_and_head

    def settling(self, heads: range) -> float:
        """What it costs to work out what some heads take to the answer."""
        return self.work.heads(len(heads), positions=len(heads) * (2 * self.work.width + 1))

    def heads(self, receiver: int) -> range:
        """The heads that a query, key or value feeds."""
        node = self.executor.graph.receiver_nodes[receiver]
        group = 1 if node.kind == "q" else self.model.dims.group
        return range(node.index * group, (node.index + 1) * group)

    def _writes(
        self, base: BaseRun, receiver: int | None = None, shifts: Tensor | None = None
    ) -> Float[Tensor, "head way batch d_model"]:
        """What every head writes at the answer now, less what it writes in `base`."""
        ways = 1 if shifts is None else len(shifts)
        z = self._z.repeat(ways, 1, 1, 1)
        for head in [] if receiver is None else self.heads(receiver):
            z[:, :, head] = self._attend(base, head, receiver, shifts)
        writes = head_writes(self.model, self.layer, z.flatten(0, 1)[:, None])[:, :, 0].unflatten(1, (ways, -1))
        return writes - torch.stack([self._at_answer(head) for head in base.outputs[self._attention]])[:, None]

    def _attend(
        self, base: BaseRun, head: int, receiver: int | None = None, shifts: Tensor | None = None
    ) -> Float[Tensor, "way batch d_head"]:
        """What a head takes to the answer."""
        vectors = [self._vectors(base, name, head, receiver, shifts) for name in ("q", "k", "v")]
        ways = max(map(len, vectors))
        query, key, value = (each.expand(ways, -1, -1, -1) for each in vectors)
        scores = (query @ key.transpose(-1, -2))[:, :, 0] * self.model.weights.attention_scale(self.layer)
        pattern = (
            scores.masked_fill(~visible(self._scores), -torch.inf).softmax(-1, dtype=self._precision).to(value.dtype)
        )
        return (pattern[:, :, None] @ value)[:, :, 0]

    def _vectors(
        self, base: BaseRun, name: str, head: int, receiver: int | None, shifts: Tensor | None
    ) -> Float[Tensor, "way batch pos d_head"]:
        """A head's query at the answer, or its keys or values, as they meet."""
        weights, index = self.model.weights, head if name == "q" else head // self.model.dims.group
        at = self.executor.graph.receiver(str(Node(name, self.layer, index)))
        if shifts is not None and at != receiver and (head, at) in self._cache:
            return self._cache[head, at]
        inputs = base.inputs[self._attention][at - self.executor.graph.receivers_at(self._attention).start][None]
        if shifts is not None and at == receiver:
            inputs = inputs + shifts
        if name == "q":
            inputs = torch.stack([self._at_answer(way) for way in inputs])[:, :, None]
        linear = weights.projection(name, self.layer)
        vectors = linear.head(index)(weights.normalised(self.model.layer_map.attention.norm_before, self.layer, inputs))
        vectors = vectors if name == "v" else self._rotate(name, index, vectors)
        if shifts is not None and at != receiver:
            self._cache[head, at] = vectors
        return vectors

    def _rotate(self, name: str, head: int, vectors: Float[Tensor, "way batch pos d_head"]) -> Tensor:
        """Queries or keys with their norm and rotation, where the family has them."""
        if self.model.has(f"{name}_norm_in"):
            vectors = self.model.weights.normalised_head(f"{name}_norm", self.layer, head, vectors)
        if not self._rotation:
            return vectors
        parts = [part.expand(len(self.executor.clean), -1, -1) for part in self._rotation.values()]
        if name == "q":
            parts = [self._at_answer(part)[:, None] for part in parts]
        return self.model.rotated(vectors.unsqueeze(-2), *parts).squeeze(-2)

    def _through_mlp(self, stream: Float[Tensor, "way batch d_model"]) -> Float[Tensor, "sender way batch d_model"]:
        """What the MLP, or each of its experts, adds to the stream."""
        weights, mlp = self.model.weights, self.model.layer_map.mlp
        out = mlp_writes(weights.mlp_parts(self.layer, weights.normalised(mlp.norm_before, self.layer, stream)))
        return weights.normalised(mlp.norm_after, self.layer, out)

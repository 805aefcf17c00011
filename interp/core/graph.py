"""The computation graph: senders write to the residual stream, receivers read it, an edge joins one to the other.

Senders stand in the order in which they write, so every receiver reads a prefix of them: `reads` says how
many. A score or a mask over all edges is an array `sender receiver`, meaningless where `present` is false.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from interp.core.errors import SiteError
from interp.core.nodes import Node

_FORMS = {
    "sender": "a sender is embed, a head such as a9.6 or an MLP such as m4",
    "expert": "a sender is embed, a head such as a9.6 or an expert such as E4.1",
    "receiver": "a receiver is a head's query, key or value such as q9.6, k9.2 or v9.2, an MLP such as m4, or logits",
}


_MOST_CELLS = 2**29  # of a mask over all edges: Llama 3.1 405B has 3e8


class Block(NamedTuple):
    """Senders that write to the stream together, or receivers that read it: `embed`, an `attention`, `mlp`, `logits`.

    `embed` is of layer 0, `logits` of the layer after the last.
    """

    part: str
    layer: int


EMBED = Block("embed", 0)


@dataclass(frozen=True)
class ComputationGraph:
    """The graph of a transformer.

    `parallel`: an MLP reads beside its layer's heads, not after them. `joint`: a norm on the heads' sum makes what each
    head writes depend on all of its layer's heads. `experts` write in an MLP's place, which they all read as one, if it
    is a mixture of so many. `features` are nodes of dictionaries, such as `f18.z.7` or
    `f18.z.error`: parts of what other senders write, whose one edge leads to the logits, along whatever path.
    """

    layers: int
    heads: int
    kv_heads: int
    parallel: bool = False
    joint: bool = False
    features: tuple[str, ...] = ()
    experts: int = 0

    def __post_init__(self) -> None:
        if not (self.layers >= 1 and 1 <= self.kv_heads <= self.heads and self._cells <= _MOST_CELLS):
            raise SiteError(
                f"no model has {self.layers:,} layers of {self.heads:,} heads and {self.kv_heads:,} key and value heads"
            )
        object.__setattr__(self, "features", tuple(self.features))  # of a file, a list
        for name in self.features:
            node = Node.of(name)
            if node.kind != "f":
                raise SiteError(f"{name!r} is not a feature; write it as f18.z.7 (layer, site, number) or f18.z.error")
            if node.layer >= self.layers:
                raise SiteError(f"{name} is in no layer of this model; layers run from 0 to {self.layers - 1}")

    @property
    def _cells(self) -> int:
        """Senders times receivers."""
        return (self.layers * self._writers + 1) * (self.layers * (self.attention_receivers + 1) + 1)

    @property
    def _writers(self) -> int:
        """How many senders a layer has."""
        return self.heads + (self.experts or 1)

    @cached_property
    def sender_nodes(self) -> tuple[Node, ...]:
        """`embed`, then each layer's heads and its MLP or experts; last the features, which the logits alone read."""
        nodes = [Node("embed")]
        for layer in range(self.layers):
            nodes += [Node("a", layer, head) for head in range(self.heads)]
            nodes += [Node("E", layer, expert) for expert in range(self.experts)] or [Node("m", layer)]
        return (*nodes, *map(Node.of, self.features))

    @cached_property
    def receiver_nodes(self) -> tuple[Node, ...]:
        """Each layer's queries, keys, values and its MLP, then `logits`."""
        nodes = []
        for layer in range(self.layers):
            for kind, count in (("q", self.heads), ("k", self.kv_heads), ("v", self.kv_heads)):
                nodes += [Node(kind, layer, head) for head in range(count)]
            nodes.append(Node("m", layer))
        return (*nodes, Node("logits"))

    @cached_property
    def senders(self) -> tuple[str, ...]:
        """The names of what writes, in order."""
        return tuple(map(str, self.sender_nodes))

    @cached_property
    def receivers(self) -> tuple[str, ...]:
        """The names of what reads, in order."""
        return tuple(map(str, self.receiver_nodes))

    @cached_property
    def reads(self) -> np.ndarray:
        """How many of the senders each receiver reads, in order."""
        attention, counts = self.attention_receivers, []
        for layer in range(self.layers):
            before = self.senders_at(Block("attention", layer)).start
            counts += [before] * attention + [before if self.parallel else before + self.heads]
        return np.array([*counts, len(self.senders)])

    @cached_property
    def present(self) -> np.ndarray:
        """Which edges there are, `sender receiver`."""
        return np.arange(len(self.senders))[:, None] < self.reads

    @cached_property
    def edges(self) -> tuple[tuple[str, str], ...]:
        """The names of every edge's ends, receiver by receiver."""
        reads = zip(self.receivers, self.reads.tolist(), strict=True)
        return tuple((sender, receiver) for receiver, count in reads for sender in self.senders[:count])

    @property
    def edge_count(self) -> int:
        """How many edges there are."""
        return int(self.reads.sum())

    @property
    def attention_receivers(self) -> int:
        """How many receivers a layer's attention has."""
        return self.heads + 2 * self.kv_heads

    def block(self, node: Node) -> Block:
        """The block that a sender or receiver stands in."""
        mlp = Block("mlp", node.layer)
        others = {"embed": EMBED, "logits": Block("logits", self.layers), "m": mlp, "E": mlp}
        return others.get(node.kind, Block("attention", node.layer))

    def senders_at(self, block: Block) -> slice:
        """The senders of a block; nothing writes at the logits."""
        if block == EMBED:
            return slice(0, 1)
        start = 1 + block.layer * self._writers + (self.heads if block.part == "mlp" else 0)
        return slice(start, start + {"attention": self.heads, "logits": 0}.get(block.part, self.experts or 1))

    def receivers_at(self, block: Block) -> slice:
        """The receivers of a block."""
        attention = self.attention_receivers
        start = block.layer * (attention + 1) + (attention if block.part == "mlp" else 0)
        return slice(start, start + (attention if block.part == "attention" else 1))

    @cached_property
    def _senders(self) -> dict[str, int]:
        return {name: index for index, name in enumerate(self.senders)}

    @cached_property
    def _receivers(self) -> dict[str, int]:
        return {name: index for index, name in enumerate(self.receivers)}

    def sender(self, name: str) -> int:
        """The place of a sender; `9.6` is read as `a9.6`. Raises: SiteError that says what there is."""
        return self._index(self._senders, re.sub(r"^(?=\d)", "a", name.strip()), "sender")

    def receiver(self, name: str) -> int:
        """The place of a receiver. Raises: SiteError that says what there is."""
        return self._index(self._receivers, name.strip(), "receiver")

    def _index(self, places: dict[str, int], name: str, what: str) -> int:
        if name not in places:
            form = "expert" if self.experts and what == "sender" else what
            kv_heads = "" if self.kv_heads == self.heads else f" ({self.kv_heads} for keys and values)"
            raise SiteError(
                f"there is no {what} {name!r}: {_FORMS[form]}, with layers 0 to {self.layers - 1} and heads "
                f"0 to {self.heads - 1}{kv_heads}" + (f" and experts 0 to {self.experts - 1}" if self.experts else "")
            )
        return places[name]

    def inputs_of(self, sender: str) -> tuple[str, ...]:
        """The receivers whose reading makes what a sender writes: a head's three, an MLP, no others."""
        kind, layer, head, _ = Node.of(sender)
        if kind == "E":
            return (f"m{layer}",)
        if kind != "a":
            return (sender,) if kind == "m" else ()
        kv_head = head * self.kv_heads // self.heads
        return (f"q{layer}.{head}", f"k{layer}.{kv_head}", f"v{layer}.{kv_head}")

    @cached_property
    def feeds(self) -> np.ndarray:
        """Which receivers make which senders, `receiver sender`."""
        feeds = np.zeros((len(self.receivers), len(self.senders)), dtype=bool)
        for index, name in enumerate(self.senders):
            feeds[[self._receivers[receiver] for receiver in self.inputs_of(name)], index] = True
        for layer in range(self.layers if self.joint else 0):
            attention = Block("attention", layer)
            feeds[self.receivers_at(attention), self.senders_at(attention)] = True
        return feeds

    def pruned(self, edges: np.ndarray, *, resampled: bool = True) -> np.ndarray:
        """The kept edges (`sender receiver`) without dangling edges; the answer stays exactly what it was.

        An edge dangles where the logits do not depend on its receiver. If what is cut carries the values of another run
        (`resampled`), an edge also carries nothing where its sender depends on no kept edge from `embed`: the sender
        then writes what it wrote on the other run. With zeros or means it would write something else, so it stays.
        """
        edges = edges & self.present
        live = np.zeros(len(self.receivers), dtype=bool)  # receivers that the logits depend on
        alive = np.zeros(len(self.senders), dtype=bool)  # senders that depend on the embedding, as features do
        live[-1], alive[0], alive[len(self.senders) - len(self.features) :] = True, True, True
        for index in range(len(self.senders) - 1, 0, -1):
            live |= self.feeds[:, index] & bool((edges[index] & live).any())
        for index in range(1, len(self.senders) - len(self.features)):
            inputs = self.feeds[:, index]
            alive[index] = not resampled or (edges[:, inputs] & alive[:, None]).any()
        return edges & alive[:, None] & live

    def describe(self, edges: Sequence[tuple[int, int]]) -> list[tuple[str, str]]:
        """Names of edges given by their places."""
        return [(self.senders[sender], self.receivers[receiver]) for sender, receiver in edges]

"""A subset of a computation graph's edges, with labels, groups and pins of its nodes."""

import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, Self

import numpy as np
import pandas as pd

from interp.core.edges import CircuitEdge
from interp.core.errors import OptionError, ResultError, SiteError
from interp.core.graph import ComputationGraph

_MOST_POSITIONS = 2**20  # of a circuit without tokens


class Shared(NamedTuple):
    """What two circuits have in common, and its share of their union."""

    edges: tuple[CircuitEdge, ...]
    nodes: tuple[str, ...]
    jaccard: float
    node_jaccard: float


class Judged(NamedTuple):
    """A circuit's edges set against the true ones: in both, true but missing, and not true."""

    kept: tuple[CircuitEdge, ...]
    missed: tuple[CircuitEdge, ...]
    wrong: tuple[CircuitEdge, ...]

    @property
    def precision(self) -> float:
        """The share of the circuit's edges that are true; NaN of none."""
        return len(self.kept) / count if (count := len(self.kept) + len(self.wrong)) else math.nan

    @property
    def recall(self) -> float:
        """The share of the true edges that are in the circuit; NaN of none."""
        return len(self.kept) / count if (count := len(self.kept) + len(self.missed)) else math.nan

    @property
    def row(self) -> dict[str, float]:
        """The counts with precision and recall, as a table of circuits has them."""
        counts = {name: len(edges) for name, edges in self._asdict().items()}
        return counts | {"precision": self.precision, "recall": self.recall}

    def to_frame(self) -> pd.DataFrame:
        """A row an edge: sender, receiver, score, and whether it is kept, missed or wrong."""
        rows = [(*edge[:3], verdict) for verdict, edges in self._asdict().items() for edge in edges]
        return pd.DataFrame(rows, columns=["sender", "receiver", "score", "verdict"])


@dataclass(frozen=True)
class Subgraph:
    """Edges of `graph`; what is cut carries the values that `how` says.

    `tokens` are those of the (first) prompt. `labels`, `supernodes` and `pins` name nodes as the graph does.
    Raises: SiteError for an edge or a node that the graph does not have.
    """

    graph: ComputationGraph
    edges: tuple[CircuitEdge, ...]
    how: str = "resample"
    tokens: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    supernodes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    pins: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for edge in self.edges:
            if not self.graph.present[self.graph.sender(edge.sender), self.graph.receiver(edge.receiver)]:
                raise SiteError(
                    f"{edge.receiver} does not read {edge.sender}, which writes later or in parallel; "
                    "choose an earlier sender"
                )
            if edge.pos is not None and not 0 <= edge.pos < (len(self.tokens) or _MOST_POSITIONS):
                raise SiteError(f"there is no position {edge.pos:,}; the circuit has {len(self.tokens):,} tokens")
        for name in (*self.labels, *self.pins, *(node for group in self.supernodes.values() for node in group)):
            self._name(name)
        for text in (*self.labels.values(), *self.supernodes):
            if any(0xD800 <= ord(character) < 0xE000 for character in text):
                raise OptionError(f"the name {text!r} contains a lone surrogate, which is not valid Unicode; remove it")
        own = {name: label for name, label in self.labels.items() if label not in ("", name)}
        object.__setattr__(self, "labels", own)

    def _name(self, name: str) -> str:
        """A node as the graph names it. Raises: SiteError."""
        return name if name in self.graph.receivers else self.graph.senders[self.graph.sender(name)]

    @property
    def by_position(self) -> bool:
        """Whether any edge stands at one position only."""
        return any(edge.pos is not None for edge in self.edges)

    @property
    def width(self) -> int:
        """Positions that its edges may stand at."""
        return max(len(self.tokens), *(edge.pos + 1 for edge in self.edges if edge.pos is not None), 0)

    @property
    def mask(self) -> np.ndarray:
        """The mask over all edges, `sender receiver`, or `pos sender receiver` where edges have positions."""
        shape = self.graph.present.shape
        mask = np.zeros((self.width, *shape) if self.by_position else shape, dtype=bool)
        for edge in self.edges:
            at = (self.graph.sender(edge.sender), self.graph.receiver(edge.receiver))
            if edge.pos is None:
                mask[..., at[0], at[1]] = True
            else:
                mask[edge.pos, *at] = True
        return mask

    @property
    def nodes(self) -> tuple[str, ...]:
        """The embedding, heads and MLPs that write along its edges, and the logits if they read any."""
        writing = {edge.sender for edge in self.edges}
        end = ("logits",) if any(edge.receiver == "logits" for edge in self.edges) else ()
        return (*(name for name in self.graph.senders if name in writing), *end)

    def __len__(self) -> int:
        return len(self.edges)

    def pruned(self) -> Self:
        """Without the edges that dangle; the answer stays exactly what it was."""
        mask = np.any(self.mask, axis=0) if self.by_position else self.mask
        alive = self.graph.pruned(mask, resampled=self.how == "resample")
        return self._where(lambda edge: alive[self.graph.sender(edge.sender), self.graph.receiver(edge.receiver)])

    def without(self, nodes: Collection[str] = (), edges: Iterable[CircuitEdge | tuple[str, str]] = ()) -> Self:
        """Without these edges, and without every edge from or into these nodes.

        A key or value that several heads share goes with the last of them.
        """
        nodes = {self._name(name) for name in nodes}
        fed_by = np.any(self.graph.feeds[:, [name not in nodes for name in self.graph.senders]], axis=1).tolist()
        ends = {*nodes, *(name for name, other in zip(self.graph.receivers[:-1], fed_by, strict=False) if not other)}
        edges = (edge if isinstance(edge, CircuitEdge) else CircuitEdge(*edge) for edge in edges)
        cut = {edge._replace(sender=self._name(edge.sender)).ends for edge in edges}
        return self._where(lambda edge: edge.ends not in cut and edge.sender not in ends and edge.receiver not in ends)

    def _where(self, condition: Any) -> Self:
        return replace(self, edges=tuple(edge for edge in self.edges if condition(edge)))

    def labelled(self, labels: Mapping[str, str]) -> Self:
        """With labels for some nodes; an empty one takes a label away."""
        return replace(self, labels={**self.labels, **labels})

    def grouped(self, name: str, nodes: Collection[str]) -> Self:
        """With a named group of nodes; without nodes, the group goes."""
        groups = {other: members for other, members in self.supernodes.items() if other != name}
        return replace(self, supernodes={**groups, name: tuple(nodes)} if nodes else groups)

    def pinned(self, *nodes: str) -> Self:
        """With exactly these nodes pinned."""
        return replace(self, pins=tuple(dict.fromkeys(nodes)))

    def shared_with(self, other: "Subgraph") -> Shared:
        """What both hold, with this circuit's scores. Raises: ResultError if the other is of another graph."""
        if self.graph != other.graph:
            raise ResultError(
                "the two circuits are of different models, so they share no edges; give two of the same model"
            )
        theirs = {edge.ends for edge in other.edges}
        edges = tuple(edge for edge in self.edges if edge.ends in theirs)
        nodes = tuple(name for name in self.nodes if name in other.nodes)
        return Shared(
            edges,
            nodes,
            _share(len(edges), len(self.edges), len(other.edges)),
            _share(len(nodes), len(self.nodes), len(other.nodes)),
        )

    def judged(self, truth: "Subgraph") -> Judged:
        """This circuit against the true one; an edge at any position counts as the edge.

        Raises: ResultError if the other is of another graph.
        """
        self.shared_with(truth)
        mine, true = ({edge[:2]: edge for edge in circuit.edges} for circuit in (self, truth))
        return Judged(
            tuple(edge for ends, edge in mine.items() if ends in true),
            tuple(edge._replace(score=math.nan) for ends, edge in true.items() if ends not in mine),
            tuple(edge for ends, edge in mine.items() if ends not in true),
        )

    def to_frame(self) -> pd.DataFrame:
        """A row an edge: sender, receiver, score; with `pos` where edges have positions."""
        columns = ["sender", "receiver", "score", "pos"] if self.by_position else ["sender", "receiver", "score"]
        return pd.DataFrame([edge[: len(columns)] for edge in self.edges], columns=columns)


def _share(both: int, one: int, other: int) -> float:
    return both / (one + other - both) if one + other else 1.0

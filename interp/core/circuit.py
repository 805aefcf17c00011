"""A circuit: the edges of a computation graph that do a job, with what people say about its nodes."""

import math
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Self

import numpy as np
import pandas as pd
from pydantic import TypeAdapter, ValidationError

from interp.core.attribution_graph import AttributionGraph, GraphNode
from interp.core.edges import CircuitEdge, feature_edges, graph_of_result, greedy, in_order, ranked, tokens_of_result
from interp.core.errors import OptionError, ResultError, SiteError
from interp.core.graph import ComputationGraph
from interp.core.kinds import EdgeScores, FeatureEffects, FoundCircuit
from interp.core.language_model import LanguageModel
from interp.core.nodes import Node

if TYPE_CHECKING:
    import networkx

Extraction = Literal["top", "greedy"]
_TYPES = {"e": "embedding", "a": "attention head", "q": "attention query", "k": "attention key",
          "v": "attention value", "m": "mlp", "l": "logit", "f": "cross layer transcoder"}  # fmt: skip
_ERROR = "mlp reconstruction error"  # as the format calls what any dictionary misses


class Shared(NamedTuple):
    """What two circuits have in common, and how much of what either has that is."""

    edges: tuple[CircuitEdge, ...]
    nodes: tuple[str, ...]
    jaccard: float
    node_jaccard: float


@dataclass(frozen=True)
class Circuit:
    """Edges of `graph`, found in `model` by `method`; what is cut carries the values that `how` says.

    `tokens` are those of the (first) prompt. `labels`, `supernodes` and `pins` name nodes as the graph does.
    Raises: SiteError for an edge or a node that the graph does not have.
    """

    graph: ComputationGraph
    edges: tuple[CircuitEdge, ...]
    model: str = ""
    weight_hash: str = ""
    method: str = ""
    metric: str = ""
    how: str = "resample"
    tokens: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    supernodes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    pins: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for edge in self.edges:
            if not self.graph.present[self.graph.sender(edge.sender), self.graph.receiver(edge.receiver)]:
                raise SiteError(f"{edge.receiver} does not read {edge.sender}, which writes later or beside it")
        for name in (*self.labels, *self.pins, *(node for group in self.supernodes.values() for node in group)):
            self._named(name)
        for text in (*self.labels.values(), *self.supernodes):
            if any(0xD800 <= ord(character) < 0xE000 for character in text):
                raise OptionError(f"the name {text!r} holds half a character (a lone surrogate); remove it")
        spoken = {name: label for name, label in self.labels.items() if label not in ("", name)}
        object.__setattr__(self, "labels", spoken)

    def _named(self, name: str) -> str:
        """A node as the graph names it. Raises: SiteError."""
        return name if name in self.graph.receivers else self.graph.senders[self.graph.sender(name)]

    def _edges(self, edges: Iterable[CircuitEdge | tuple[str, str]]) -> list[CircuitEdge]:
        made = (edge if isinstance(edge, CircuitEdge) else CircuitEdge(*edge) for edge in edges)
        return [edge._replace(sender=self._named(edge.sender)) for edge in made]

    @classmethod
    def of(
        cls,
        result: EdgeScores | FoundCircuit | FeatureEffects,
        edges: int | None = None,
        threshold: float | None = None,
        extraction: Extraction = "top",
        prune: bool = True,
    ) -> Self:
        """The circuit of a result: its `edges` strongest edges, or those whose |score| reaches `threshold`.

        Scores are means over prompts. "greedy" goes from the logits: again and again the strongest edge into a node
        that is already in the circuit (Hanna et al. 2024). `prune` leaves out what then dangles, so that fewer edges
        than asked for may remain. Of feature effects: the strongest features, and the error beside them, each with an
        edge to the logits.
        Raises: ResultError for a result of another kind, or whose prompts have no positions in common; OptionError.
        """
        if not isinstance(result, EdgeScores | FoundCircuit | FeatureEffects):
            raise ResultError(
                f"{type(result).__name__} has no edges; give edge scores, a found circuit or feature effects"
            )
        if extraction not in ("top", "greedy"):
            raise OptionError(f"extraction = {extraction!r}; choose top or greedy")
        if edges is not None and edges < 1:
            raise OptionError(f"edges = {edges}; give a whole number from 1")
        graph, origin = graph_of_result(result), result.provenance
        if isinstance(result, FeatureEffects):
            chosen = feature_edges(result, threshold, edges)
            graph = replace(graph, features=tuple(edge.sender for edge in chosen))
        else:
            chosen = ranked(result, threshold, edges if extraction == "top" else None)
            if extraction == "greedy":
                chosen = greedy(graph, chosen, edges)
        found = cls(
            graph,
            in_order(graph, chosen),
            model=origin.model,
            weight_hash=origin.weight_hash,
            method=origin.engine,
            metric=origin.metric,
            how=str(origin.options.get("how") or result.data.attrs.get("how", "resample")),
            tokens=tokens_of_result(result),
        )
        return found.pruned() if prune else found

    # What it holds

    @property
    def by_position(self) -> bool:
        """Whether any edge stands at one position only."""
        return any(edge.pos is not None for edge in self.edges)

    @property
    def kept(self) -> np.ndarray:
        """The mask over all edges, `sender receiver`, or `pos sender receiver` where edges have positions."""
        shape, places = self.graph.present.shape, [edge.pos for edge in self.edges if edge.pos is not None]
        if places:
            shape = (max(len(self.tokens), max(places) + 1), *shape)
        mask = np.zeros(shape, dtype=bool)
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
        read = ("logits",) if any(edge.receiver == "logits" for edge in self.edges) else ()
        return (*(name for name in self.graph.senders if name in writing), *read)

    def __len__(self) -> int:
        return len(self.edges)

    # Circuits made from it

    def pruned(self) -> Self:
        """Without the edges that dangle; the answer stays exactly what it was."""
        kept = np.any(self.kept, axis=0) if self.by_position else self.kept
        alive = self.graph.pruned(kept, resampled=self.how == "resample")
        return self._where(lambda edge: alive[self.graph.sender(edge.sender), self.graph.receiver(edge.receiver)])

    def with_edges(self, edges: Iterable[CircuitEdge | tuple[str, str]]) -> Self:
        """With these edges too; one that is there already takes the new score."""
        new = {edge.ends: edge for edge in self._edges(edges)}
        held = {edge.ends: edge for edge in self.edges}
        return replace(self, edges=in_order(self.graph, [*(held | new).values()]))

    def without(self, nodes: Collection[str] = (), edges: Iterable[CircuitEdge | tuple[str, str]] = ()) -> Self:
        """Without these edges, and without every edge from or into these nodes.

        A key or value that several heads share goes with the last of them.
        """
        nodes = {self._named(name) for name in nodes}
        fed = np.any(self.graph.feeds[:, [name not in nodes for name in self.graph.senders]], axis=1).tolist()
        gone = {*nodes, *(name for name, other in zip(self.graph.receivers[:-1], fed, strict=False) if not other)}
        cut = {edge.ends for edge in self._edges(edges)}
        return self._where(lambda edge: edge.ends not in cut and edge.sender not in gone and edge.receiver not in gone)

    def _where(self, wanted: Any) -> Self:
        return replace(self, edges=tuple(edge for edge in self.edges if wanted(edge)))

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

    def shared_with(self, other: "Circuit") -> Shared:
        """What both hold, with this circuit's scores. Raises: ResultError if the other is of another graph."""
        if self.graph != other.graph:
            raise ResultError("the two circuits are of different models, so they share no edges; give two of one model")
        theirs = {edge.ends for edge in other.edges}
        edges = tuple(edge for edge in self.edges if edge.ends in theirs)
        nodes = tuple(name for name in self.nodes if name in other.nodes)
        return Shared(
            edges,
            nodes,
            _share(len(edges), len(self.edges), len(other.edges)),
            _share(len(nodes), len(self.nodes), len(other.nodes)),
        )

    def require_model(self, model: LanguageModel) -> None:
        """Raises: ResultError if the circuit was found in another model, or in other weights."""
        same = self.weight_hash == model.weight_hash if self.weight_hash else self.model == model.name
        if not same:
            raise ResultError(
                f"the circuit was found in {self.model or 'a model without a name'} (weights "
                f"{self.weight_hash or 'unknown'}), not in {model.name} (weights {model.weight_hash}); "
                "load that model, in the same precision"
            )

    # Tables, graphs and files

    def to_frame(self) -> pd.DataFrame:
        """A row an edge: sender, receiver, score; with `pos` where edges have positions."""
        columns = ["sender", "receiver", "score", "pos"] if self.by_position else ["sender", "receiver", "score"]
        return pd.DataFrame([edge[: len(columns)] for edge in self.edges], columns=columns)

    def to_networkx(self) -> "networkx.DiGraph":
        """As networkx knows graphs: nodes with kind, layer and label; a head's queries, keys and values lead to it."""
        return self.to_graph().to_networkx()

    def to_graph(self) -> AttributionGraph:
        """As an attribution graph: a node for every sender and receiver, a link for every edge.

        Links of weight 1 lead from a head's query, key and value to the head.
        """
        places = _Places(self)
        described = {name: value for name, value in asdict(self).items() if name in ("method", "metric", "how")}
        settings = {**described, "weight_hash": self.weight_hash, "graph": asdict(self.graph)}
        return AttributionGraph.model_validate(
            {
                "metadata": {
                    "slug": re.sub(r"[^a-z0-9]+", "-", f"{self.method} {self.model}".lower()).strip("-") or "circuit",
                    "scan": self.model,
                    "transcoder_list": [],
                    "prompt_tokens": list(self.tokens),
                    "prompt": "".join(self.tokens),
                    "schema_version": 1,
                    "info": {"generator": {"name": "interp", "version": version("interp")}},
                    "generation_settings": {"circuit": settings},
                },
                "qParams": {
                    "pinnedIds": [node for name in self.pins for node in places.of(name)],
                    "supernodes": [
                        [group, *(node for name in names for node in places.of(name))]
                        for group, names in self.supernodes.items()
                    ],
                    "linkType": "both",
                    "clickedId": "",
                    "sg_pos": "",
                },
                "nodes": [self._node(name, pos) for name, pos in places.all],
                "links": [*map(_link, self.edges), *places.inside()],
            }
        )

    def _node(self, name: str, pos: int | None) -> dict[str, Any]:
        node = Node.of(name)
        error = node.kind == "f" and node.index < 0
        return {
            "node_id": _spelled(name, pos),
            "feature": None if error else max(node.index, 0),
            "layer": {"embed": "E", "logits": str(self.graph.layers + 1)}.get(name, str(node.layer)),
            "ctx_idx": pos or 0,
            "feature_type": _ERROR if error else _TYPES[node.kind[0]],
            "jsNodeId": _spelled(name, pos),
            "clerp": self.labels.get(name, name),
        }

    def save(self, path: str | Path) -> Path:
        """Write the attribution graph's JSON, whole or not at all. Returns the path written."""
        return self.to_graph().save(path)

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read what `save` wrote, or what became of it elsewhere: labels, groups, pins, fewer links.

        Raises: ResultError if the file is missing, damaged, or a graph of something else.
        """
        read = AttributionGraph.load(path)
        try:
            settings = _SETTINGS.validate_python((read.metadata.generation_settings or {}).get("circuit"))
        except ValidationError:
            raise ResultError(
                f"{path} is an attribution graph of {read.metadata.scan} that names no heads and MLPs of a computation "
                "graph; open it with AttributionGraph.load"
            ) from None
        inside = {node.node_id for node in read.nodes if node.kind in ("query", "key", "value")}
        edges = []
        for link in read.links:
            if link.source not in inside:
                (sender, pos), (receiver, _) = _read(link.source), _read(link.target)
                score = math.nan if (link.model_extra or {}).get("unscored") else link.weight
                edges.append(CircuitEdge(sender, receiver, score, pos))
        graph = settings.graph
        try:
            return cls(
                graph,
                in_order(graph, edges),
                model=read.metadata.scan,
                weight_hash=settings.weight_hash,
                method=settings.method,
                metric=settings.metric,
                how=settings.how,
                tokens=tuple(read.metadata.prompt_tokens),
                labels=_labels(read.nodes),
                supernodes={group[0]: _names(group[1:]) for group in read.state.supernodes if group},
                pins=_names(read.state.pinned),
            )
        except SiteError as error:
            raise ResultError(f"{path} does not fit its own computation graph: {error}") from None


@dataclass(frozen=True)
class _Settings:
    """What the format has no place for."""

    method: str
    metric: str
    how: Literal["resample", "zero", "mean"]
    weight_hash: str
    graph: ComputationGraph


_SETTINGS = TypeAdapter(_Settings)


class _Places:
    """Which nodes a circuit's file holds: where its edges begin and end, and what has been named."""

    def __init__(self, circuit: Circuit) -> None:
        self.graph = circuit.graph
        found = {(name, edge.pos) for edge in circuit.edges for name in edge[:2]}
        named = {*circuit.labels, *circuit.pins, *(name for group in circuit.supernodes.values() for name in group)}
        found |= {(name, None) for name in named - {name for name, _ in found}}
        order = {name: index for index, name in enumerate(dict.fromkeys([*self.graph.receivers, *self.graph.senders]))}
        self.all = sorted(found, key=lambda place: (order[place[0]], -1 if place[1] is None else place[1]))
        self._at: dict[str, list[int | None]] = {}
        for name, pos in self.all:
            self._at.setdefault(name, []).append(pos)

    def of(self, name: str) -> list[str]:
        """The nodes that stand for a name."""
        return [_spelled(name, pos) for pos in self._at[name]]

    def inside(self) -> list[dict[str, Any]]:
        """Links from queries, keys and values to the heads that read them, at their position and later ones."""
        links = []
        for head in self._at:
            for receiver in self.graph.inputs_of(head) if Node.of(head).kind == "a" else ():
                for pos in self._at[head]:
                    for start in self._at.get(receiver, ()):
                        seen = start == pos if receiver[0] == "q" else (start or 0) <= (pos or 0)
                        if seen:
                            links.append(
                                {"source": _spelled(receiver, start), "target": _spelled(head, pos), "weight": 1.0}
                            )
        return links


def _spelled(name: str, pos: int | None) -> str:
    return name if pos is None else f"{name}@{pos}"


def _read(node: str) -> tuple[str, int | None]:
    name, _, pos = node.partition("@")
    return name, int(pos) if pos.isdecimal() else None


def _names(nodes: Iterable[str]) -> tuple[str, ...]:
    """The names that nodes stand for, each once."""
    return tuple(dict.fromkeys(_read(node)[0] for node in nodes))


def _labels(nodes: Iterable[GraphNode]) -> dict[str, str]:
    named = [(_read(node.node_id)[0], node.label) for node in nodes]
    return {name: label for name, label in named if label != name}


def _link(edge: CircuitEdge) -> dict[str, Any]:
    scored = math.isfinite(edge.score)
    ends = {"source": _spelled(edge.sender, edge.pos), "target": _spelled(edge.receiver, edge.pos)}
    return {**ends, "weight": float(edge.score)} if scored else {**ends, "weight": 0.0, "unscored": True}


def _share(both: int, one: int, other: int) -> float:
    return both / (one + other - both) if one + other else 1.0

"""A circuit: edges of a computation graph, their provenance, and their files."""

import math
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
from pydantic import TypeAdapter, ValidationError

from interp.core.edges import CircuitEdge, in_order
from interp.core.errors import OptionError, ResultError, SiteError
from interp.core.graph import ComputationGraph
from interp.core.language_model import LanguageModel
from interp.core.nodes import NUMBER, Node
from interp.core.subgraph import Subgraph
from interp.kinds.attribution_graph import AttributionGraph, GraphNode
from interp.kinds.circuits import EdgeScores, FoundCircuit
from interp.kinds.dictionaries import FeatureEffects
from interp.kinds.selection import EXTRACTIONS, Extraction, extracted, feature_edges, graph_of_result, tokens_of_result

if TYPE_CHECKING:
    import networkx

_TYPES = {"e": "embedding", "a": "attention head", "q": "attention query", "k": "attention key",
          "v": "attention value", "m": "mlp", "E": "mlp expert", "l": "logit",
          "f": "cross layer transcoder"}  # fmt: skip
_ERROR = "mlp reconstruction error"  # as the format calls what any dictionary misses


@dataclass(frozen=True)
class Circuit(Subgraph):
    """Edges of `graph`, found in `model` by `method`."""

    model: str = ""
    weight_hash: str = ""
    method: str = ""
    metric: str = ""

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

        Scores are means over prompts; where they have several units, each edge is compared with the largest of its own.
        "greedy" goes from the logits: again and again the strongest edge into a node
        that is already in the circuit (Hanna et al. 2024). "ilp" maximises Σ |score| over circuits of at most `edges`
        edges, each on a path from the embedding to the logits. "bootstrap" takes only edges whose 95 % interval over
        resampled prompts excludes zero. `prune` leaves out what then dangles, so that fewer edges
        than asked for may remain. Of feature effects: the strongest features and the error, each with an edge to the
        logits.
        Raises: ResultError for a result of another kind, or whose prompts have no positions in common; OptionError.
        """
        if not isinstance(result, EdgeScores | FoundCircuit | FeatureEffects):
            raise ResultError(f"{type(result).__name__} has no edges; give edge scores, a circuit or feature effects")
        if extraction not in EXTRACTIONS:
            raise OptionError(f"extraction = {extraction!r}; choose one of {', '.join(EXTRACTIONS)}")
        if edges is not None and edges < 1:
            raise OptionError(f"edges = {edges}; give a whole number from 1")
        graph, origin = graph_of_result(result), result.provenance
        if isinstance(result, FeatureEffects):
            strongest = feature_edges(result, threshold, edges)
            graph = replace(graph, features=tuple(edge.sender for edge in strongest))
        else:
            strongest = extracted(graph, result, threshold, edges, extraction)
        circuit = cls(
            graph,
            in_order(graph, strongest),
            model=origin.model,
            weight_hash=origin.weight_hash,
            method=origin.engine,
            metric=origin.metric,
            how=str(origin.options.get("how") or result.data.attrs.get("how", "resample")),
            tokens=tokens_of_result(result),
        )
        return circuit.pruned() if prune else circuit

    def placed(self, result: EdgeScores, least: float = 1e-4) -> Self:
        """Its edges at every position of the result, with their scores there (means over prompts).

        Left out is what is weaker than `least` of the strongest. Without positions: the circuit itself.
        """
        if "pos" not in result.data.dims:
            return self
        data = result.data["score"].mean("batch")
        ends = zip(data["sender"].values, data["receiver"].values, strict=True)
        index = {pair: place for place, pair in enumerate(ends)}
        values = data.transpose("edge", "pos").values[[index[edge.sender, edge.receiver] for edge in self.edges]]
        weakest = least * np.abs(values).max(initial=0)
        edges = (
            CircuitEdge(edge.sender, edge.receiver, float(score), pos)
            for edge, scores in zip(self.edges, values, strict=True)
            for pos, score in enumerate(scores)
            if abs(score) > weakest
        )
        return replace(self, edges=tuple(edges))

    def require_model(self, model: LanguageModel) -> None:
        """Raises: ResultError if the circuit was found in another model, or in other weights."""
        same = self.weight_hash == model.weight_hash if self.weight_hash else self.model == model.name
        if not same:
            raise ResultError(
                f"the circuit was found in {self.model or 'a model without a name'} (weights "
                f"{self.weight_hash or 'unknown'}), not in {model.name} (weights {model.weight_hash}); load that "
                "model in the same precision"
            )

    def to_networkx(self) -> "networkx.DiGraph":
        """As networkx knows graphs: nodes with kind, layer and label; a head's queries, keys and values lead to it."""
        return self.to_graph().to_networkx()

    def to_graph(self) -> AttributionGraph:
        """As an attribution graph: a node for every sender and receiver, a link for every edge.

        Links of weight 1 lead from a head's query, key and value to the head.
        """
        places = _Places(self)
        description = {name: value for name, value in asdict(self).items() if name in ("method", "metric", "how")}
        settings = {**description, "weight_hash": self.weight_hash, "graph": asdict(self.graph)}
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
            "node_id": _node_id(name, pos),
            "feature": None if error else max(node.index, 0),
            "layer": {"embed": "E", "logits": str(self.graph.layers + 1)}.get(name, str(node.layer)),
            "ctx_idx": pos or 0,
            "feature_type": _ERROR if error else _TYPES[node.kind[0]],
            "jsNodeId": _node_id(name, pos),
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
        document = AttributionGraph.load(path)
        try:
            settings = _SETTINGS.validate_python((document.metadata.generation_settings or {}).get("circuit"))
            return cls(
                settings.graph,
                in_order(settings.graph, _edges(document)),
                model=document.metadata.scan,
                weight_hash=settings.weight_hash,
                method=settings.method,
                metric=settings.metric,
                how=settings.how,
                tokens=tuple(document.metadata.prompt_tokens),
                labels=_labels(document.nodes),
                supernodes={group[0]: _names(group[1:]) for group in document.state.supernodes if group},
                pins=_names(document.state.pinned),
            )
        except ValidationError:
            raise ResultError(
                f"{path} is an attribution graph of {document.metadata.scan} without heads and MLPs of a computation "
                "graph; open it with AttributionGraph.load"
            ) from None
        except SiteError as error:
            raise ResultError(f"{path} does not match its own computation graph: {error}; export it again") from None


@dataclass(frozen=True)
class _Settings:
    """What the format has no place for."""

    method: str
    metric: str
    how: Literal["resample", "zero", "mean"]
    weight_hash: str
    graph: ComputationGraph


_SETTINGS = TypeAdapter(_Settings)


# Nodes and links of files


class _Places:
    """Which nodes a circuit's file holds: where its edges begin and end, and what has been named."""

    def __init__(self, circuit: Circuit) -> None:
        self.graph = circuit.graph
        places = {(name, edge.pos) for edge in circuit.edges for name in edge[:2]}
        names = {*circuit.labels, *circuit.pins, *(name for group in circuit.supernodes.values() for name in group)}
        places |= {(name, None) for name in names - {name for name, _ in places}}
        order = {name: index for index, name in enumerate(dict.fromkeys([*self.graph.receivers, *self.graph.senders]))}
        self.all = sorted(places, key=lambda place: (order[place[0]], -1 if place[1] is None else place[1]))
        self._at: dict[str, list[int | None]] = {}
        for name, pos in self.all:
            self._at.setdefault(name, []).append(pos)

    def of(self, name: str) -> list[str]:
        """The nodes that stand for a name."""
        return [_node_id(name, pos) for pos in self._at[name]]

    def inside(self) -> list[dict[str, Any]]:
        """Links from queries, keys and values to the heads that read them, at their position and later ones."""
        links = []
        for head in self._at:
            for receiver in self.graph.inputs_of(head) if Node.of(head).kind == "a" else ():
                for pos in self._at[head]:
                    for start in self._at.get(receiver, ()):
                        is_visible = start == pos if receiver[0] == "q" else (start or 0) <= (pos or 0)
                        if is_visible:
                            links.append(
                                {"source": _node_id(receiver, start), "target": _node_id(head, pos), "weight": 1.0}
                            )
        return links


def _node_id(name: str, pos: int | None) -> str:
    return name if pos is None else f"{name}@{pos}"


def _read(node: str) -> tuple[str, int | None]:
    """A node's name and position. Raises: SiteError for one that is no number."""
    name, at, pos = node.partition("@")
    if at and not re.fullmatch(NUMBER, pos):
        raise SiteError(f"{node!r} stands at no position; write it as {name}@3, or {name} for all")
    return name, int(pos) if at else None


def _edges(document: AttributionGraph) -> list[CircuitEdge]:
    """The links, but for those from a head's query, key or value to the head."""
    inside = {node.node_id for node in document.nodes if node.kind in ("query", "key", "value")}
    edges = []
    for link in document.links:
        if link.source not in inside:
            (sender, pos), (receiver, _) = _read(link.source), _read(link.target)
            score = math.nan if (link.model_extra or {}).get("unscored") else link.weight
            edges.append(CircuitEdge(sender, receiver, score, pos))
    return edges


def _names(nodes: Iterable[str]) -> tuple[str, ...]:
    """The names that nodes stand for, each once."""
    return tuple(dict.fromkeys(_read(node)[0] for node in nodes))


def _labels(nodes: Iterable[GraphNode]) -> dict[str, str]:
    labels = [(_read(node.node_id)[0], node.label) for node in nodes]
    return {name: label for name, label in labels if label != name}


def _link(edge: CircuitEdge) -> dict[str, Any]:
    has_score = math.isfinite(edge.score)
    ends = {"source": _node_id(edge.sender, edge.pos), "target": _node_id(edge.receiver, edge.pos)}
    return {**ends, "weight": float(edge.score)} if has_score else {**ends, "weight": 0.0, "unscored": True}

"""Attribution graphs as Neuronpedia and circuit-tracer write them: nodes of any kind, weighted links, labels, groups.

A file has `metadata`, `qParams` (what is pinned and grouped), `nodes` and `links`. What a reader does not know is kept:
a file that is read and written again holds the same. The classes are the schema; they demand what Neuronpedia demands.
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from interp.core.errors import ResultError
from interp.core.folders import write_whole
from interp.core.language_model import LanguageModel
from interp.core.paths import typed_file, typed_path

if TYPE_CHECKING:
    import networkx

KINDS = {
    "embedding": "embed",
    "logit": "logits",
    "cross layer transcoder": "feature",
    "mlp reconstruction error": "error",
    "attention head": "head",
    "attention query": "query",
    "attention key": "key",
    "attention value": "value",
    "mlp": "mlp",
    "neuron": "neuron",
}


class _Open(BaseModel):
    """Fields as the file spells them; others are kept as they are."""

    model_config = ConfigDict(extra="allow", frozen=True, strict=True, validate_by_name=True, allow_inf_nan=False)


class GraphMetadata(_Open):
    """What a graph is of: `scan` names the model."""

    slug: str
    scan: str
    prompt_tokens: list[str]
    prompt: str
    generation_settings: dict[str, Any] | None = None


class GraphState(_Open):
    """What a person has marked: pinned nodes, and supernodes as a name followed by its nodes."""

    pinned: list[str] = Field(default=[], alias="pinnedIds")
    supernodes: list[list[str]] = []
    link_type: str = Field(default="both", alias="linkType")


class GraphNode(_Open):
    """One node. `layer` is "E" for the embedding; `feature` numbers the node within its layer, or is null."""

    node_id: str
    feature: int | None
    layer: str | int
    ctx_idx: int
    feature_type: str
    js_id: str = Field(alias="jsNodeId")
    label: str = Field(alias="clerp")
    influence: float | None = None
    activation: float | None = None

    @property
    def kind(self) -> str:
        """What the node is: embed, head, query, key, value, mlp, neuron, feature, error or logits; else as written."""
        return KINDS.get(self.feature_type, self.feature_type)

    @property
    def depth(self) -> int:
        """The layer as a number, −1 for the embedding and for a layer that is none."""
        text = str(self.layer)
        return int(text) if text.isdecimal() else -1


class GraphLink(_Open):
    """What one node does to another."""

    source: str
    target: str
    weight: float


class AttributionGraph(_Open):
    """One graph of heads, MLPs, neurons or dictionary features at positions of one prompt."""

    metadata: GraphMetadata
    state: GraphState = Field(alias="qParams")
    nodes: list[GraphNode]
    links: list[GraphLink]

    @model_validator(mode="after")
    def _joined(self) -> Self:
        """Every link joins nodes that there are, and no two nodes share a name."""
        ids = {node.node_id for node in self.nodes}
        if len(ids) < len(self.nodes):
            raise ValueError("two nodes have the same node_id")
        for link in self.links:
            for end in (link.source, link.target):
                if end not in ids:
                    raise ValueError(f"a link refers to the node {end!r}, which does not exist")
        return self

    @property
    def labels(self) -> dict[str, str]:
        """The nodes that have a label."""
        return {node.node_id: node.label for node in self.nodes if node.label}

    @property
    def supernodes(self) -> dict[str, tuple[str, ...]]:
        """The groups and their nodes."""
        return {group[0]: tuple(group[1:]) for group in self.state.supernodes if group}

    def require_model(self, model: LanguageModel) -> None:
        """Raises: ResultError if the graph is of another model; the last part of the name counts."""
        ours, theirs = (name.rstrip("/").rsplit("/", 1)[-1].lower() for name in (model.name, self.metadata.scan))
        if ours != theirs:
            raise ResultError(f"the graph belongs to {self.metadata.scan}, not to {model.name}; load that model")

    def to_frame(self) -> pd.DataFrame:
        """The links as a table: source, target, weight."""
        return pd.DataFrame(
            [(link.source, link.target, link.weight) for link in self.links], columns=["source", "target", "weight"]
        )

    def to_networkx(self) -> "networkx.DiGraph":
        """The same graph with every field of nodes and links as an attribute."""
        import networkx

        graph = networkx.DiGraph(**self.metadata.model_dump(by_alias=True, exclude_unset=True))
        for node in self.nodes:
            fields = node.model_dump(by_alias=True, exclude_unset=True)
            graph.add_node(fields.pop("node_id"), kind=node.kind, **fields)
        for link in self.links:
            fields = link.model_dump(by_alias=True, exclude_unset=True)
            graph.add_edge(fields.pop("source"), fields.pop("target"), **fields)
        return graph

    def to_json(self) -> str:
        """The file's text."""
        return json.dumps(self.model_dump(by_alias=True, exclude_unset=True), indent=1) + "\n"

    def save(self, path: str | Path) -> Path:
        """Write the JSON to `path` (`.json` is added where it is missing), whole or not at all. Returns the path."""
        path = typed_path(path)
        if not path.name:
            raise ResultError(f"{str(path)!r} is not a file name; give one, such as results/circuit.json")
        path = path if path.suffix == ".json" else path.with_name(path.name + ".json")
        write_whole(path, self.to_json().encode())
        return path

    @staticmethod
    def load(path: str | Path) -> "AttributionGraph":
        """Read a graph. Raises: ResultError in one line if the file is missing, damaged or not such a graph."""
        path = typed_file(path)
        if not path.is_file():
            raise ResultError(f"no graph at {path}; give the path of an attribution graph's JSON")
        try:
            return AttributionGraph.model_validate_json(path.read_bytes())
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            place = ".".join(map(str, first["loc"]))
            reason = " ".join(f"{place}: {first['msg']}".removeprefix(": ").split())
            raise ResultError(f"{path} is damaged or not an attribution graph ({reason}); export it again") from None
        except OSError as error:
            raise ResultError(f"cannot read {path}: {error.strerror}") from None

"""Edges of a computation graph, and how a circuit's are chosen from scores."""

import json
import math
from collections.abc import Iterable
from dataclasses import asdict
from heapq import heapify, heappop, heappush
from typing import NamedTuple

import numpy as np

from interp.core.errors import ResultError
from interp.core.graph import ComputationGraph
from interp.core.kinds import EdgeScores, FeatureEffects, FoundCircuit
from interp.core.nodes import Node
from interp.core.prompts import Prompts


class CircuitEdge(NamedTuple):
    """An edge and its score; at one position, or at all."""

    sender: str
    receiver: str
    score: float = math.nan
    pos: int | None = None

    @property
    def ends(self) -> tuple[str, str, int | None]:
        """What tells it from other edges."""
        return self.sender, self.receiver, self.pos


def circuit_facts(graph: ComputationGraph, prompts: Prompts) -> dict[str, str]:
    """What `Circuit.of` needs beside the scores: pass it as `facts` to the result."""
    return {"graph": json.dumps(asdict(graph)), "tokens": json.dumps([label for label in prompts.labels[0] if label])}


def graph_of_result(result: EdgeScores | FoundCircuit | FeatureEffects) -> ComputationGraph:
    """The computation graph that a result's edges belong to."""
    if "graph" not in result.data.attrs:
        raise ResultError("the result does not say which computation graph its edges belong to; run the engine again")
    return ComputationGraph(**json.loads(result.data.attrs["graph"]))


def tokens_of_result(result: EdgeScores | FoundCircuit | FeatureEffects) -> tuple[str, ...]:
    """The tokens of a result's first prompt."""
    return tuple(json.loads(result.data.attrs.get("tokens", "[]")))


def in_order(graph: ComputationGraph, edges: Iterable[CircuitEdge]) -> tuple[CircuitEdge, ...]:
    """In the order in which the receivers read and the senders write."""
    key = lambda e: (graph.receiver(e.receiver), graph.sender(e.sender), -1 if e.pos is None else e.pos)  # noqa: E731
    return tuple(sorted(edges, key=key))


def ranked(
    result: EdgeScores | FoundCircuit, threshold: float | None = None, most: int | None = None
) -> list[CircuitEdge]:
    """The result's strongest edges, by the size of their mean over prompts; those without a score last.

    Raises: ResultError where edges have positions that the prompts do not have in common.
    """
    array = result.values("score")
    if "batch" in array.dims:
        array = array.mean("batch")
    if "pos" in array.dims and (result.data["token"] == "").any():
        raise ResultError("prompts of different lengths have no positions in common; score them without positions")
    scores = array.values
    strength = np.abs(scores).ravel()
    order = np.argsort(-strength, kind="stable")
    if threshold is not None:
        order = order[strength[order] >= threshold]
    senders, receivers = result.data["sender"].values, result.data["receiver"].values
    count = scores.shape[-1]
    return [
        CircuitEdge(
            str(senders[index % count]),
            receiver,
            float(scores.flat[index]),
            int(index // count) if scores.ndim == 2 else None,
        )
        for index in order[:most]
        for receiver in str(receivers[index % count]).split("+")  # receivers that were patched at once
    ]


def greedy(graph: ComputationGraph, ranked: list[CircuitEdge], edges: int | None) -> list[CircuitEdge]:
    """From the logits, again and again the strongest edge into a node that is in the circuit."""
    into: dict[str, list[int]] = {}
    for rank, edge in enumerate(ranked):
        into.setdefault(edge.receiver, []).append(rank)
    waiting, chosen = into.pop("logits", []), []
    heapify(waiting)
    while waiting and (edges is None or len(chosen) < edges):
        edge = ranked[heappop(waiting)]
        chosen.append(edge)
        for receiver in graph.inputs_of(edge.sender):
            for rank in into.pop(receiver, ()):
                heappush(waiting, rank)
    return chosen


def feature_edges(
    result: FeatureEffects, threshold: float | None = None, most: int | None = None
) -> tuple[CircuitEdge, ...]:
    """Edges from the strongest features to the logits, by the size of their mean over prompts, and the error's own.

    A feature without any effect has no edge.
    """
    effects = result.values("feature_effect").mean("batch").values
    layer, site = int(result.data.attrs["layer"]), str(result.data.attrs["site_name"])
    strength = np.abs(effects)
    order = np.argsort(-strength, kind="stable")[: np.count_nonzero(strength)]
    if threshold is not None:
        order = order[strength[order] >= threshold]
    nodes = [(Node("f", layer, int(index), site), float(effects[index])) for index in order[:most]]
    nodes.append((Node("f", layer, site=site), float(result.values("error").mean())))
    return tuple(CircuitEdge(str(node), "logits", score) for node, score in nodes)

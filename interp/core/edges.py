"""Edges of a computation graph, and how a circuit's are chosen from scores."""

import json
import math
from collections.abc import Iterable
from dataclasses import asdict
from heapq import heapify, heappop, heappush
from typing import NamedTuple

from interp.core.graph import ComputationGraph
from interp.core.prompts import Prompts


class CircuitEdge(NamedTuple):
    """An edge and its score; at one position, or at all."""

    sender: str
    receiver: str
    score: float = math.nan
    pos: int | None = None

    @property
    def ends(self) -> tuple[str, str, int | None]:
        """Its identity, without the score."""
        return self.sender, self.receiver, self.pos


def circuit_facts(graph: ComputationGraph, prompts: Prompts) -> dict[str, str]:
    """What `Circuit.of` needs in addition to the scores: pass it as `facts` to the result."""
    return {"graph": json.dumps(asdict(graph)), "tokens": json.dumps([label for label in prompts.labels[0] if label])}


def in_order(graph: ComputationGraph, edges: Iterable[CircuitEdge]) -> tuple[CircuitEdge, ...]:
    """In the order in which the receivers read and the senders write."""
    key = lambda e: (graph.receiver(e.receiver), graph.sender(e.sender), -1 if e.pos is None else e.pos)  # noqa: E731
    return tuple(sorted(edges, key=key))


def greedy(graph: ComputationGraph, ranking: list[CircuitEdge], edges: int | None) -> list[CircuitEdge]:
    """From the logits, again and again the strongest edge into a node that is in the circuit."""
    into: dict[str, list[int]] = {}
    for rank, edge in enumerate(ranking):
        into.setdefault(edge.receiver, []).append(rank)
    waiting, circuit = into.pop("logits", []), []
    heapify(waiting)
    while waiting and (edges is None or len(circuit) < edges):
        edge = ranking[heappop(waiting)]
        circuit.append(edge)
        for receiver in graph.inputs_of(edge.sender):
            for rank in into.pop(receiver, ()):
                heappush(waiting, rank)
    return circuit

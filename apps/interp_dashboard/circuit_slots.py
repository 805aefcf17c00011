"""What the browser receives of a circuit: where its nodes stand, its strongest edges, and how well it does."""

from typing import Any

import numpy as np

from interp.core.circuit import Circuit, CircuitEdge
from interp.core.kinds import EdgeScores, FoundCircuit
from interp.core.result import Result
from interp_dashboard.circuits import FOUND, GROWTH, PLACED, RUNS, VERSUS, Growth, Runs, circuit_of, faithfulness
from interp_dashboard.questions import Question
from interp_dashboard.state import View

DRAWN = 250  # edges that are drawn at most: more could not be told apart
LISTED = 2000  # edges of each circuit that are compared
FAINT = 1e-4  # of the strongest: what is weaker at a position is not worth a line


def scores_question(view: View) -> Question | None:
    """What finds the circuit that is drawn, position by position where that is how it is laid out."""
    if view.layout == "position" and view.circuit in PLACED:
        return PLACED[view.circuit]
    return FOUND.get(view.circuit)


def runs_question(view: View) -> Question | None:
    """The run of the circuit, if there is a way to find one."""
    return RUNS if view.circuit in FOUND else None


def growth_question(view: View) -> Question | None:
    """The run at growing sizes; a search finds one size only."""
    return GROWTH if view.circuit in PLACED else None


def versus_question(view: View) -> Question | None:
    """The other circuit, if one is asked for."""
    return VERSUS if view.versus and view.versus != view.circuit else None


def drawing(result: Result, view: View) -> dict[str, Any]:
    """Nodes with their places, and the strongest edges between them."""
    assert isinstance(result, EdgeScores | FoundCircuit)
    placed = "pos" in result.data.dims
    whole = type(result)(result.data.sum("pos", keep_attrs=True), result.provenance) if placed else result
    circuit = circuit_of(whole, view)
    edges = _by_position(result, circuit) if placed else [(edge, None) for edge in circuit.edges]
    edges.sort(key=lambda entry: -abs(entry[0].score))
    shown = edges[:DRAWN]
    nodes: dict[tuple[str, int | None], int] = {}
    rows = []
    for edge, pos in shown:
        ends = [(edge.sender, pos), *((name, pos) for name in _makes(circuit, edge.receiver))]
        places = [nodes.setdefault(end, len(nodes)) for end in ends]
        rows += [[places[0], end, edge.receiver, _round(edge.score)] for end in places[1:]]
    return {
        "method": view.circuit,
        "whole": _listed(circuit),
        "members": list(circuit.nodes),
        "placed": placed,
        "nodes": [[name, pos] for name, pos in nodes],
        "edges": rows,
        "drawn": len(shown),
        "of": len(edges),
        "nominal": min(view.edges, result.data.sizes["edge"]),
        "kept": len(circuit.edges),
        "all": circuit.graph.edge_count,
        "fixed": isinstance(result, FoundCircuit),
        "causal": view.circuit != "flow-routes",
        "measured": result.measured,
        "sign": result.sign,
        "unit": str(result.data["score"].attrs.get("unit", "")),
    }


def _by_position(result: Result, circuit: Circuit) -> list[tuple[CircuitEdge, int | None]]:
    """The circuit's edges at every position, with their scores there."""
    data = result.data["score"].mean("batch")
    names = zip(result.data["sender"].values, result.data["receiver"].values, strict=True)
    index = {ends: place for place, ends in enumerate(names)}
    width = data.sizes["pos"]
    values = data.transpose("edge", "pos").values[[index[edge.sender, edge.receiver] for edge in circuit.edges]]
    least = FAINT * np.abs(values).max(initial=0)
    return [
        (CircuitEdge(edge.sender, edge.receiver, float(values[row, pos])), pos)
        for row, edge in enumerate(circuit.edges)
        for pos in range(width)
        if abs(values[row, pos]) > least
    ]


def _makes(circuit: Circuit, receiver: str) -> list[str]:
    """The nodes that what a receiver reads goes into: its head (of those that share a key or value, the kept ones)."""
    if receiver == "logits" or receiver in circuit.graph.senders:
        return [receiver]
    made = [sender for sender in circuit.graph.senders if receiver in circuit.graph.inputs_of(sender)]
    return [sender for sender in made if sender in circuit.nodes] or made[:1]


def runs(found: Runs, view: View) -> dict[str, Any]:
    """How well the circuit does, and what is left of it with the view's cuts."""
    shares = faithfulness(found)
    cut = len(found.values) > 1
    return {
        "clean": found.clean,
        "corrupted": found.cut,
        "circuit": found.values[0],
        "faithfulness": shares[0],
        "edited": found.values[1] if cut else None,
        "edited_faithfulness": shares[1] if cut else None,
        "effect": found.values[1] - found.values[0] if cut else None,
        "tops": [[list(entry) for entry in top] for top in found.tops],
        "other": "corrupted" if view.corrupted else "mean",
        "measured": f"{found.label} with the circuit's edges alone; every other edge carries "
        + ("the corrupted prompt's value" if view.corrupted else "its sender's mean over the prompt"),
        "sign": "faithfulness = (circuit − all cut) / (whole model − all cut), not clamped",
        "unit": found.unit,
    }


def growth(found: Growth, view: View) -> dict[str, Any]:
    """Faithfulness at growing numbers of edges, beside random circuits."""
    return {
        "edges": list(found.edges),
        "faithfulness": [_round(value) for value in found.faithfulness],
        "random": [[_round(value) for value in row] for row in found.random],
        "measured": "faithfulness of the strongest edges, and of as many edges drawn at random",
        "sign": "1: the circuit does what the whole model does; 0: no more than with every edge cut",
    }


def versus(result: Result, view: View) -> dict[str, Any]:
    """The edges of the other circuit, of the same size as this one."""
    assert isinstance(result, EdgeScores | FoundCircuit)
    other = circuit_of(result, View(edges=view.edges, extraction=view.extraction))
    return {
        "name": view.versus,
        "edges": _listed(other),
        "nodes": list(other.nodes),
        "measured": result.measured,
        "sign": result.sign,
    }


def _listed(circuit: Circuit) -> list[list[Any]]:
    """The strongest edges of a circuit; a browser need not hold seventy thousand."""
    strongest = sorted(circuit.edges, key=lambda edge: -abs(edge.score))[:LISTED]
    return [[edge.sender, edge.receiver, _round(edge.score)] for edge in strongest]


def _round(value: float) -> float | None:
    return None if np.isnan(value) else round(float(value), 6)

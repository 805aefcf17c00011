"""What the browser receives of a circuit: where its nodes stand, its strongest edges, and how well it does."""

from dataclasses import replace
from typing import Any

import numpy as np

from interp.core.edges import CircuitEdge
from interp.core.result import Result
from interp.kinds import Circuit, EdgeScores, FoundCircuit
from interp.views.circuit import layout
from interp_dashboard.legacy import Question
from interp_dashboard.pages.circuit.asks import (
    FOUND,
    GROWTH,
    PLACED,
    RUNS,
    RUNS_OF_SEARCH,
    VERSUS,
    Growth,
    Runs,
    circuit_of,
    whole,
)
from interp_dashboard.pages.circuit.state import CircuitView

DRAWN = 250  # edges that are drawn at most: more could not be told apart
LISTED = 2000  # edges of each circuit that are compared
FAINT = 1e-4  # of the strongest: what is weaker at a position is not worth a line


def scores_question(view: CircuitView) -> Question | None:
    """What finds the circuit that is drawn, position by position where that is how it is laid out."""
    if view.layout == "position" and view.circuit in PLACED:
        return PLACED[view.circuit]
    return FOUND.get(view.circuit)


def runs_question(view: CircuitView) -> Question | None:
    """The run of the circuit, if there is a way to find one."""
    if view.circuit not in FOUND:
        return None
    return RUNS if view.circuit in PLACED else RUNS_OF_SEARCH


def growth_question(view: CircuitView) -> Question | None:
    """The run at growing sizes; a search finds one size only."""
    return GROWTH if view.circuit in PLACED else None


def versus_question(view: CircuitView) -> Question | None:
    """The other circuit, if one is asked for."""
    return VERSUS if view.versus and view.versus != view.circuit else None


def drawing(result: Result, view: CircuitView) -> dict[str, Any]:
    """Nodes with their places, and the strongest edges between them."""
    assert isinstance(result, EdgeScores | FoundCircuit)
    placed = "pos" in result.data.dims
    circuit = circuit_of(whole(result), view)
    every = _by_position(result, circuit) if placed else list(circuit.edges)
    strongest = sorted(every, key=lambda edge: -abs(edge.score))[:DRAWN]
    # Of a head's shared key or value only the circuit's own heads are drawn, whichever edges are.
    where = layout(replace(circuit, edges=tuple(strongest)), "position" if placed else "head")
    places = {(node.node, node.pos): index for index, node in enumerate(where.nodes)}
    edges = sorted(where.edges, key=lambda edge: -abs(edge.score))
    return {
        "method": view.circuit,
        "whole": _listed(circuit),
        "members": list(circuit.nodes),
        "placed": placed,
        "nodes": [[node.node, node.pos, round(node.x, 4), node.y] for node in where.nodes],
        "edges": [
            [places[edge.sender, edge.pos], places[edge.target, edge.pos], edge.receiver, _round(edge.score)]
            for edge in edges
        ],
        "drawn": len(strongest),
        "of": len(every),
        "nominal": min(view.edges, result.data.sizes["edge"]),
        "kept": len(circuit.edges),
        "all": circuit.graph.edge_count,
        "fixed": isinstance(result, FoundCircuit),
        "causal": view.circuit != "flow-routes",
        "measured": result.measured,
        "sign": result.sign,
        "unit": str(result.data["score"].attrs.get("unit", "")),
    }


def _by_position(result: Result, circuit: Circuit) -> list[CircuitEdge]:
    """The circuit's edges at every position, with their scores there."""
    data = result.data["score"].mean("batch")
    names = zip(result.data["sender"].values, result.data["receiver"].values, strict=True)
    index = {ends: place for place, ends in enumerate(names)}
    values = data.transpose("edge", "pos").values[[index[edge.sender, edge.receiver] for edge in circuit.edges]]
    least = FAINT * np.abs(values).max(initial=0)
    return [
        CircuitEdge(edge.sender, edge.receiver, float(values[row, pos]), pos)
        for row, edge in enumerate(circuit.edges)
        for pos in range(data.sizes["pos"])
        if abs(values[row, pos]) > least
    ]


def runs(found: Runs, view: CircuitView) -> dict[str, Any]:
    """How well the circuit does, and what is left of it with the view's cuts."""
    shares = [_round(share) for share in found.faithfulness]
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


def growth(found: Growth, view: CircuitView) -> dict[str, Any]:
    """Faithfulness at growing numbers of edges, beside random circuits."""
    return {
        "edges": list(found.edges),
        "faithfulness": [_round(value) for value in found.faithfulness],
        "random": [[_round(value) for value in row] for row in found.random],
        "measured": "faithfulness of the strongest edges, and of as many edges drawn at random",
        "sign": "1: the circuit does what the whole model does; 0: no more than with every edge cut",
    }


def versus(result: Result, view: CircuitView) -> dict[str, Any]:
    """The edges of the other circuit, of the same size as this one."""
    assert isinstance(result, EdgeScores | FoundCircuit)
    other = circuit_of(result, CircuitView(edges=view.edges, extraction=view.extraction))
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

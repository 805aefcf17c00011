"""Circuit: the subgraph behind an answer, how faithful it is on its own, and the role of each of its parts."""

from dataclasses import replace
from typing import Any, Literal

import pandas as pd
import plotly.graph_objects as go
from dash import html

from interp import views
from interp.kinds import Circuit, EdgeScores, FoundCircuit
from interp.models.hooked import HookedModel
from interp.views.circuit import layout
from interp_dashboard.asking import written
from interp_dashboard.contents import Content
from interp_dashboard.packing import said
from interp_dashboard.page import Page
from interp_dashboard.pages.circuit import asks
from interp_dashboard.pages.circuit.state import DEFINING, CircuitView, parted, without_cuts
from interp_dashboard.shell.panels import choice, drawn, panel

DRAWN = 250  # edges that are drawn at most: more could not be told apart
Found = EdgeScores | FoundCircuit


def _parts(model: HookedModel, view: CircuitView) -> dict[str, Any]:
    return {"size": view.size, "cuts": view.cuts, "groups": view.groups}


def _whole(result: Found, size: dict[str, Any]) -> Circuit:
    """The circuit, with every edge once: scores of its positions are added up."""
    return Circuit.of(result.over_positions if isinstance(result, EdgeScores) else result, **size)


def _placed(result: Found, circuit: Circuit) -> Circuit:
    """The circuit as it is drawn: where scores have positions, its edges at every position, with their scores there."""
    return circuit.placed(result) if isinstance(result, EdgeScores) else circuit


def _drawing(result: Found, size: dict[str, Any], cuts: tuple[str, ...], groups: tuple[str, ...]) -> dict[str, Any]:
    """Nodes with their places, and the strongest edges between them."""
    circuit = _whole(result, size)
    drawn = _placed(result, circuit)
    strongest = sorted(drawn.edges, key=lambda edge: -abs(edge.score))[:DRAWN]
    # Of a head's shared key or value only the circuit's own heads are drawn, whichever edges are.
    where = layout(replace(drawn, edges=tuple(strongest)), "position" if drawn.by_position else "head")
    places = {(node.node, node.pos): index for index, node in enumerate(where.nodes)}
    edges = sorted(where.edges, key=lambda edge: -abs(edge.score))
    return {
        "method": result.provenance.engine,
        "placed": drawn.by_position,
        "nodes": [[node.node, node.pos, round(node.x, 4), node.y, *_head(node.node)] for node in where.nodes],
        "edges": [
            [places[edge.sender, edge.pos], places[edge.target, edge.pos], edge.receiver, round(edge.score, 6)]
            for edge in edges
        ],
        "drawn": len(strongest),
        "of": len(drawn),
        "nominal": min(size["edges"], result.data.sizes["edge"]),
        "kept": len(circuit),
        "all": circuit.graph.edge_count,
        "fixed": isinstance(result, FoundCircuit),
    } | said(result, "score")


def _head(node: str) -> tuple[str, int | None, int | None]:
    """What a node is called, and which head it is."""
    if node[0] == "m":
        return f"MLP {node[1:]}", None, None
    if node[0] != "a":
        return node, None, None
    layer, head = map(int, node[1:].split("."))
    return f"head {layer}.{head}", layer, head


def _left(result: Found, size: dict[str, Any], cuts: tuple[str, ...]) -> Circuit:
    """What is drawn, without what is cut."""
    return without_cuts(_placed(result, _whole(result, size)), cuts)


def _figure(
    result: Found, size: dict[str, Any], cuts: tuple[str, ...], groups: tuple[str, ...], theme: str
) -> go.Figure:
    return views.circuit_figure(_left(result, size, cuts), result, edges=DRAWN, by=_by(result), theme=theme)


def _by(result: Found) -> Literal["head", "position"]:
    return "position" if "pos" in result.data.dims else "head"


def _table(result: Found, size: dict[str, Any], cuts: tuple[str, ...], groups: tuple[str, ...]) -> pd.DataFrame:
    return _left(result, size, cuts).to_frame()


def _python(result: Found, size: dict[str, Any], cuts: tuple[str, ...], groups: tuple[str, ...]) -> str:
    """The circuit without what is cut, out of the result."""
    placed = "pos" in result.data.dims
    more = "".join(f", {name}={written(value)}" for name, value in size.items())
    cut = ", ".join(f"{name}={written(some)}" for name, some in parted(cuts).items())
    made = f"interp.Circuit.of(result{'.over_positions' if placed else ''}{more})"
    made += (".placed(result)" if placed else "") + (f".without({cut})" if cut else "")
    drawn = f'interp.views.circuit_figure(circuit, result, edges={DRAWN}, by="{_by(result)}")'
    return f"circuit = {made}\nfigure = {drawn}\ntable = circuit.to_frame()\n"


def _graph(result: Found, size: dict[str, Any], cuts: tuple[str, ...], groups: tuple[str, ...]) -> str:
    """The circuit without what is cut and with its groups, as an attribution graph's JSON."""
    circuit = without_cuts(_whole(result, size), cuts)
    for group in groups:
        name, _, nodes = group.partition(":")
        circuit = circuit.grouped(name, nodes.split("+"))
    return circuit.to_graph().to_json()


def _sizes(model: HookedModel, view: CircuitView) -> dict[str, Any]:
    """The sizes of two circuits, one for both where they are the same."""
    assert view.other is not None
    mine, theirs = ({"extraction": "top"} | one.size for one in (view, view.other))
    return {name: mine[name] if mine[name] == theirs[name] else (mine[name], theirs[name]) for name in mine}


CIRCUIT = Content(
    "circuit", asks.scores, _drawing, choice=_parts, figure=_figure, table=_table, rest=_python,
    files={"graph": ("JSON", "json", _graph)},
)  # fmt: skip
RUNS = Content("circuit_runs", asks.runs, figure=views.circuit_answers, least=2)
GROWTH = Content("circuit_growth", asks.growth, hint="A search finds one size only.")
VERSUS = Content(
    "circuit_versus", asks.compared, choice=_sizes, figure=views.shared_edges, table=views.shared_table, least=2,
    hint="Keep this circuit, or choose another one to compare it with.",
)  # fmt: skip


def _layout() -> list[Any]:
    return [
        panel(
            CIRCUIT,
            "The circuit",
            "Each line is an edge: the output of a head or an MLP, as read by a later one. Hover over an edge for "
            "its score, click it to cut or restore it; click a node to select it.",
            drawn("circuitsize", CIRCUIT),
            drawn("circuit", CIRCUIT),
            controls=[
                choice(CircuitView, "circuit", "How the circuit is found"),
                choice(CircuitView, "extraction", "Which edges are kept"),
                choice(CircuitView, "layout", "Layout"),
            ],
            more="Layers run upwards from the embedding to the logits. Purple edges support the answer and orange "
            "ones work against it, whichever sign the method gives them: eap and eap-ig estimate the effect of "
            "cutting each edge, so what supports is negative; acdc measures how far the prediction moves when an "
            "edge is cut, so what supports is positive; cdt-circuit gives relevance, positive for the answer. "
            "flow-routes measures only how much of a receiver's input an edge contributes, which is not a causal "
            "effect: its edges are blue. Edges that lead nowhere "
            "are pruned, so fewer may remain than were requested. JSON exports an attribution graph, with the "
            "groups and without the cuts, that Neuronpedia and circuit-tracer can read.",
        ),
        html.Div([_alone(), _node()], className="columns"),
        html.Div([_size(), _other()], className="columns"),
    ]


def _alone() -> html.Section:
    return panel(
        RUNS,
        "Is the circuit sufficient on its own?",
        "The model run with this circuit's edges only; all other edges carry the corrupted run's values.",
        more="The model is run again for every slider change and every cut. Faithfulness is given in brackets: 0 % "
        "is the metric with every edge cut, 100 % that of the whole model. More than 100 % means that the "
        "edges left out had been working against the answer. A faithful circuit need not be complete or "
        "minimal; `interp run circuit-evidence` measures both, with intervals.",
    )


def _node() -> html.Section:
    return panel(
        CIRCUIT,
        "The selected node",
        "What it reads and writes in this circuit. Cut it, or put it in a named group.",
        drawn("circuitnode", CIRCUIT),
        exports=False,
    )


def _size() -> html.Section:
    return panel(
        GROWTH,
        "How many edges are needed?",
        "Faithfulness as the circuit grows, compared with random circuits of the same size. Click a size to keep "
        "that many edges.",
        click={"edges": "x"},
        more="The number of edges is on a logarithmic scale. This is one prompt pair only; for intervals over "
        "prompts, use `interp run circuit-evidence`.",
    )


def _other() -> html.Section:
    return panel(
        VERSUS,
        "Compared with another circuit",
        "What this circuit shares with the circuit of another method, of another behaviour, or one kept earlier.",
        controls=[
            choice(CircuitView, "versus", "Compare with"),
            drawn("circuitkeep", CIRCUIT),
        ],
        more="Both circuits have the same number of edges, unless the kept one had a different size. Each side "
        "has a column with its own unit and scale. Methods in different units compare by rank only; hover over a bar "
        "for its rank. The kept circuit is part of the link, as what finds it: "
        "question, method and size, without cuts and groups.",
    )


PAGE = Page(
    "circuit", "Circuit", _layout, (CIRCUIT, RUNS, GROWTH, VERSUS), CircuitView,
    about=lambda model: {"defining": DEFINING}, home=__file__, invitation="See the circuit",
)  # fmt: skip

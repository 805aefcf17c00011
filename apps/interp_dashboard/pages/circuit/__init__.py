"""Circuit: the subgraph behind an answer, how faithful it is on its own, and the role of each of its parts."""

from math import isfinite
from typing import Any, Literal

import pandas as pd
import plotly.graph_objects as go
from dash import html

from interp import groundtruth, views
from interp.core.subgraph import Judged
from interp.kinds import Circuit, EdgeScores, FoundCircuit
from interp.models.hooked import HookedModel
from interp.views.circuit import GROUP, adds_up, largest_of, layout
from interp.views.judged import verdict_of, with_missed
from interp_dashboard.asking import literal
from interp_dashboard.contents import Content
from interp_dashboard.packing import meaning
from interp_dashboard.page import Page
from interp_dashboard.pages.circuit import asks
from interp_dashboard.pages.circuit.state import DEFINING, CircuitView, Group, cut_arguments, without_cuts
from interp_dashboard.shell.neurons import neurons, neurons_panel
from interp_dashboard.shell.panels import canvas, choice, panel

DRAWN = 250  # edges that are drawn at most: more could not be told apart
SAYING = {"flow-routes": "share", "cdt-circuit": "relevance"}  # what a score is, where it is no effect of a cut
CircuitResult = EdgeScores | FoundCircuit
Truth = tuple[str, Any] | None  # the model, and which of the edges of its true circuit


def _choice(model: HookedModel, view: CircuitView) -> dict[str, Any]:
    truth = (model.name, view.truth) if view.truth in groundtruth.known(model) else None
    return {"size": view.size, "cuts": view.cuts, "groups": view.groups, "truth": truth}


def _judged(circuit: Circuit, truth: Truth) -> Judged | None:
    """The circuit against the true one, where that is asked for."""
    return circuit.judged(groundtruth.circuit(*truth)) if truth else None


def _whole(result: CircuitResult, size: dict[str, Any]) -> Circuit:
    """The circuit, with every edge once: scores of its positions are added up."""
    return Circuit.of(result.over_positions if isinstance(result, EdgeScores) else result, **size)


def _at_positions(result: CircuitResult, circuit: Circuit) -> Circuit:
    """The circuit as it is drawn: where scores have positions, its edges at every position, with their scores there."""
    return circuit.placed(result) if isinstance(result, EdgeScores) else circuit


def _drawing(
    result: CircuitResult, size: dict[str, Any], cuts: tuple[str, ...], groups: tuple[str, ...], truth: Truth
) -> dict[str, Any]:
    """Nodes with their places, and the strongest edges between them."""
    circuit = _whole(result, size)
    judged = _judged(without_cuts(circuit, cuts), truth)
    graph = _with_groups(_at_positions(result, circuit), groups)
    count, most = len(graph), DRAWN
    if judged is not None:  # what is cut is drawn as that, and is not missed
        there = {edge[:2] for edge in circuit.edges}
        unseen = judged._replace(missed=tuple(edge for edge in judged.missed if edge[:2] not in there))
        graph, most = with_missed(graph, unseen, DRAWN), None
    plan = layout(graph, "position" if graph.by_position else "head", result, most=most, folded=_folded_names(groups))
    places = {(node.node, node.pos): index for index, node in enumerate(plan.nodes)}
    limits = largest_of(plan.edges)
    edges = sorted(plan.edges, key=lambda edge: -abs(edge.score) / limits[edge.unit] if isfinite(edge.score) else 0)
    return {
        "method": result.provenance.engine,
        "placed": graph.by_position,
        "nodes": [
            [node.node, node.pos, round(node.x, 4), round(node.y, 4), *_head(node.node), list(node.members)]
            for node in plan.nodes
        ],
        "edges": [
            [
                places[edge.sender, edge.pos],
                places[edge.target, edge.pos],
                edge.receiver,
                round(edge.score, 6) if isfinite(edge.score) else None,
                edge.unit,
                [">".join(part) for part in edge.parts],
                "" if judged is None else verdict_of(edge.parts, judged),
            ]
            for edge in edges
        ],
        "limits": limits,
        "drawn": min(plan.count, count),
        "of": count,
        "judged": judged and {name: value if isfinite(value) else None for name, value in judged.row.items()},
        "unscored": sum(not isfinite(edge.score) for edge in circuit.edges),
        "nominal": min(size.get("edges", len(circuit)), result.data.sizes["edge"]),
        "kept": len(circuit),
        "all": circuit.graph.edge_count,
        "fixed": isinstance(result, FoundCircuit),
        "adds": adds_up(result),
        "saying": SAYING.get(result.provenance.engine, "effect"),
    } | meaning(result, "score")


def _head(node: str) -> tuple[str, int | None, int | None]:
    """What a node is called, and which head it is."""
    if node.startswith(GROUP):
        return node.removeprefix(GROUP), None, None
    if node[0] == "m":
        return f"MLP {node[1:]}", None, None
    if node[0] != "a":
        return node, None, None
    layer, head = map(int, node[1:].split("."))
    return f"head {layer}.{head}", layer, head


def _with_groups(circuit: Circuit, groups: tuple[str, ...]) -> Circuit:
    """With named groups of nodes."""
    for group in map(Group.of, groups):
        circuit = circuit.grouped(group.name, group.nodes)
    return circuit


def _folded_names(groups: tuple[str, ...]) -> list[str]:
    """The names of the groups that are drawn as one node."""
    return [group.name for group in map(Group.of, groups) if group.folded]


def _after_cuts(result: CircuitResult, size: dict[str, Any], cuts: tuple[str, ...], groups: tuple[str, ...]) -> Circuit:
    """What is drawn, without what is cut."""
    return without_cuts(_with_groups(_at_positions(result, _whole(result, size)), groups), cuts)


def _figure(
    result: CircuitResult,
    size: dict[str, Any],
    cuts: tuple[str, ...],
    groups: tuple[str, ...],
    truth: Truth,
    theme: str,
) -> go.Figure:
    circuit = _after_cuts(result, size, cuts, groups)
    look = {"edges": DRAWN, "by": _by(result), "folded": _folded_names(groups), "theme": theme}
    if truth is None:
        return views.circuit_figure(circuit, result, **look)
    return views.judged_figure(circuit, groundtruth.circuit(*truth), result, **look)


def _by(result: CircuitResult) -> Literal["head", "position"]:
    return "position" if "pos" in result.data.dims else "head"


def _table(
    result: CircuitResult, size: dict[str, Any], cuts: tuple[str, ...], groups: tuple[str, ...], truth: Truth
) -> pd.DataFrame:
    circuit = _after_cuts(result, size, cuts, groups)
    judged = _judged(circuit, truth)
    return circuit.to_frame() if judged is None else judged.to_frame()


def _python(
    result: CircuitResult, size: dict[str, Any], cuts: tuple[str, ...], groups: tuple[str, ...], truth: Truth
) -> str:
    """The circuit with its groups and without what is cut, out of the result."""
    by_position = "pos" in result.data.dims
    more = "".join(f", {name}={literal(value)}" for name, value in size.items())
    without = ", ".join(f"{name}={literal(parts)}" for name, parts in cut_arguments(cuts).items())
    circuit = f"interp.Circuit.of(result{'.over_positions' if by_position else ''}{more})"
    circuit += ".placed(result)" if by_position else ""
    circuit += "".join(f".grouped({literal(name)}, {literal(nodes)})" for name, nodes, _ in map(Group.of, groups))
    circuit += f".without({without})" if without else ""
    folded = f", folded={literal(names)}" if (names := _folded_names(groups)) else ""
    look = f'result, edges={DRAWN}, by="{_by(result)}"{folded})'
    if truth is None:
        return (
            f"circuit = {circuit}\nfigure = interp.views.circuit_figure(circuit, {look}\ntable = circuit.to_frame()\n"
        )
    return (
        f'circuit = {circuit}\ntruth = interp.groundtruth.circuit(model, "{truth[1]}")\n'
        f"figure = interp.views.judged_figure(circuit, truth, {look}\ntable = circuit.judged(truth).to_frame()\n"
    )


def _graph(
    result: CircuitResult, size: dict[str, Any], cuts: tuple[str, ...], groups: tuple[str, ...], truth: Truth
) -> str:
    """The circuit without what is cut and with its groups, as an attribution graph's JSON."""
    return _with_groups(without_cuts(_whole(result, size), cuts), groups).to_graph().to_json()


def _sizes(model: HookedModel, view: CircuitView) -> dict[str, Any]:
    """The sizes of two circuits, one for both where they are the same."""
    assert view.other is not None
    mine, theirs = ({"edges": None, "extraction": "top"} | each.size for each in (view, view.other))
    return {name: mine[name] if mine[name] == theirs[name] else (mine[name], theirs[name]) for name in mine}


CIRCUIT = Content(
    "circuit", asks.scores, _drawing, choice=_choice, figure=_figure, table=_table, rest=_python,
    files={"graph": ("JSON", "json", _graph)},
)  # fmt: skip
RUNS = Content("circuit_runs", asks.runs, figure=views.circuit_answers, least=2)
GROWTH = Content("circuit_growth", asks.growth, hint="A search finds one size only.")
VERSUS = Content(
    "circuit_versus", asks.comparison, choice=_sizes, figure=views.shared_edges, table=views.shared_table, least=2,
    hint="Keep this circuit, or choose another one to compare it with.",
)  # fmt: skip
NEURONS = neurons("circuit_neurons", lambda view: view.picked_mlp, "Click an MLP in the drawing above.")


def _layout() -> list[Any]:
    return [
        panel(
            CIRCUIT,
            "The circuit",
            "Each line is an edge: the output of a head or an MLP, as read by a later one. Hover over an edge for "
            "its score, click it to cut or restore it; click a node to select it. Drag to move, Ctrl+wheel to zoom.",
            canvas("circuitsize", CIRCUIT),
            canvas("circuit", CIRCUIT),
            controls=[
                choice(CircuitView, "circuit", "How the circuit is found"),
                choice(CircuitView, "extraction", "Which edges are kept"),
                choice(CircuitView, "layout", "Layout"),
                choice(CircuitView, "truth", "What the edges are coloured by", only="static"),
            ],
            more="Layers run upwards from the embedding to the logits. Purple edges support the answer and orange "
            "ones work against it, whichever sign the method gives them: eap and eap-ig estimate the effect of "
            "cutting each edge, so what supports is negative; acdc measures how far the prediction moves when an "
            "edge is cut, so what supports is positive; cdt-circuit gives relevance, positive for the answer. "
            "flow-routes measures only how much of a receiver's input an edge contributes, which is not a causal "
            "effect: its edges are blue. acdc and cdt-circuit search for a circuit, and the size is theirs. "
            "cdt-circuit finds heads: its circuit is every edge among them, all MLPs and both ends, of which those "
            "are drawn whose relevance it measured, each compared in its own unit. Of a folded group, parallel "
            "edges are one: their sum where scores are first-order effects or flows, the largest where a search "
            "measured them one at a time. Edges that lead nowhere "
            "are pruned, so fewer may remain than were requested. JSON exports an attribution graph, with the "
            "groups and without the cuts, that Neuronpedia and circuit-tracer can read. Of a model whose circuit is "
            "known, edges can be judged by it: the static one has every edge whose sender writes what its receiver "
            "reads, the effective one those of them that change a logit when they alone are resampled.",
        ),
        html.Div([_alone(), _node()], className="columns"),
        html.Div([_size(), _other()], className="columns"),
        neurons_panel(NEURONS, "the selected MLP"),
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
        "What it reads and writes in this circuit. Cut it, or put it in a named group, which can be folded into one "
        "node.",
        canvas("circuitnode", CIRCUIT),
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
            canvas("circuitkeep", CIRCUIT),
        ],
        more="Both circuits have the same number of edges, unless the kept one had a different size. Each side "
        "has a column with its own unit and scale. Methods in different units compare by rank only; hover over a bar "
        "for its rank. The kept circuit is part of the link, as what finds it: "
        "question, method and size, without cuts and groups.",
    )


PAGE = Page(
    "circuit", "Circuit", _layout, (CIRCUIT, RUNS, GROWTH, VERSUS, NEURONS), CircuitView,
    about=lambda model: {"defining": DEFINING}, home=__file__, invitation="See the circuit",
)  # fmt: skip

"""Circuits in layer × head or layer × position."""

import math
from collections import Counter, defaultdict
from typing import Literal, NamedTuple

import numpy as np
import plotly.graph_objects as go

from interp.core.errors import OptionError
from interp.core.nodes import Node
from interp.core.result import Result
from interp.kinds import Circuit, EdgeScores, FoundCircuit
from interp.views.chart import dress
from interp.views.choosing import about_prompt, choose_one, row_or_mean, unit
from interp.views.figures import view
from interp.views.labels import ticks, token
from interp.views.marks import height, points, sign_colours, signed_number
from interp.views.theme import CLEAR, Theme, theme_named

By = Literal["head", "position"]
WIDTHS = (0.6, 1.2, 2.2, 3.6)  # of the weakest quarter of the drawn strength to the strongest
WIDER = "wider: stronger"
ZIGZAG = (0.0, 0.3, -0.3)  # MLPs stand beside each other in turn, so that edges between them do not lie on one line
KINDS = {"a": "head", "m": "mlp", "f": "feature"}
RAISED = {"head": 0.0, "feature": 0.25, "error": 0.25, "mlp": 0.5}  # above the layer's own height
NAMED = 100  # nodes whose names are written beside them: of more, the names would cover each other


class PlacedNode(NamedTuple):
    """A node where it is drawn: embed, head, mlp, feature, error or logits; `effect` sums the edges out of it."""

    node: str
    pos: int | None
    kind: str
    label: str
    effect: float
    x: float
    y: float


class PlacedEdge(NamedTuple):
    """An edge where it is drawn, to `target`, the node that its receiver belongs to."""

    sender: str
    receiver: str
    target: str
    pos: int | None
    score: float
    x0: float
    y0: float
    x1: float
    y1: float


class Layout(NamedTuple):
    """Where a circuit is drawn. A key or value that several of its heads share has an edge to each."""

    nodes: tuple[PlacedNode, ...]
    edges: tuple[PlacedEdge, ...]


def layout(circuit: Circuit, by: By = "head") -> Layout:
    """Coordinates of a circuit's nodes and edges: up the layers, across heads (MLPs beside them) or positions.

    By head, edges at several positions become one, with the sum of their scores.
    Raises: OptionError for positions where the edges have none.
    """
    choose_one("by", by, ("head", "position"))
    if by == "position" and not circuit.by_position:
        raise OptionError(
            "this circuit's edges have no positions; score them with by_position, or draw the circuit by head"
        )
    scores: dict[tuple[str, str, int | None], float] = {}
    for edge in circuit.edges:
        ends = (edge.sender, edge.receiver, edge.pos if by == "position" else None)
        scores[ends] = scores[ends] + edge.score if ends in scores else edge.score
    targets = {receiver: _targets(circuit, receiver) for _, receiver, _ in scores}
    nodes = _placed(circuit, scores, targets, by)
    at = {(node.node, node.pos): (node.x, node.y) for node in nodes}
    edges = (
        PlacedEdge(sender, receiver, target, pos, score, *at[sender, pos], *at[target, pos])
        for (sender, receiver, pos), score in scores.items()
        for target in targets[receiver]
    )
    return Layout(nodes, tuple(edges))


def _targets(circuit: Circuit, receiver: str) -> list[str]:
    """The nodes that a receiver belongs to: of heads that share a key or value, those in the circuit."""
    graph = circuit.graph
    feeds = graph.feeds[graph.receiver(receiver)].tolist()
    feeding = [name for name, fed in zip(graph.senders, feeds, strict=True) if fed]
    inside = set(circuit.nodes)
    return [name for name in feeding if name in inside] or feeding[:1] or [receiver]


def _placed(
    circuit: Circuit, scores: dict[tuple[str, str, int | None], float], targets: dict[str, list[str]], by: By
) -> tuple[PlacedNode, ...]:
    graph, effects = circuit.graph, defaultdict(float)
    ends = {(target, pos) for _, receiver, pos in scores for target in targets[receiver]}
    for (sender, _, pos), score in scores.items():
        effects[sender, pos] += score
    order = {name: index for index, name in enumerate((*graph.senders, "logits"))}
    features, nodes = [name for name in graph.features if any(name == sender for sender, _ in effects)], []
    for name, pos in sorted(ends | set(effects), key=lambda place: (order[place[0]], place[1] or 0)):
        node = Node.of(name)
        kind = "error" if node.kind == "f" and node.index < 0 else KINDS.get(node.kind, node.kind)
        y = {"embed": -1.0, "logits": float(graph.layers)}.get(kind)
        y = node.layer + RAISED[kind] if y is None else y
        beside = graph.heads + ZIGZAG[node.layer % len(ZIGZAG)] if kind == "mlp" else 0.0
        spread = (features.index(name) + 0.5) / len(features) * graph.heads - 0.5 if name in features else 0.0
        across = {"head": float(node.index), "mlp": beside, "feature": spread, "error": spread}
        x = across.get(kind, (graph.heads - 1) / 2)
        effect = effects.get((name, pos), math.nan)
        nodes.append(PlacedNode(name, pos, kind, circuit.labels.get(name, ""), effect, x, y))
    return tuple(_spread(nodes)) if by == "position" else tuple(nodes)


def _spread(nodes: list[PlacedNode]) -> list[PlacedNode]:
    """What stands at one layer and position is spread around it."""
    crowd, seen, moved = Counter((node.pos, node.y) for node in nodes), Counter(), []
    for node in nodes:
        place = (node.pos, node.y)
        seen[place] += 1
        moved.append(node._replace(x=(node.pos or 0) + seen[place] / (crowd[place] + 1) * 0.8 - 0.4))
    return moved


# Scores and circuits


@view.register
def edge_scores(
    result: EdgeScores, theme: Theme, *, edges: int = 100, by: By | None = None, prompt: int | None = None
) -> go.Figure:
    """The strongest `edges`, by layer and head, or by layer and position where the result has positions.

    Several prompts are averaged unless `prompt` names one; positions need one prompt, or prompts of one length.
    """
    row = row_or_mean(result, prompt)
    data = result.data if row is None else result.data.isel(batch=[row])
    placed = "pos" in data.dims
    by = by or ("position" if placed and (row is not None or not (data["token"] == "").any()) else "head")
    if placed and by == "head":
        data = data.sum("pos", keep_attrs=True)
    elif placed and row is not None:
        data = data.isel(pos=np.flatnonzero(data["token"].values[0] != ""))
    drawn = Circuit.of(EdgeScores(data, result.provenance), edges, prune=False)
    return _draw(result, theme, drawn, by, len(drawn), "Strongest edges", about_prompt(result, row))


@view.register
def found_circuit(result: FoundCircuit, theme: Theme, *, edges: int = 150, by: By | None = None) -> go.Figure:
    """The circuit, by layer and head; where it has more than `edges`, the strongest of them."""
    whole = Circuit.of(result, prune=False)
    faithful = float(result.values("faithfulness"))
    about = f"{len(whole)} edges, faithfulness {signed_number(faithful)}" if np.isfinite(faithful) else ""
    return _draw(result, theme, whole, by or "head", edges, "Circuit", about)


def circuit_figure(
    circuit: Circuit, result: Result, *, edges: int = 150, by: By = "head", title: str = "Circuit", theme: str = "light"
) -> go.Figure:
    """Any circuit, with how it was found where a result says so."""
    return _draw(result, theme_named(theme), circuit, by, edges, title, "")


def _draw(result: Result, theme: Theme, circuit: Circuit, by: By, most: int, title: str, about: str) -> go.Figure:
    if most < 1:
        raise OptionError(f"edges = {most}; give a whole number from 1")
    strongest = sorted(circuit.edges, key=lambda edge: -abs(edge.score) if math.isfinite(edge.score) else 0)[:most]
    drawn = Circuit(circuit.graph, tuple(strongest), tokens=circuit.tokens, labels=circuit.labels)
    nodes, edges = layout(drawn, by)
    measure, sides = "", ""
    if "score" in result.data:
        measure, sides = unit(result, "score"), result.supports("score")
    figure = go.Figure([*_lines(edges, theme, sides), _edge_hovers(edges, measure), _nodes(nodes, theme, measure)])
    graph = circuit.graph
    _across(figure, circuit, by)
    levels = [-1, *range(graph.layers), graph.layers]
    figure.update_yaxes(ticks(levels, ["embed", *range(graph.layers), "logits"], most=40), title="layer")
    figure.update_yaxes(range=[-1.7, graph.layers + 0.7])
    of = result.data.sizes.get("edge", 0) * (result.data.sizes.get("pos", 1) if by == "position" else 1)
    shown = f"{len(drawn)} of {max(of, len(circuit)):,} edges shown"
    tall = height(graph.layers + 2, 22, 220, 720)
    about = "; ".join(part for part in (about, shown) if part)
    two = sides or any(edge.score < 0 for edge in edges)
    more = {"notes": [WIDER], "plot_height": tall, "supports": sides if two else None}
    return dress(figure, result, theme, title=title, about=about, **more)


def _across(figure: go.Figure, circuit: Circuit, by: By) -> None:
    if by == "position":
        labels = circuit.tokens or range(circuit.kept.shape[0])
        at = list(range(len(labels)))
        figure.update_xaxes(ticks(at, labels), title="position", tickangle=-45, range=[-0.7, len(at) - 0.3])
        return
    heads = circuit.graph.heads
    figure.update_xaxes(ticks(range(heads + 1), [*range(heads), "MLP"]), title="head", range=[-0.7, heads + 0.7])


def _lines(edges: tuple[PlacedEdge, ...], theme: Theme, supports: str) -> list[go.Scatter]:
    """One trace for each sign and width: plotly has one colour and width a line."""
    limit = max((abs(edge.score) for edge in edges if math.isfinite(edge.score)), default=0) or 1
    groups: dict[tuple[int, str], list[PlacedEdge]] = defaultdict(list)
    colours = sign_colours(np.array([edge.score for edge in edges]), theme, supports)
    for edge, colour in zip(edges, colours, strict=True):
        scored = math.isfinite(edge.score)
        level = max(0, math.ceil(abs(edge.score) / limit * len(WIDTHS)) - 1) if scored else 0
        groups[level, colour if scored else theme.muted].append(edge)
    lines = []
    for (level, colour), some in sorted(groups.items()):
        x = [place for edge in some for place in (edge.x0, edge.x1, None)]
        y = [place for edge in some for place in (edge.y0, edge.y1, None)]
        look = {"line": {"color": colour, "width": WIDTHS[level]}, "opacity": 0.55}
        lines.append(go.Scatter(x=x, y=y, mode="lines", hoverinfo="skip", showlegend=False, **look))
    return lines


def _edge_hovers(edges: tuple[PlacedEdge, ...], measure: str) -> go.Scatter:
    """An invisible mark in the middle of every edge, to point at."""
    places = ([(edge.x0 + edge.x1) / 2 for edge in edges], [(edge.y0 + edge.y1) / 2 for edge in edges])
    words = [f"{edge.sender} → {edge.receiver}{_where(edge.pos)}<br>{_number(edge.score, measure)}" for edge in edges]
    marker = {"size": 9, "color": CLEAR}
    return points(*places, marker, "%{customdata}", name="edges", customdata=words, showlegend=False)


def _nodes(nodes: tuple[PlacedNode, ...], theme: Theme, measure: str) -> go.Scatter:
    symbols = {
        "head": "circle", "mlp": "square", "embed": "diamond", "logits": "diamond", "feature": "triangle-up",
        "error": "x",
    }  # fmt: skip
    words = [
        f"{node.node}{_where(node.pos)} {token(node.label)}<br>sum of outgoing edges: {_number(node.effect, measure)}"
        for node in nodes
    ]
    outline = {"color": theme.card, "line": {"color": theme.ink, "width": 1.3}}
    trace = points(
        [node.x for node in nodes], [node.y for node in nodes],
        outline | {"size": 10, "symbol": [symbols[node.kind] for node in nodes]}, "%{customdata}",
        name="nodes", customdata=words, cliponaxis=False, showlegend=False, textposition="top center",
        textfont={"size": 9, "color": theme.muted},
    )  # fmt: skip
    names = [token(node.label or node.node, 18) for node in nodes] if len(nodes) <= NAMED else None
    return trace.update(mode="markers+text", text=names)


def _where(pos: int | None) -> str:
    return "" if pos is None else f" at {pos}"


def _number(value: float, measure: str) -> str:
    return f"{signed_number(value)} {measure}" if math.isfinite(value) else "no score"

"""Circuits in layer × head or layer × position."""

import math
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from typing import Literal, NamedTuple

import numpy as np
import plotly.graph_objects as go

from interp.core.errors import OptionError
from interp.core.graph import ComputationGraph
from interp.core.nodes import Node
from interp.core.result import Result
from interp.kinds import Circuit, EdgeScores, FoundCircuit
from interp.kinds.selection import edge_units
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
KINDS = {"a": "head", "m": "mlp", "E": "expert", "f": "feature"}
HEIGHTS = {"head": 0.0, "feature": 0.25, "error": 0.25, "mlp": 0.5, "expert": 0.5}  # above the layer's own height
GROUP = "group:"  # begins a folded group's name as a node
MOST_NAMES = 100  # nodes whose names are written beside them: of more, the names would cover each other


class PlacedNode(NamedTuple):
    """A node where it is drawn: embed, head, mlp, expert, feature, error, logits or group.

    `effect` sums the edges out of it. A folded group is one node, named as `group:movers`, of its `members`.
    """

    node: str
    pos: int | None
    kind: str
    label: str
    effect: float
    x: float
    y: float
    members: tuple[str, ...] = ()


class PlacedEdge(NamedTuple):
    """An edge where it is drawn, to `target`, the node that its receiver belongs to.

    Into a folded group it has no receiver; `parts` are the edges that it stands for, `unit` is that of its score.
    """

    sender: str
    receiver: str
    target: str
    pos: int | None
    score: float
    x0: float
    y0: float
    x1: float
    y1: float
    parts: tuple[tuple[str, str], ...] = ()
    unit: str = ""


class Layout(NamedTuple):
    """Where a circuit is drawn. A key or value that several of its heads share has an edge to each."""

    nodes: tuple[PlacedNode, ...]
    edges: tuple[PlacedEdge, ...]

    @property
    def count(self) -> int:
        """How many edges of the circuit are drawn."""
        return len({(part, edge.pos) for edge in self.edges for part in edge.parts})


class _Line(NamedTuple):
    """An edge before it has a place."""

    sender: str
    receiver: str
    target: str
    pos: int | None
    score: float
    parts: tuple[tuple[str, str], ...]
    unit: str


def adds_up(result: Result | None) -> bool:
    """Whether scores of several edges may be summed: first-order effects and flows, not what a search measured."""
    return isinstance(result, EdgeScores)


def layout(
    circuit: Circuit,
    by: By = "head",
    result: Result | None = None,
    *,
    most: int | None = None,
    folded: Collection[str] = (),
) -> Layout:
    """Coordinates of a circuit's nodes and edges: up the layers, across heads (MLPs beside them) or positions.

    By head, edges at several positions become one, with the sum of their scores. `most` draws the strongest only, each
    compared with the largest of its unit in `result`; what a search found has all its nodes. Groups that are `folded`
    are one node each: parallel edges become one, with the sum of their scores where the result's add up, and otherwise
    the largest. Where not all edges are drawn, none without a score is drawn
    beside those that have one.
    Raises: OptionError for positions where the edges have none, and for a group that the circuit does not have.
    """
    choose_one("by", by, ("head", "position"))
    if by == "position" and not circuit.by_position:
        raise OptionError(
            "this circuit's edges have no positions; score them with by_position, or draw the circuit by head"
        )
    for name in folded:
        choose_one("folded", name, tuple(circuit.supernodes))
    inside = {node: f"{GROUP}{name}" for name in folded for node in circuit.supernodes[name]}
    lines = _strongest(_join(circuit, by, result, inside), most)
    heads = [(name, None) for name in circuit.nodes] if isinstance(result, FoundCircuit) and by == "head" else []
    nodes = _place_nodes(circuit, lines, {(inside.get(name, name), pos) for name, pos in heads}, inside, by)
    at = {(node.node, node.pos): (node.x, node.y) for node in nodes}
    edges = (
        PlacedEdge(*line[:5], *at[line.sender, line.pos], *at[line.target, line.pos], line.parts, line.unit)
        for line in lines
    )
    return Layout(nodes, tuple(edges))


def _join(circuit: Circuit, by: By, result: Result | None, inside: Mapping[str, str]) -> list[_Line]:
    """The circuit's edges as lines between nodes, of which some are inside groups."""
    scores: dict[tuple[str, str, int | None], float] = {}
    for edge in circuit.edges:
        ends = (edge.sender, edge.receiver, edge.pos if by == "position" else None)
        scores[ends] = scores[ends] + edge.score if ends in scores else edge.score
    writing, units = set(circuit.nodes), edge_units(result)
    targets = {receiver: _targets(circuit, receiver, writing) for _, receiver, _ in scores}
    by_ends: dict[tuple[str, str, str, int | None], dict[tuple[str, str], float]] = defaultdict(dict)
    for (sender, receiver, pos), score in scores.items():
        for target in targets[receiver]:
            source, into = inside.get(sender, sender), inside.get(target, target)
            if source != into:
                by_ends[source, "" if target in inside else receiver, into, pos][sender, receiver] = score
    combine = sum if adds_up(result) else (lambda some: max(some, key=lambda score: (abs(score) >= 0, abs(score))))
    return [
        _Line(*ends, combine(some.values()), tuple(some), units.get(next(iter(some)), ""))
        for ends, some in by_ends.items()
    ]


def _strongest(lines: list[_Line], most: int | None) -> list[_Line]:
    """The strongest lines, each compared with the largest of its unit; of many, none without a score if any has one."""
    with_score = [line for line in lines if math.isfinite(line.score)]
    if most is None or len({(line.parts, line.pos) for line in lines}) <= most:
        return lines
    if not with_score:
        return lines[:most]
    largest = largest_of(with_score)
    order = sorted(with_score, key=lambda line: -abs(line.score) / largest[line.unit])
    top = set(list(dict.fromkeys((line.parts, line.pos) for line in order))[:most])
    return [line for line in order if (line.parts, line.pos) in top]


def largest_of(edges: Iterable[_Line | PlacedEdge]) -> dict[str, float]:
    """The size of the largest score of each unit; 1 where none differs from 0."""
    largest: dict[str, float] = defaultdict(float)
    for edge in edges:
        largest[edge.unit] = max(largest[edge.unit], abs(edge.score) if math.isfinite(edge.score) else 0)
    return {unit: size or 1.0 for unit, size in largest.items()}


def _targets(circuit: Circuit, receiver: str, writing: Collection[str]) -> list[str]:
    """The nodes that a receiver belongs to: of heads that share a key or value, those in the circuit."""
    graph = circuit.graph
    feeds = graph.feeds[graph.receiver(receiver)].tolist()
    feeding = [name for name, is_fed in zip(graph.senders, feeds, strict=True) if is_fed]
    return [name for name in feeding if name in writing] or feeding[:1] or [receiver]


def _place_nodes(
    circuit: Circuit,
    lines: list[_Line],
    extra: set[tuple[str, int | None]],
    inside: Mapping[str, str],
    by: By,
) -> tuple[PlacedNode, ...]:
    """What the lines join, and what is named beside."""
    graph, effects = circuit.graph, defaultdict(float)
    ends = extra | {(line.target, line.pos) for line in lines}
    alike = len({line.unit for line in lines}) <= 1  # scores of several units have no sum
    for sender, pos, _, score in dict.fromkeys((line.sender, line.pos, line.parts, line.score) for line in lines):
        effects[sender, pos] += score if alike else math.nan
    order = {name: index for index, name in enumerate((*graph.senders, "logits", *dict.fromkeys(inside.values())))}
    features, nodes = [name for name in graph.features if any(name == sender for sender, _ in effects)], []
    for name, pos in sorted(ends | set(effects), key=lambda place: (order[place[0]], place[1] or 0)):
        members = tuple(node for node, group in inside.items() if group == name)
        kind, x, y = _place(graph, name, features)
        if members:
            places = [_place(graph, node, features)[1:] for node in members]
            kind, (x, y) = "group", (sum(every) / len(members) for every in zip(*places, strict=True))
        label = name.removeprefix(GROUP) if members else circuit.labels.get(name, "")
        nodes.append(PlacedNode(name, pos, kind, label, effects.get((name, pos), math.nan), x, y, members))
    return tuple(_spread_out(nodes)) if by == "position" else tuple(nodes)


def _place(graph: ComputationGraph, name: str, features: list[str]) -> tuple[str, float, float]:
    """A node's kind, and where it stands by head; a folded group has its members' place instead."""
    if name.startswith(GROUP):
        return "group", 0.0, 0.0
    node = Node.of(name)
    kind = "error" if node.kind == "f" and node.index < 0 else KINDS.get(node.kind, node.kind)
    y = {"embed": -1.0, "logits": float(graph.layers)}.get(kind)
    y = node.layer + HEIGHTS[kind] if y is None else y
    beside = graph.heads + ZIGZAG[node.layer % len(ZIGZAG)] if kind == "mlp" else 0.0
    spread = (features.index(name) + 0.5) / len(features) * graph.heads - 0.5 if name in features else 0.0
    expert = graph.heads + (node.index + 0.5) / max(graph.experts, 1) - 0.5  # within the MLPs' column
    across = {"head": float(node.index), "mlp": beside, "expert": expert, "feature": spread, "error": spread}
    return kind, across.get(kind, (graph.heads - 1) / 2), y


def _spread_out(nodes: list[PlacedNode]) -> list[PlacedNode]:
    """What stands at one layer and position is spread around it."""
    crowd, rank, result = Counter((node.pos, node.y) for node in nodes), Counter(), []
    for node in nodes:
        place = (node.pos, node.y)
        rank[place] += 1
        result.append(node._replace(x=(node.pos or 0) + rank[place] / (crowd[place] + 1) * 0.8 - 0.4))
    return result


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
    has_positions = "pos" in data.dims
    by = by or ("position" if has_positions and (row is not None or not (data["token"] == "").any()) else "head")
    if has_positions and by == "head":
        data = data.sum("pos", keep_attrs=True)
    elif has_positions and row is not None:
        data = data.isel(pos=np.flatnonzero(data["token"].values[0] != ""))
    circuit = Circuit.of(EdgeScores(data, result.provenance), edges, prune=False)
    return draw(result, theme, circuit, by, len(circuit), "Strongest edges", about_prompt(result, row))


@view.register
def found_circuit(result: FoundCircuit, theme: Theme, *, edges: int = 150, by: By | None = None) -> go.Figure:
    """The circuit, by layer and head; where it has more than `edges`, the strongest of them."""
    whole = Circuit.of(result, prune=False)
    faithful = float(result.values("faithfulness"))
    about = f"{len(whole)} edges, faithfulness {signed_number(faithful)}" if np.isfinite(faithful) else ""
    return draw(result, theme, whole, by or "head", edges, "Circuit", about)


def circuit_figure(
    circuit: Circuit,
    result: Result,
    *,
    edges: int = 150,
    by: By = "head",
    folded: Collection[str] = (),
    title: str = "Circuit",
    theme: str = "light",
) -> go.Figure:
    """Any circuit, with how it was found where a result says so; groups that are `folded` are one node each."""
    return draw(result, theme_named(theme), circuit, by, edges, title, "", folded)


def draw(
    result: Result,
    theme: Theme,
    circuit: Circuit,
    by: By,
    most: int,
    title: str,
    about: str,
    folded: Collection[str] = (),
) -> go.Figure:
    """A circuit in a theme, with its `most` strongest edges; what `about` says goes before their number."""
    if most < 1:
        raise OptionError(f"edges = {most}; give a whole number from 1")
    plan = layout(circuit, by, result, most=most, folded=folded)
    nodes, edges = plan
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
    count = f"{plan.count} of {max(of, len(circuit)):,} edges shown"
    tall = height(graph.layers + 2, 22, 220, 720)
    about = "; ".join(part for part in (about, count) if part)
    two = sides or any(edge.score < 0 for edge in edges)
    more = {"notes": [WIDER], "plot_height": tall, "supports": sides if two else None}
    return dress(figure, result, theme, title=title, about=about, **more)


def _across(figure: go.Figure, circuit: Circuit, by: By) -> None:
    if by == "position":
        labels = circuit.tokens or range(circuit.mask.shape[0])
        at = list(range(len(labels)))
        figure.update_xaxes(ticks(at, labels), title="position", tickangle=-45, range=[-0.7, len(at) - 0.3])
        return
    heads = circuit.graph.heads
    figure.update_xaxes(ticks(range(heads + 1), [*range(heads), "MLP"]), title="head", range=[-0.7, heads + 0.7])


def _lines(edges: tuple[PlacedEdge, ...], theme: Theme, supports: str) -> list[go.Scatter]:
    """One trace for each sign and width: plotly has one colour and width a line."""
    limits = largest_of(edges)
    groups: dict[tuple[int, str], list[PlacedEdge]] = defaultdict(list)
    colours = sign_colours(np.array([edge.score for edge in edges]), theme, supports)
    for edge, colour in zip(edges, colours, strict=True):
        has_score = math.isfinite(edge.score)
        level = max(0, math.ceil(abs(edge.score) / limits[edge.unit] * len(WIDTHS)) - 1) if has_score else 0
        groups[level, colour if has_score else theme.muted].append(edge)
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
    words = [
        f"{_node_name(edge.sender)} → {edge.receiver or _node_name(edge.target)}{_where(edge.pos)}"
        f"<br>{_number(edge.score, edge.unit or measure)}"
        for edge in edges
    ]
    marker = {"size": 9, "color": CLEAR}
    return points(*places, marker, "%{customdata}", name="edges", customdata=words, showlegend=False)


def _nodes(nodes: tuple[PlacedNode, ...], theme: Theme, measure: str) -> go.Scatter:
    symbols = {
        "head": "circle", "mlp": "square", "expert": "square", "embed": "diamond", "logits": "diamond",
        "feature": "triangle-up", "error": "x", "group": "hexagon",
    }  # fmt: skip
    words = [
        f"{_node_name(node.node)}{_where(node.pos)} {token(node.label)}"
        f"<br>sum of outgoing edges: {_number(node.effect, measure)}"
        for node in nodes
    ]
    outline = {"color": theme.card, "line": {"color": theme.ink, "width": 1.3}}
    trace = points(
        [node.x for node in nodes], [node.y for node in nodes],
        outline | {"size": 10, "symbol": [symbols[node.kind] for node in nodes]}, "%{customdata}",
        name="nodes", customdata=words, cliponaxis=False, showlegend=False, textposition="top center",
        textfont={"size": 9, "color": theme.muted},
    )  # fmt: skip
    names = [token(node.label or node.node, 18) for node in nodes] if len(nodes) <= MOST_NAMES else None
    return trace.update(mode="markers+text", text=names)


def _node_name(node: str) -> str:
    """A node as it is typed; a group by its name."""
    return token(node.removeprefix(GROUP), 18) if node.startswith(GROUP) else node


def _where(pos: int | None) -> str:
    return "" if pos is None else f" at {pos}"


def _number(value: float, measure: str) -> str:
    return f"{signed_number(value)} {measure}" if math.isfinite(value) else "no score"

"""A circuit set against the true one: which of its edges are kept, missed or wrong."""

import math
from collections.abc import Collection
from dataclasses import replace

import plotly.graph_objects as go

from interp.core.result import Result
from interp.core.subgraph import Judged
from interp.kinds import Circuit
from interp.views.circuit import By, PlacedEdge, draw, layout
from interp.views.theme import Theme, theme_named

VERDICTS = {"kept": "found and true", "missed": "true, not found", "wrong": "found, not true"}
DASHES = {"kept": "solid", "missed": "dash", "wrong": "dot"}
LEGEND = {"orientation": "h", "x": 0, "y": 1, "xanchor": "left", "yanchor": "bottom"}


def judged_figure(
    circuit: Circuit,
    truth: Circuit,
    result: Result,
    *,
    edges: int = 150,
    by: By = "head",
    folded: Collection[str] = (),
    theme: str = "light",
) -> go.Figure:
    """A circuit as `circuit_figure` draws it, its edges told apart by whether the `truth` has them.

    Also the true edges that it lacks, unless its edges have positions.
    """
    judged, look = circuit.judged(truth), theme_named(theme)
    both = with_missed(circuit, judged, edges)
    about = f"against the {truth.method}: precision {judged.precision:.2f}, recall {judged.recall:.2f}"
    figure = draw(result, look, both, by, max(len(both), 1), "Circuit", about, folded)
    figure.data = figure.data[-2:]  # hovers and nodes
    lines = _lines(layout(both, by, result, folded=folded).edges, judged, look)
    return figure.add_traces(lines).update_layout(showlegend=True, legend=LEGEND)


def with_missed(circuit: Circuit, judged: Judged, most: int) -> Circuit:
    """Its strongest edges, and the true ones that it lacks, which have no score and no position."""
    edges = sorted(circuit.edges, key=lambda edge: -abs(edge.score) if math.isfinite(edge.score) else 0)[:most]
    return replace(circuit, edges=(*edges, *(() if circuit.by_position else judged.missed)))


def verdict_of(parts: Collection[tuple[str, str]], judged: Judged) -> str:
    """Whether a line that stands for these edges is kept, missed or wrong: the first that any of them is."""
    for verdict, edges in judged._asdict().items():
        if {edge[:2] for edge in edges} & set(parts):
            return verdict
    return ""


def _lines(edges: tuple[PlacedEdge, ...], judged: Judged, theme: Theme) -> list[go.Scatter]:
    """One trace for each verdict, told by colour and by dash, with its count in the legend."""
    colours = {"kept": theme.accent, "missed": theme.ink, "wrong": theme.against}
    lines = []
    for verdict, words in VERDICTS.items():
        some = [edge for edge in edges if verdict_of(edge.parts, judged) == verdict]
        x = [place for edge in some for place in (edge.x0, edge.x1, None)]
        y = [place for edge in some for place in (edge.y0, edge.y1, None)]
        line = {"color": colours[verdict], "width": 1.8, "dash": DASHES[verdict]}
        name = f"{len(getattr(judged, verdict))} {verdict}: {words}"
        lines.append(go.Scatter(x=x, y=y, mode="lines", hoverinfo="skip", line=line, name=name))
    return lines

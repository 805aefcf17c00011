"""Attention patterns: one head's as a map or as lines between tokens, or every head's in small."""

from typing import Literal

import numpy as np
import plotly.graph_objects as go

from interp.core.result import Result
from interp.kinds import Patterns
from interp.views.chart import dress
from interp.views.choosing import Places, about_prompt, choices_made, choose_row, places
from interp.views.figures import view
from interp.views.heads import attention_map
from interp.views.labels import ticks
from interp.views.marks import cells, height, square
from interp.views.theme import Theme

CHOICES = {"map": ("layer", "head"), "lines": ("layer", "head", "query"), "thumbnails": ()}
THUMB = 32  # cells along one side of a thumbnail
LEAST = 0.03  # attention of a line that is drawn
LINES = 300
BEND = 20  # points of a line


@view.register
def pattern(
    result: Patterns,
    theme: Theme,
    *,
    show: Literal["map", "lines", "thumbnails"] = "map",
    prompt: int | None = None,
    layer: int | None = None,
    head: int | None = None,
    query: int | None = None,
) -> go.Figure:
    """The attention of one head, query down and key across; or as `lines` from every query token to its keys, those of
    `query` marked. By default the first prompt, layer and head. Or `thumbnails` of all heads."""
    row, choices = (
        choose_row(result, "batch", prompt),
        choices_made(show, CHOICES[show], layer=layer, head=head, query=query),
    )
    if show == "thumbnails":
        return _thumbnails(result, theme, row)
    at, which = (choose_row(result, axis, choices.get(axis)) for axis in ("layer", "head"))
    queries, keys = (places(result, axis, row) for axis in ("query_pos", "key_pos"))
    z = result.values("attention").values[row, at, which][np.ix_(queries.at, keys.at)]
    title = f"Attention of head {int(result.data.layer[at])}.{int(result.data['head'][which])}"
    if show == "lines":
        query = int(queries.at[-1]) if query is None else query
        return _lines(result, theme, z, queries, keys, query=query, row=row, title=f"{title}, token to token")
    figure = attention_map(z, queries, keys, theme, "attention %{z:.3f}", signed=False, zmin=0, zmax=1)
    tall = height(len(queries.at), 20, 160, 640)
    return dress(figure, result, theme, title=title, about=about_prompt(result, row), plot_height=tall, bar="attention")


def strongest_lines(z: np.ndarray, query: int) -> list[tuple[int, int, float]]:
    """Queries, keys and attention of the lines that are drawn: those of `query` first, then the strongest."""
    lines = [(int(q), int(k), float(z[q, k])) for q, k in np.argwhere(z >= LEAST)]
    return sorted(lines, key=lambda line: (line[0] != query, -line[2]))[:LINES]


def _lines(
    result: Result, theme: Theme, z: np.ndarray, queries: Places, keys: Places, *, query: int, row: int, title: str
) -> go.Figure:
    """Queries at the left, keys at the right, an S from one to the other: as wide as its attention is large."""
    turn = np.linspace(0, 1, BEND)
    shape = 3 * turn**2 - 2 * turn**3
    figure = go.Figure()
    for q, k, weight in reversed(strongest_lines(z, query)):
        own = q == query
        line = {
            "color": theme.accent if own else theme.muted,
            "width": 0.8 + 4.5 * weight if own else 0.5 + 1.5 * weight,
        }
        figure.add_scatter(
            x=turn, y=q + (k - q) * shape, mode="lines", line=line, opacity=0.35 + 0.65 * weight if own else 0.3,
            hoverinfo="skip", showlegend=False, customdata=[weight],
        )  # fmt: skip
    names = ticks(*queries, most=200)
    range_of = [len(queries.at) - 0.5, -0.5]
    figure.update_xaxes(visible=False, range=[0, 1])
    figure.update_yaxes(names, title="query", range=range_of)
    right = ticks(*keys, most=200) | {"title": {"text": "key"}, "range": range_of, "side": "right", "overlaying": "y"}
    figure.add_scatter(
        x=[1], y=[0], yaxis="y2", mode="markers", marker={"opacity": 0}, hoverinfo="skip", showlegend=False
    )
    figure.update_layout(yaxis2=right, width=520)
    tall = height(len(queries.at), 22, 160, 4000)
    figure = dress(figure, result, theme, title=title, about=about_prompt(result, row), plot_height=tall)
    return figure.update_layout(margin={"r": 120})


def pooled(patterns: np.ndarray, side: int) -> np.ndarray:
    """Patterns (`… query key`) made smaller by the largest value of each block, so that no bright cell is lost."""
    width = patterns.shape[-1]
    if width <= side:
        return patterns
    if width % side == 0:
        block = width // side
        return patterns.reshape(*patterns.shape[:-2], side, block, side, block).max((-3, -1))
    edges = np.linspace(0, width, side + 1).astype(int)[:-1]
    return np.maximum.reduceat(np.maximum.reduceat(patterns, edges, axis=-1), edges, axis=-2)


def _thumbnails(result: Patterns, theme: Theme, row: int) -> go.Figure:
    """Layers across and heads down; colours reach half attention, where a head's own map reaches one."""
    at = places(result, "query_pos", row).at
    small = pooled(result.values("attention").values[row][..., at, :][..., at], THUMB)
    layers, heads, side, _ = small.shape
    frames = np.full((layers, heads, side + 1, side + 1), np.nan, dtype=np.float32)
    frames[..., :side, :side] = small
    z = frames.transpose(1, 2, 0, 3).reshape(heads * (side + 1), layers * (side + 1))
    trace = cells(z, theme, signed=False, hover="attention %{z:.2f}", zmin=0, zmax=0.5, xgap=0, ygap=0)
    figure = go.Figure(trace)
    middle, names = (side - 1) / 2, [int(layer) for layer in result.data["layer"].values]
    figure.update_xaxes(ticks([middle + i * (side + 1) for i in range(layers)], names, most=32), title="layer")
    down = [int(head) for head in result.data["head"].values]
    figure.update_yaxes(ticks([middle + i * (side + 1) for i in range(heads)], down, most=32), title="head")
    square(figure)
    notes = ["the largest attention of each block of cells"] if side < len(at) else []
    title, about, tall = "Attention of every head", about_prompt(result, row), height(heads, 32, 140, 640)
    return dress(figure, result, theme, title=title, about=about, notes=notes, plot_height=tall, bar="attention, ≥ 0.5")

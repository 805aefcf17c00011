"""Attention heads: scores of all heads, and one score broken down by dimension."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from interp.core.result import Result
from interp.kinds import HeadScores, QueryKey
from interp.views.chart import dress
from interp.views.choosing import Places, about_prompt, choose_row, places, unit
from interp.views.figures import view
from interp.views.grid import HeadGrid, head_grid
from interp.views.labels import escape, quoted, ticks
from interp.views.marks import (
    AT_LEFT,
    cells,
    height,
    limit_of,
    list_bars,
    pair_hover,
    scale_to,
    sign_colours,
    square,
    token_axis,
)
from interp.views.theme import Theme

SCORES = {
    "previous_token": "attention to the previous token",
    "duplicate_token": "attention to earlier copies of the token",
    "induction": "attention to the token after an earlier copy",
    "first_token": "attention to the first token",
}


def attention_map(
    z: np.ndarray,
    queries: Places,
    keys: Places,
    theme: Theme,
    number: str,
    *,
    signed: bool,
    supports: str = "",
    **more: Any,
) -> go.Figure:
    """Queries down and keys across, in square cells; `number` is the last line of a hover."""
    hover = f"query %{{customdata[0]}} at %{{y}}<br>key %{{customdata[1]}} at %{{x}}<br>{number}"
    more |= {"x": keys.at, "y": queries.at, "customdata": pair_hover(queries.labels, keys.labels)}
    figure = go.Figure(cells(z, theme, signed=signed, hover=hover, supports=supports, colorbar=AT_LEFT, **more))
    token_axis(figure, keys, "key")
    figure.update_yaxes(ticks(*queries), title="query")
    square(figure)
    return figure


@view.register
def scores(
    result: HeadScores,
    theme: Theme,
    *,
    score: Literal["previous_token", "duplicate_token", "induction", "first_token"] = "induction",
    prompt: int | None = None,
) -> go.Figure:
    """One attention score of all heads; by default the mean over prompts."""
    grid = head_grid(result, score=score, prompt=prompt)
    return draw_grid(grid, result, theme, title=f"{SCORES.get(score, grid.name).capitalize()}, every head")


def draw_grid(grid: HeadGrid, result: Result, theme: Theme, *, title: str, notes: Sequence[str] = ()) -> go.Figure:
    """A heat map of all heads, layer across and head down."""
    values = grid.values.T
    number = "%{z:+.3f}" if grid.signed else "%{z:.3f}"
    hover = f"head %{{x}}.%{{y}}<br>{escape(grid.name)} {number} {escape(grid.unit)}"
    data = None
    if grid.low is not None and grid.high is not None:
        data = np.stack([grid.low.T, grid.high.T], axis=-1)
        hover += "<br>95 % [%{customdata[0]:.3f}, %{customdata[1]:.3f}]"
    more: dict[str, Any] = {"x": grid.layers, "y": grid.heads, "customdata": data}
    figure = go.Figure(cells(values, theme, signed=grid.signed, hover=hover, supports=grid.supports, **more))
    scale_to(figure.data[0], grid.limit, signed=grid.signed, beyond=limit_of(values) > grid.limit)
    figure.update_xaxes(ticks(grid.layers, grid.layers, most=32), title="layer")
    figure.update_yaxes(ticks(grid.heads, grid.heads, most=32), title="head", autorange="reversed")
    tall, about, bar = (
        height(len(grid.heads), 24, 140, 640),
        about_prompt(result, grid.row),
        escape(grid.unit or grid.name),
    )
    more = {"supports": grid.supports} if grid.signed else {}
    return dress(figure, result, theme, title=title, about=about, notes=notes, plot_height=tall, bar=bar, **more)


@view.register
def query_key(
    result: QueryKey, theme: Theme, *, prompt: int | None = None, show: Literal["product", "key"] = "product"
) -> go.Figure:
    """One attention score broken down: the query, its product with each key (or the key itself), the score, and the
    resulting attention."""
    row = choose_row(result, "batch", prompt)
    keys = places(result, "key_pos", row)
    figure = make_subplots(
        rows=2,
        cols=3,
        shared_yaxes=True,
        shared_xaxes=True,
        column_widths=[0.62, 0.2, 0.18],
        row_heights=[0.06, 0.94],
        horizontal_spacing=0.03,
        vertical_spacing=0.04,
        specs=[[{}, None, None], [{}, {}, {}]],
    )
    _query_strip(figure, result, theme, row)
    _products(figure, result, theme, keys, row=row, show=show)
    for column, name in ((2, "score"), (3, "attention")):
        _key_bars(figure, result, theme, keys, row=row, name=name, column=column)
    figure.update_yaxes(range=[len(keys.at) - 0.5, -0.5], row=2)
    figure.update_yaxes(ticks(*keys), title="key", row=2, col=1)
    remainder = limit_of(result.values("remainder").values[row, keys.at])
    notes = [f"score = sum of products over the head's dimensions + remainder (at most {remainder:.2g} here)"]
    about, tall = about_prompt(result, row), height(1, 22 * len(keys.at) + 40, 180, 700)
    title, bar = "Query · key, dimension by dimension", "key"
    if show == "product":
        bar = f"query × key ({unit(result, 'product')})"
    sides = result.supports("product")
    return dress(
        figure, result, theme, title=title, about=about, notes=notes, plot_height=tall, bar=bar, supports=sides
    )


def _query_strip(figure: go.Figure, result: QueryKey, theme: Theme, row: int) -> None:
    z, hover = result.values("query").values[row][None, :], "query, dimension %{x}<br>%{z:+.3f}"
    trace = cells(z, theme, signed=True, hover=hover, x=result.data.d_head.values, y=[0], showscale=False)
    figure.add_trace(trace, row=1, col=1)
    figure.update_yaxes(tickmode="array", tickvals=[0], ticktext=["query"], row=1, col=1)


def _products(figure: go.Figure, result: QueryKey, theme: Theme, keys: Places, *, row: int, show: str) -> None:
    z = result.values(show).values[row][keys.at]
    names = np.array([quoted(label) for label in keys.labels], dtype=object)
    hover = f"key %{{customdata}} at %{{y}}, dimension %{{x}}<br>{show} %{{z:+.3f}}"
    place = {"x": result.data.d_head.values, "y": keys.at, "customdata": np.broadcast_to(names[:, None], z.shape)}
    trace = cells(z, theme, signed=True, hover=hover, supports=result.supports(show), **place)
    figure.add_trace(trace, row=2, col=1)
    figure.update_xaxes(title="dimension of the head", row=2, col=1)


def _key_bars(
    figure: go.Figure, result: QueryKey, theme: Theme, keys: Places, *, row: int, name: str, column: int
) -> None:
    values = result.values(name).values[row, keys.at]
    colours = theme.accent if name == "attention" else sign_colours(values, theme, result.supports(name))
    hover = f"key %{{customdata}} at %{{y}}<br>{name} %{{x:.3f}}"
    words = [quoted(label) for label in keys.labels]
    trace = list_bars(values, colours, hover, y=keys.at, width=0.6, showlegend=False, customdata=words)
    figure.add_trace(trace, row=2, col=column)
    title = f"score ({unit(result, 'score')})" if name == "score" and unit(result, "score") else name
    figure.update_xaxes(title=title, zeroline=True, nticks=4, row=2, col=column)

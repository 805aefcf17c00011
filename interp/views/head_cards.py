"""Head cards in figures: a measure of all heads, and one head's card."""

from typing import Any, Literal

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from interp.kinds import HeadCards
from interp.views.chart import dress
from interp.views.choosing import choose_row
from interp.views.figures import view
from interp.views.grid import HeadGrid
from interp.views.heads import draw_grid
from interp.views.labels import quoted, ticks
from interp.views.marks import bars, curve, limit_of, list_bars
from interp.views.theme import Theme

CONTEXTS = 5  # listed under a card
TITLES = {"first": "Attention on the first position", "distance_mean": "Mean distance of attention"}


@view.register
def head_cards(
    result: HeadCards,
    theme: Theme,
    *,
    show: Literal["card", "first", "distance_mean"] = "card",
    layer: int | None = None,
    head: int | None = None,
) -> go.Figure:
    """The card of one head: tokens that it attends to and from, distances and strongest places; or a measure of all
    heads."""
    if show == "card":
        places = {"layer": choose_row(result, "layer", layer), "head": choose_row(result, "head", head)}
        return _card(result, theme, *(int(result.data[axis].values[at]) for axis, at in places.items()))
    values = result.values(show)
    grid = HeadGrid(
        name=show.replace("_", " "),
        unit=str(values.attrs["unit"]),
        layers=tuple(map(int, values["layer"].values)),
        heads=tuple(map(int, values["head"].values)),
        values=values.values,
        low=None,
        high=None,
        row=0,
        signed=False,
        supports="",
        limit=limit_of(values.values),
    )
    return draw_grid(grid, result, theme, title=f"{TITLES[show]}, every head")


def _card(result: HeadCards, theme: Theme, layer: int, head: int) -> go.Figure:
    card = result.card(layer, head)
    figure = make_subplots(
        rows=1, cols=3, horizontal_spacing=0.12, subplot_titles=["looks at", "looks from", "distance"]
    )
    for column, (table, uniform) in enumerate((("keys", "uniform"), ("queries", "frequency")), start=1):
        _tokens(figure, theme, card[table], table.removesuffix("s").replace("querie", "query"), uniform, column)
    _distances(figure, theme, card["distances"])
    figure.update_layout(showlegend=False, bargap=0.1)
    figure.update_annotations(font={"size": 12})
    about = f"{card['first']:.1%} of its attention on the first position; the shares are of the rest"
    notes = [f"{place['attention']:.2f}, window {place['window']}: {place['text']}" for place in card["contexts"]]
    title = f"Head {layer}.{head}"
    return dress(figure, result, theme, title=title, about=about, notes=notes[:CONTEXTS], plot_height=240)


def _tokens(figure: go.Figure, theme: Theme, rows: list[dict[str, Any]], side: str, other: str, column: int) -> None:
    shares, expected = ([row[f"{side}_{name}"] for row in rows] for name in ("share", other))
    words = [quoted(row[f"{side}_token"]) for row in rows]
    about = np.array(list(zip(words, expected, strict=True)), dtype=object).reshape(-1, 2)
    hover = f"%{{customdata[0]}}<br>%{{x:.1%}} of its attention<br>{other} %{{customdata[1]:.1%}}"
    figure.add_trace(list_bars(shares, theme.accent, hover, customdata=about), row=1, col=column)
    place = ticks(range(len(rows)), [row[f"{side}_token"] for row in rows], limit=12)
    figure.update_yaxes(place, autorange="reversed", row=1, col=column)
    figure.update_xaxes(title="share of attention", tickformat=".0%", showgrid=True, row=1, col=column)


def _distances(figure: go.Figure, theme: Theme, rows: list[dict[str, Any]]) -> None:
    at, names = np.arange(len(rows)), [row["distance"] for row in rows]
    hover = "distance %{customdata}<br>%{y:.1%}"
    shares, uniform = ([row[name] for row in rows] for name in ("at_distance", "at_distance_uniform"))
    figure.add_trace(bars(theme.accent, hover, x=at, y=shares, customdata=names), row=1, col=3)
    hover = "distance %{customdata}<br>uniform %{y:.1%}"
    figure.add_trace(curve(at, uniform, theme.muted, hover, dash="dot", customdata=names), row=1, col=3)
    figure.update_xaxes(ticks(at, names, most=6), title="tokens back", tickangle=0, row=1, col=3)
    figure.update_yaxes(title="share of attention", tickformat=".0%", showgrid=True, row=1, col=3)

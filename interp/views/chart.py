"""The frame of every figure: title, subtitle with the measure, small print, and margins that fit them."""

from collections.abc import Sequence
from dataclasses import asdict
from math import radians, sin
from typing import Any

import plotly.graph_objects as go

from interp.core.result import Result
from interp.views.labels import escape, pixels, wrap
from interp.views.theme import SIDES, Theme, template

EDGE = 16  # from the figure's edge to its text
COLUMN_TICKS = 30  # height of numbers over a column
BAR = 34  # height of the colour bar above the cells
LEGEND = {"orientation": "h", "x": 1, "xanchor": "right", "y": 1.0, "yanchor": "bottom"}  # at the upper right


def dress(
    figure: go.Figure,
    result: Result,
    theme: Theme,
    *,
    title: str,
    about: str = "",
    notes: Sequence[str] = (),
    plot_height: int,
    bar: str = "",
    supports: str | None = None,
) -> go.Figure:
    """Give a figure its title, what was measured, the sign line under it, margins to fit, and its origin in `meta`.

    `supports` is the sign that supports, where two hues tell signs apart: the small print says which is which.
    `bar` names the colour bar, already escaped; every other text is escaped here. Margins are set from the labels,
    so that the small print never meets them.
    """
    notes = [*notes, *([] if supports is None else [SIDES[supports]])]
    under = [line for text in (result.sign, *notes) if text for line in wrap(text, 96)]
    over = [line for text in (result.measured, about) if text for line in wrap(text)]
    left_margin, bottom = _margins(figure)
    top = EDGE + 26 + 17 * len(over) + _room(figure, bar)
    foot = 15 * len(under) + (12 if under else 0)
    texts = {"title": title, "about": about, "measured": result.measured, "sign": result.sign, "notes": list(notes)}
    figure.update_layout(
        template=template(theme),
        title=_title(title, over, top, theme),
        margin={"l": left_margin, "r": EDGE + 8, "t": top, "b": bottom + foot, "pad": 2, "autoexpand": False},
        height=top + plot_height + bottom + foot,
        meta={"kind": type(result).__name__, "provenance": asdict(result.provenance)} | texts,
    )
    if bar:  # plotly's own title of a colour bar shifts the figure's title
        maps: Any = figure.select_traces({"type": "heatmap"})
        at_left = any(trace.colorbar.xanchor == "left" for trace in maps)
        place = {"x": 0, "xanchor": "left"} if at_left else {"x": 1, "xanchor": "right"}
        _write(figure, "colours", bar, theme, 10, **place, y=1, yanchor="bottom", yshift=BAR - 4, borderpad=0)
    if under:
        place = {"x": 0, "y": 0, "xanchor": "left", "yanchor": "top", "xshift": EDGE - left_margin, "yshift": -bottom}
        _write(figure, "sign", "<br>".join(under), theme, 11, **place, align="left")
    return figure


def _title(title: str, over: Sequence[str], top: int, theme: Theme) -> dict[str, Any]:
    """At the upper left. Anchored elsewhere, plotly moves a title when it draws again."""
    place = {"x": 0, "xref": "container", "xanchor": "left", "y": 1, "yref": "paper", "yanchor": "bottom"}
    subtitle = {"text": "<br>".join(over), "font": {"size": 12, "color": theme.muted}}
    return place | {"text": escape(title), "pad": {"l": EDGE, "b": top - EDGE - 14}, "subtitle": subtitle}


def _write(figure: go.Figure, name: str, text: str, theme: Theme, size: int, **place: Any) -> None:
    font = {"size": size, "color": theme.muted}
    figure.add_annotation(text=text, name=name, showarrow=False, xref="paper", yref="paper", font=font, **place)


def bare(figure: go.Figure) -> dict[str, Any]:
    """The figure as plotly's JSON without title and small print, for a place that shows them itself; `meta` keeps them.

    A copy of the figure itself would be validated anew, which takes longer than drawing it.
    """
    drawing = figure.to_plotly_json()
    layout = drawing["layout"]
    notes = [annotation for annotation in layout.get("annotations", ()) if annotation.get("name") != "sign"]
    before = layout["margin"]["t"] + layout["margin"]["b"]
    top = _room(figure, next((annotation["text"] for annotation in notes if annotation.get("name") == "colours"), ""))
    bottom = _margins(figure)[1]
    # A legend takes as many rows as the place is narrow.
    layout["margin"] |= {"t": top, "b": bottom, "autoexpand": bool(layout.get("showlegend"))}
    layout |= {"annotations": notes, "height": layout["height"] - before + top + bottom}
    del layout["title"]
    return drawing


def _room(figure: go.Figure, bar: str) -> int:
    """Above the plot: for a colour bar, a legend, or heads of columns, of which every line counts."""
    layout: Any = figure.layout
    heads = [axis.title.text or "" for axis in figure.select_xaxes() if axis.side == "top"]
    if heads:
        return COLUMN_TICKS + 16 * max(1 + text.count("<br>") for text in heads)
    return BAR + 14 if bar else 30 if layout.showlegend else 12


def _margins(figure: go.Figure) -> tuple[int, int]:
    """Room for the tick labels of the leftmost and lowest axes."""
    across: list[Any] = list(figure.select_xaxes())
    down: list[Any] = list(figure.select_yaxes())
    width = 44 + max((pixels(axis.ticktext) for axis in down if axis.ticktext), default=26)
    bottom = 46
    for axis in across:
        if axis.ticktext and axis.tickangle:
            angle: Any = axis.tickangle
            bottom = max(bottom, 40 + round(pixels(axis.ticktext) * sin(radians(abs(angle)))))
    return width, bottom

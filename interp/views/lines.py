"""Curves over one axis, each with its interval: how engines that give several are drawn."""

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import plotly.graph_objects as go

from interp.core.result import Result
from interp.views.chart import LEGEND, dress
from interp.views.labels import escape
from interp.views.marks import band, curve, number_axes
from interp.views.theme import Theme

DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")


class Line(NamedTuple):
    """A curve and, where it is known, its interval (`… bound`)."""

    name: str
    values: np.ndarray
    interval: np.ndarray | None = None


def lines(
    result: Result, theme: Theme, x: Any, curves: Iterable[Line], *, across: str, up: str, **more: Any
) -> go.Figure:
    """Curves over one axis, each with its interval in grey."""
    figure = go.Figure()
    colours = (theme.accent, theme.against, theme.support, theme.muted)
    for at, line in enumerate(curves):
        if line.interval is not None and np.isfinite(line.interval).any():
            figure.add_traces(band(x, *np.moveaxis(line.interval, -1, 0)))
        look = {
            "dash": DASHES[at % len(DASHES)],
            "name": escape(line.name),
            "mode": "lines+markers",
            "marker": {"size": 5},
        }
        hover = f"{escape(line.name)}<br>{across} %{{x}}<br>%{{y:.4g}}"
        figure.add_trace(curve(x, line.values, colours[at % len(colours)], hover, **look))
    number_axes(figure, across, up)
    figure.update_layout(showlegend=True, legend=LEGEND)
    return dress(figure, result, theme, plot_height=320, **more)


def interval_of(result: Result, name: str) -> Any:
    """A variable's interval, or None where the result has none."""
    return result.data.get(f"{name}_interval")


def named_line(result: Result, name: str, words: str) -> Line:
    """A variable along its one axis, with its interval, called in words."""
    ends = interval_of(result, name)
    return Line(words, result.values(name).values, None if ends is None else ends.values)

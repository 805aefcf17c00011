"""What layers, parts and tokens pass on, and the loss without them: one measure at a time, along one axis."""

from collections.abc import Iterable
from typing import Any, Literal, NamedTuple

import numpy as np
import plotly.graph_objects as go

from interp.core.result import Result
from interp.kinds import LayerRedundancy
from interp.views.chart import LEGEND, dress
from interp.views.choosing import unit
from interp.views.figures import view
from interp.views.labels import ticks
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
        look = {"dash": DASHES[at % len(DASHES)], "name": line.name, "mode": "lines+markers", "marker": {"size": 5}}
        hover = f"{line.name}<br>{across} %{{x}}<br>%{{y:.4g}}"
        figure.add_trace(curve(x, line.values, colours[at % len(colours)], hover, **look))
    number_axes(figure, across, up)
    figure.update_layout(showlegend=True, legend=LEGEND)
    return dress(figure, result, theme, plot_height=320, **more)


def interval_of(result: Result, name: str) -> Any:
    """A variable's interval, or None where the result has none."""
    return result.data.get(f"{name}_interval")


@view.register
def redundancy(
    result: LayerRedundancy,
    theme: Theme,
    *,
    measure: Literal[
        "influence", "influence_without_massive", "angle", "entropy_change", "linearity", "linearity_without_massive",
        "update_linearity", "loss_skipped", "loss_mean", "loss_replaced", "loss_replaced_fitted", "loss_parallel",
    ] = "influence",
) -> go.Figure:  # fmt: skip
    """One measure of every layer's block, attention and MLP."""
    values, interval = result.values(measure), interval_of(result, measure)
    curves = [
        Line(str(part), values.sel(part=part).values, None if interval is None else interval.sel(part=part).values)
        for part in values["part"].values
    ]
    meaning = result.variables[measure].meaning
    layers = result.data["layer"].values
    figure = lines(
        result,
        theme,
        layers,
        curves,
        across="layer",
        up=unit(result, measure),
        title="Layer redundancy",
        notes=[meaning],
    )
    figure.update_xaxes(ticks(layers, layers, most=16))
    return figure

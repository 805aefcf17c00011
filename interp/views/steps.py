"""Results of every step of a training: the view of one step, and a slider."""

from collections.abc import Callable
from typing import Any

import plotly.graph_objects as go

from interp.core.result import Result
from interp.core.variables import STEP
from interp.views.theme import Theme


def by_step(result: Result, theme: Theme, drawing: Callable[..., go.Figure], **choice: Any) -> go.Figure:
    """A result of every step as the figure of its last one, with a slider that shows any other."""
    data = result.data
    parts = [type(result)(data.isel(step=at, drop=True), result.provenance) for at in range(data.sizes[STEP])]
    figures = [drawing(part, theme, **choice) for part in parts]
    whole, names = figures[-1], [str(step) for step in data[STEP].values]
    layout: Any = whole.layout
    whole.frames = [
        go.Frame(name=name, data=figure.data, layout={"annotations": figure.layout.annotations})
        for name, figure in zip(names, figures, strict=True)
    ]
    now = {"mode": "immediate", "frame": {"duration": 0, "redraw": True}, "transition": {"duration": 0}}
    stops = [{"label": name, "method": "animate", "args": [[name], now]} for name in names]
    look = {"prefix": "step ", "font": {"size": 11, "color": theme.muted}}
    bottom = layout.margin.b or 0
    whole.update_layout(
        sliders=[{"steps": stops, "active": len(stops) - 1, "currentvalue": look, "pad": {"t": bottom, "b": 8}}],
        height=layout.height + 72,
        margin={"b": bottom + 72},
    )
    return whole

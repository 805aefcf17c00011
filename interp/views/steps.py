"""Results of every step of a training: the view of one step, and a slider."""

from collections.abc import Callable
from typing import Any

import plotly.graph_objects as go

from interp.core.errors import ResultError
from interp.core.result import Result
from interp.core.variables import STEP
from interp.views.theme import Theme


def by_step(result: Result, theme: Theme, drawing: Callable[..., go.Figure], **choice: Any) -> go.Figure:
    """A result of every step as the figure of its last one, with a slider that shows any other."""
    data = result.data
    parts = [part_at_step(result, step) for step in data[STEP].values.tolist()]
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


def part_at_step(result: Result, step: int) -> Result:
    """What a result over steps is at one of them. Raises: ResultError for a step that it lacks."""
    steps = result.data[STEP].values.tolist() if STEP in result.data.dims else []
    if step not in steps:
        there = f"it has {', '.join(map(str, steps))}" if steps else "it is of one model"
        raise ResultError(f"the result has no step {step}; {there}")
    return type(result)(result.data.isel({STEP: steps.index(step)}, drop=True), result.provenance)

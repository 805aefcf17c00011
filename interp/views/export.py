"""Figures and results as files that stand alone: HTML without any request, CSV without any markup."""

import json
from html import escape
from typing import Any

import numpy as np
import plotly.graph_objects as go

from interp.core.errors import OptionError
from interp.core.result import Result
from interp.views.figures import figure
from interp.views.theme import CONFIG, FONT, Theme, theme_named

# The page may run its own scripts and draw its own pictures, and nothing else: no request leaves it.
POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:; font-src data:"
)
PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
:root {{ color-scheme: {scheme} }}
body {{ margin: 0; padding: 24px; background: {page}; color: {ink}; font: 14px/1.5 {font} }}
main {{ max-width: 960px; margin: 0 auto; padding: 8px 16px 16px;
  background: {card}; border: 1px solid {line}; border-radius: 8px }}
p {{ margin: 4px 0; color: {muted} }}
dl {{ display: grid; grid-template-columns: max-content 1fr; gap: 2px 16px; margin: 12px 0 0; padding-top: 12px;
  border-top: 1px solid {line}; font-size: 12px }}
dt {{ color: {muted} }} dd {{ margin: 0; overflow-wrap: anywhere; font-family: ui-monospace, monospace }}
</style></head>
<body><main>
{figure}
<footer>{lines}<dl>{origin}</dl></footer>
</main></body></html>
"""


def to_html(source: Result | go.Figure, *, theme: str = "light", **choice: Any) -> str:
    """A page that holds a figure, what it measures and where it came from, and needs nothing else.

    A result is drawn with `figure(result, theme=theme, **choice)`; a figure is taken as it is, and `theme` is the
    page's. Curves in three dimensions lie flat, so that the page needs no WebGL.
    """
    look = theme_named(theme)
    if isinstance(source, go.Figure) and choice:
        raise OptionError(f"this is a finished figure; pass the result to choose {next(iter(choice))!r}")
    drawing: Any = source if isinstance(source, go.Figure) else figure(source, theme=theme, **choice)
    about = drawing.layout.meta or {}
    return _page(flat(drawing), about, look)


def flat(chart: go.Figure) -> go.Figure:
    """The figure with its curves in three dimensions as the camera sees them, for a picture or a page without WebGL."""
    deep: list[Any] = list(chart.select_traces({"type": "scatter3d"}))
    if not deep:
        return chart
    layout: Any = chart.layout.to_plotly_json()
    scene = layout.pop("scene")
    projection = go.Figure(layout=layout)
    right, up = _screen(np.array([scene["camera"]["eye"][axis] for axis in "xyz"], dtype=float))
    size = max(float(np.ptp(trace[axis])) for trace in deep for axis in "xyz") or 1.0
    centre = [float(np.mean([np.min(deep[0][axis]), np.max(deep[0][axis])])) for axis in "xyz"]
    for number, axis in enumerate("xyz"):
        ends = np.repeat(np.array([centre]), 2, axis=0)
        ends[:, number] += [-0.6 * size, 0.6 * size]
        ruler = {"mode": "lines+text", "line": {"color": scene[f"{axis}axis"]["gridcolor"]}, "showlegend": False}
        words = ["", scene[f"{axis}axis"]["title"]["text"]]
        font = {"size": 11, "color": scene[f"{axis}axis"]["color"]}
        projection.add_scatter(x=ends @ right, y=ends @ up, text=words, textfont=font, hoverinfo="skip", **ruler)
    for trace in deep:
        places = np.stack([np.asarray(trace[axis], dtype=float) for axis in "xyz"], -1)
        own = trace.to_plotly_json()
        for name in ("type", "x", "y", "z", "scene"):
            own.pop(name, None)
        projection.add_scatter(x=places @ right, y=places @ up, **own)
    projection.update_xaxes(visible=False)
    projection.update_yaxes(visible=False, scaleanchor="x")
    return projection


def _screen(eye: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which way is right and which is up for a camera that looks at the origin, with z upright."""
    ahead = -eye / np.linalg.norm(eye)
    right = np.cross(ahead, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right)
    return right, np.cross(right, ahead)


def _page(drawing: Any, about: dict[str, Any], look: Theme) -> str:
    plot = drawing.to_html(full_html=False, include_plotlyjs=True, include_mathjax=False, config=CONFIG)
    lines = [about.get("measured"), about.get("sign")]
    return PAGE.format(
        policy=escape(POLICY),
        title=escape(f"{about.get('kind', 'figure')}: {about.get('measured', '')}"),
        scheme=look.name,
        page=look.page,
        card=look.card,
        ink=look.ink,
        muted=look.muted,
        line=look.line,
        font=FONT,
        figure=plot,
        lines="".join(f"<p>{escape(line)}</p>" for line in lines if line),
        origin="".join(_entry(name, value) for name, value in about.get("provenance", {}).items() if value),
    )


def _entry(name: str, value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return f"<dt>{escape(name.replace('_', ' '))}</dt><dd>{escape(text)}</dd>"


def to_csv(result: Result) -> str:
    """A result as tidy CSV: one row a cell, a column for each axis, label and variable."""
    return result.to_frame().to_csv(index=False, lineterminator="\n")

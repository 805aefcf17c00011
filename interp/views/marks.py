"""What figures are drawn of: cells, bars and curves in the theme's colours, and the axes of tokens and names."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from interp.core.variables import AGAINST
from interp.views.choosing import Ends, Places
from interp.views.labels import TICKS, escape, quoted, ticks
from interp.views.theme import Theme, colorscale

ZERO = 1e-12
AT_LEFT = {"x": 0, "xanchor": "left"}  # of a colour bar over a square plot
RANGE = "rgba(128,128,128,0.2)"  # the colour of a band
EXTRA = "<extra></extra>"  # without it a hover names the trace


def signed_number(number: float) -> str:
    """A number with its sign, three digits, a true minus."""
    return "0" if number == 0 else f"{number:+.3g}".replace("-", "−")


def limit_of(values: np.ndarray) -> float:
    """The largest absolute value, so that zero sits in the middle of a signed scale."""
    finite = np.abs(values[np.isfinite(values)])
    return float(finite.max(initial=0.0)) or ZERO


def sign_colours(values: np.ndarray, theme: Theme, supports: str) -> list[str]:
    """One hue for values that support and one for the others, where `supports` is the sign that does; one of neither
    where they have no sides."""
    if not supports and not (np.asarray(values) < 0).any():
        return [theme.accent] * len(values)
    return [theme.against if (value < 0) != (supports == AGAINST) else theme.support for value in values]


# Cells


def cells(z: np.ndarray, theme: Theme, *, signed: bool, hover: str, supports: str = "", **more: Any) -> go.Heatmap:
    """A heat map, diverging around zero or from zero up; a NaN cell is left blank.

    `supports` is the sign of the signed values that support, which are always of one hue.
    """
    gap = 1 if max(z.shape) <= 2 * TICKS else 0
    stops = theme.ramp(supports) if signed else theme.sequential
    look: dict[str, Any] = {"colorscale": colorscale(stops), "colorbar": color_bar(theme), "xgap": gap, "ygap": gap}
    trace = go.Heatmap(z=z, hoverongaps=False, hovertemplate=hover + EXTRA, **look)
    if signed:
        scale_to(trace, limit_of(z), signed=True)
    return trace.update(**more)


def scale_to(trace: Any, limit: float, *, signed: bool, beyond: bool = False) -> None:
    """Colours up to `limit` on both sides of zero, or from zero; what lies `beyond` has the end's colour, and the
    legend says so."""
    trace.update(zmin=-limit if signed else 0, zmax=limit)
    if signed:
        ends, (less, more) = (-limit, 0, limit), ("≤ ", "≥ ") if beyond else ("", "")
        words = [f"{less}{signed_number(-limit)}", "0", f"{more}{signed_number(limit)}"]
        trace.update(zmid=0, colorbar={"tickvals": ends, "ticktext": words})


def color_bar(theme: Theme) -> dict[str, Any]:
    """A small horizontal colour bar at the upper right, just above the plot."""
    place = {"orientation": "h", "x": 1, "xanchor": "right", "y": 1, "yanchor": "bottom", "xpad": 0, "ypad": 6}
    size = {"lenmode": "pixels", "len": 170, "thickness": 8, "outlinewidth": 0, "nticks": 4}
    return place | size | {"tickfont": {"size": 10, "color": theme.muted}}


def pair_hover(rows: Sequence[str], columns: Sequence[str]) -> np.ndarray:
    """Hover data of a heat map of tokens against tokens: the row's and the column's label in every cell."""
    return np.stack(np.broadcast_arrays(_quote(rows)[:, None], _quote(columns)[None, :]), axis=-1)


def column_hover(columns: Sequence[str], shape: tuple[int, ...]) -> np.ndarray:
    """Hover data of a heat map over tokens: the column's label in every cell."""
    return np.broadcast_to(_quote(columns), shape)


def name_pairs(names: Sequence[str]) -> list[list[str]]:
    """Hover data of a square of names."""
    return [[f"{escape(one)} and {escape(other)}" for other in names] for one in names]


def _quote(labels: Sequence[str]) -> np.ndarray:
    return np.array([quoted(label) for label in labels], dtype=object)


# Bars and curves


def solid(colours: str | Sequence[str]) -> dict[str, Any]:
    """The look of bars without an outline."""
    return {"color": colours, "line": {"width": 0}}


def bars(colours: str | Sequence[str], hover: str, **more: Any) -> go.Bar:
    """Bars without an outline, of one colour or each of its own."""
    return go.Bar(marker=solid(colours), hovertemplate=hover + EXTRA, **more)


def list_bars(values: Any, colours: str | Sequence[str], hover: str, **more: Any) -> go.Bar:
    """Bars that lie, one a row."""
    lying = {"x": values, "y": np.arange(len(values)), "orientation": "h", "width": 0.7}
    return bars(colours, hover, **(lying | more))


def curve(x: Any, y: Any, colour: str, hover: str, *, width: float = 2, dash: str | None = None, **more: Any) -> Any:
    """A line through values; with markers where `mode` says so."""
    line = {"color": colour, "width": width} | ({"dash": dash} if dash else {})
    return go.Scatter(**{"x": x, "y": y, "mode": "lines", "line": line, "hovertemplate": hover + EXTRA} | more)


def points(x: Any, y: Any, marker: dict[str, Any], hover: str, **more: Any) -> go.Scatter:
    """Markers alone."""
    return go.Scatter(x=x, y=y, mode="markers", marker=marker, hovertemplate=hover + EXTRA, **more)


def band(x: Any, low: np.ndarray, high: np.ndarray) -> list[go.Scatter]:
    """What lies between two curves, in grey."""
    edge = {"mode": "lines", "line": {"width": 0}, "showlegend": False, "hoverinfo": "skip"}
    return [go.Scatter(x=x, y=low, **edge), go.Scatter(x=x, y=high, fill="tonexty", fillcolor=RANGE, **edge)]


def whiskers(axis: str, values: np.ndarray, low: Ends, high: Ends, colour: str, **more: Any) -> dict[str, Any]:
    """Intervals of bars or points along an axis; nothing where one is not known."""
    if low is None or high is None or not len(values) or not np.isfinite([low, high]).all():
        return {}
    ends = {"array": high - values, "arrayminus": values - low, "color": colour, "thickness": 1.2}
    return {f"error_{axis}": ends | more}


def interval_lines(low: Ends, high: Ends, at: Any, count: int) -> list[str]:
    """A hover's line for each interval of these entries, empty for entries beyond them or without one."""
    if low is None or high is None:
        return [""] * count
    lines = [f"<br>95 % [{a:+.3f}, {b:+.3f}]" for a, b in zip(low[at], high[at], strict=True)]
    return lines + [""] * (count - len(lines))


def dotted(theme: Theme) -> dict[str, Any]:
    """The line of a value to compare with."""
    return {"color": theme.muted, "width": 1, "dash": "dot"}


# Axes


def name_rows(figure: go.Figure, names: Sequence[str], title: str | None = None, *, limit: int = 24) -> None:
    """Names from the top down."""
    figure.update_yaxes(ticks(range(len(names)), names, most=200, limit=limit), title=title, autorange="reversed")


def token_axis(figure: go.Figure, at: Places, title: str = "position") -> None:
    """The tokens of a prompt across."""
    figure.update_xaxes(ticks(*at), title=title, tickangle=-45)


def number_axes(figure: go.Figure, x: str | None = None, y: str | None = None) -> None:
    """Titles of axes along which numbers are read, with a line at zero."""
    for update, title in ((figure.update_xaxes, x), (figure.update_yaxes, y)):
        if title is not None:
            update(title=title, zeroline=True, showgrid=True)


def square(figure: go.Figure) -> None:
    """Cells as high as wide, the first at the upper left."""
    figure.update_xaxes(constrain="domain", constraintoward="left")
    figure.update_yaxes(autorange="reversed", scaleanchor="x", constrain="domain", constraintoward="top")


def height(rows: int, each: int, least: int, most: int) -> int:
    """How high a plot of so many rows is."""
    return min(max(each * rows, least), most)

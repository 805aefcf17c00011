"""What every figure shares: choosing the prompt, cells and bars in the theme's colours, titles and small print."""

import operator
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, NamedTuple

import numpy as np
import plotly.graph_objects as go

from interp.core.errors import OptionError
from interp.core.intervals import bootstrap_mean
from interp.core.result import Result
from interp.views.labels import TICKS, escape, pixels, quoted, shorten, visible, wrap
from interp.views.theme import Theme, colorscale, template

EDGE = 16  # from the figure's edge to its text
BAR = 34  # height of the colour bar above the cells
ZERO = 1e-12
LEGEND = {"orientation": "h", "x": 1, "xanchor": "right", "y": 1.0, "yanchor": "bottom"}  # at the upper right


def choose_row(result: Result, axis: str, label: int | None) -> int:
    """The index of `label` on an axis, the first where None. Raises: OptionError with the labels there are."""
    labels = list(result.data[axis].values)
    if label is None:
        return 0
    try:
        return labels.index(operator.index(label))
    except (TypeError, ValueError):
        name = "prompt" if axis == "batch" else axis
        raise OptionError(f"no {name} {label!r} in this result; choose from {_span(labels)}") from None


def choose_one(name: str, value: str, known: Sequence[str]) -> str:
    """`value` if it is one of `known`. Raises: OptionError."""
    if value not in known:
        raise OptionError(f"{name} = {value!r}; choose one of {', '.join(filter(None, known))}")
    return value


def choices_made(show: str, allowed: Sequence[str], **values: Any) -> dict[str, Any]:
    """The choices that are not None. Raises: OptionError for one that this `show` does not have."""
    made = {name: value for name, value in values.items() if value is not None}
    for name in made:
        if name not in allowed:
            raise OptionError(f"show = {show!r} has no choice {name!r}; leave it out")
    return made


class Places(NamedTuple):
    """Indices along an axis and their labels."""

    at: np.ndarray
    labels: list[str]


def places(result: Result, axis: str, row: int) -> Places:
    """Where a prompt has tokens on `axis`, as indices, and their labels; padding is left out."""
    name = axis.replace("pos", "token")
    if name not in result.data.coords:
        return Places(np.arange(result.data.sizes[axis]), [str(value) for value in result.data[axis].values])
    labels = result.data[name].isel(batch=row).values
    kept = np.flatnonzero(labels != "")
    return Places(kept, [str(labels[i]) for i in kept])


def mean_over_prompts(values: np.ndarray) -> tuple[np.ndarray, np.ndarray | None, np.ndarray | None]:
    """The mean over the first axis with its bootstrap interval; None for the ends where there is one prompt."""
    if len(values) == 1:
        return values[0], None, None
    return bootstrap_mean(values)


def about_prompt(result: Result, row: int | None) -> str:
    """Which prompt a figure shows, for its subtitle."""
    count = result.data.sizes.get("batch", 1)
    if row is None:
        return f"mean over {count} prompts"
    text = shorten(visible(str(result.data["prompt"].values[row])), 70) if "prompt" in result.data.coords else ""
    where = "" if count == 1 else f"prompt {row} of {count}: "
    return f"{where}“{text}”" if text else where.rstrip(": ")


def unit(result: Result, variable: str) -> str:
    """A variable's unit, escaped."""
    return escape(result.data[variable].attrs.get("unit", ""))


def limit_of(values: np.ndarray) -> float:
    """The largest absolute value, so that zero sits in the middle of a signed scale."""
    finite = np.abs(values[np.isfinite(values)])
    return float(finite.max(initial=0.0)) or ZERO


def cells(z: np.ndarray, theme: Theme, *, signed: bool, hover: str, **more: Any) -> go.Heatmap:
    """A heat map, diverging around zero or from zero up; a NaN cell is left blank."""
    gap = 1 if max(z.shape) <= 2 * TICKS else 0
    limit = limit_of(z) if signed else None
    bounds = {"zmin": -limit, "zmax": limit, "zmid": 0} if limit else {}
    stops = theme.diverging if signed else theme.sequential
    trace = go.Heatmap(
        z=z,
        colorscale=colorscale(stops),
        hoverongaps=False,
        xgap=gap,
        ygap=gap,
        hovertemplate=hover + "<extra></extra>",
        colorbar=color_bar(theme),
        **bounds,
    )
    if limit:
        trace.update(
            colorbar={"tickvals": [-limit, 0, limit], "ticktext": [signed_number(x) for x in (-limit, 0, limit)]}
        )
    return trace.update(**more)


def signed_number(number: float) -> str:
    """A number with its sign, three digits, a true minus."""
    return "0" if number == 0 else f"{number:+.3g}".replace("-", "−")


def color_bar(theme: Theme) -> dict[str, Any]:
    """A small horizontal colour bar at the upper right, just above the plot."""
    return {
        "orientation": "h",
        "lenmode": "pixels",
        "len": 170,
        "thickness": 8,
        "x": 1,
        "xanchor": "right",
        "y": 1,
        "yanchor": "bottom",
        "xpad": 0,
        "ypad": 6,
        "outlinewidth": 0,
        "nticks": 4,
        "tickfont": {"size": 10, "color": theme.muted},
    }


def bars(values: np.ndarray, theme: Theme, **more: Any) -> go.Bar:
    """Bars, orange below zero and purple above; lengths along `values`."""
    return go.Bar(marker={"color": sign_colours(values, theme), "line": {"width": 0}}, **more)


def sign_colours(values: np.ndarray, theme: Theme) -> list[str]:
    """Orange for negative values, purple for the others."""
    return [theme.negative if value < 0 else theme.positive for value in values]


def pair_hover(rows: Sequence[str], columns: Sequence[str]) -> np.ndarray:
    """Hover data of a heat map of tokens against tokens: the row's and the column's label in every cell."""
    down = np.array([quoted(label) for label in rows], dtype=object)
    across = np.array([quoted(label) for label in columns], dtype=object)
    return np.stack(np.broadcast_arrays(down[:, None], across[None, :]), axis=-1)


_LOWER_LEFT = {
    "showarrow": False, "align": "left", "xref": "paper", "yref": "paper", "x": 0, "y": 0,
    "xanchor": "left", "yanchor": "top",
}  # fmt: skip


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
) -> go.Figure:
    """Give a figure its title, what was measured, the sign line under it, margins to fit, and its origin in `meta`.

    `bar` names the colour bar, already escaped; every other text is escaped here. Margins are set from the labels,
    so that the small print never meets them.
    """
    under = [line for text in (result.sign, *notes) if text for line in wrap(text, 96)]
    over = [line for text in (result.measured, about) if text for line in wrap(text)]
    left, bottom = _margins(figure)
    room = _room(figure, bar)
    top = EDGE + 26 + 17 * len(over) + room
    foot = 15 * len(under) + (12 if under else 0)
    figure.update_layout(
        template=template(theme),
        title={
            "text": escape(title),
            "x": 0,
            "xref": "container",
            "xanchor": "left",
            "y": 1,
            "yref": "paper",
            "yanchor": "bottom",  # plotly moves a title that is anchored elsewhere when it draws again
            "pad": {"l": EDGE, "b": top - EDGE - 14},
            "subtitle": {"text": "<br>".join(over), "font": {"size": 12, "color": theme.muted}},
        },
        margin={"l": left, "r": EDGE + 8, "t": top, "b": bottom + foot, "pad": 2, "autoexpand": False},
        height=top + plot_height + bottom + foot,
        meta={
            "kind": type(result).__name__,
            "title": title,
            "about": about,
            "measured": result.measured,
            "sign": result.sign,
            "notes": list(notes),
            "provenance": asdict(result.provenance),
        },
    )
    if bar:
        _name_color_bar(figure, theme, bar)
    if under:
        figure.add_annotation(
            text="<br>".join(under), name="sign", xshift=EDGE - left, yshift=-bottom,
            font={"size": 11, "color": theme.muted}, **_LOWER_LEFT,
        )  # fmt: skip
    return figure


def bare(figure: go.Figure) -> dict[str, Any]:
    """The figure as plotly's JSON without title and small print, for a place that shows them itself; `meta` keeps them.

    A copy of the figure itself would be validated anew, which takes longer than drawing it.
    """
    drawing = figure.to_plotly_json()
    layout = drawing["layout"]
    kept = [annotation for annotation in layout.get("annotations", ()) if annotation.get("name") != "sign"]
    before = layout["margin"]["t"] + layout["margin"]["b"]
    top = _room(figure, next((annotation["text"] for annotation in kept if annotation.get("name") == "colours"), ""))
    bottom = _margins(figure)[1]
    # A legend takes as many rows as the place is narrow.
    layout["margin"] |= {"t": top, "b": bottom, "autoexpand": bool(layout.get("showlegend"))}
    layout |= {"annotations": kept, "height": layout["height"] - before + top + bottom}
    del layout["title"]
    return drawing


def _room(figure: go.Figure, bar: str) -> int:
    """Above the plot: for a colour bar, or a legend."""
    layout: Any = figure.layout
    return BAR + 14 if bar else 30 if layout.showlegend else 12


def _name_color_bar(figure: go.Figure, theme: Theme, name: str) -> None:
    """Write what the colours mean over the bar; plotly's own title of a bar shifts the figure's title."""
    maps: Any = figure.select_traces({"type": "heatmap"})
    at_left = any(trace.colorbar.xanchor == "left" for trace in maps)
    figure.add_annotation(
        text=name,
        name="colours",
        showarrow=False,
        xref="paper",
        yref="paper",
        x=0 if at_left else 1,
        y=1,
        xanchor="left" if at_left else "right",
        yanchor="bottom",
        yshift=BAR - 4,
        borderpad=0,
        font={"size": 10, "color": theme.muted},
    )


def _margins(figure: go.Figure) -> tuple[int, int]:
    """Room for the tick labels of the leftmost and lowest axes."""
    across: list[Any] = list(figure.select_xaxes())
    down: list[Any] = list(figure.select_yaxes())
    left = 44 + max((pixels(axis.ticktext) for axis in down if axis.ticktext), default=26)
    bottom = 46
    for axis in across:
        if axis.ticktext and axis.tickangle:
            bottom = max(bottom, 40 + pixels(axis.ticktext))
    return left, bottom


def _span(labels: Sequence[Any]) -> str:
    numbers = [int(label) for label in labels]
    if len(numbers) > 1 and numbers == list(range(numbers[0], numbers[-1] + 1)):
        return f"{numbers[0]} to {numbers[-1]}"
    return ", ".join(map(str, numbers))

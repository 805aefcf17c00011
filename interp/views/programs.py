"""Compiled programs: their variables as the stream holds them, and selectors alongside the heads that carry them."""

from typing import Literal

import numpy as np
import plotly.graph_objects as go

from interp.kinds import ProgramVariables, Selections
from interp.views.chart import dress
from interp.views.choosing import about_prompt, choose_row, places
from interp.views.figures import view
from interp.views.heads import attention_map
from interp.views.labels import escape, ticks
from interp.views.marks import cells, column_hover, height, token_axis
from interp.views.theme import Theme


@view.register
def program_variables(
    result: ProgramVariables, theme: Theme, *, prompt: int | None = None, layer: int | None = None
) -> go.Figure:
    """The value of each variable at each position after a `layer`, by default the last; blank where it holds none."""
    row = choose_row(result, "batch", prompt)
    at = places(result, "pos", row)
    which = len(result.data["layer"]) - 1 if layer is None else choose_row(result, "layer", layer)
    values = result.values("value").values[row, which][at.at].T
    held = np.where(values == "", np.nan, 1.0)
    names = [str(name) for name in result.data["variable"].values]
    words = np.vectorize(escape, otypes=[object])(values)
    hover = "%{y} = %{text}<br>%{customdata} at %{x}"
    trace = cells(
        held, theme, signed=False, hover=hover, x=at.at, y=np.arange(len(names)), zmin=0, zmax=6, text=words,
        texttemplate="%{text}", textfont={"size": 11, "color": theme.ink}, showscale=False,
        customdata=column_hover(at.labels, held.shape),
    )  # fmt: skip
    figure = go.Figure(trace)
    token_axis(figure, at)
    figure.update_yaxes(ticks(np.arange(len(names)), names, most=200), title="variable", autorange="reversed")
    shown = int(result.data["layer"].values[which])
    title, about = f"Variables of the program after layer {shown}", about_prompt(result, row)
    return dress(figure, result, theme, title=title, about=about, plot_height=height(len(names), 22, 120, 2400))


@view.register
def selections(
    result: Selections,
    theme: Theme,
    *,
    show: Literal["selected", "expected", "attention"] = "selected",
    prompt: int | None = None,
) -> go.Figure:
    """Which keys each query selects, query down and key across; or the attention that it stands for, or the head's."""
    row = choose_row(result, "batch", prompt)
    queries, keys = (places(result, axis, row) for axis in ("query_pos", "key_pos"))
    z = result.values(show).values[row][np.ix_(queries.at, keys.at)]
    number = "selected %{z:.0f}" if show == "selected" else "attention %{z:.3f}"
    figure = attention_map(z, queries, keys, theme, number, signed=False, zmin=0, zmax=1)
    selector, head = (str(result.data.attrs.get(name, "")) for name in ("selector", "head"))
    title = f"Selector {selector}" if show == "selected" else f"Attention of head {head}, {show}"
    notes = [f"largest difference of attention from the selector: {float(result.values('difference').values[row]):.2g}"]
    return dress(
        figure, result, theme, title=title, about=about_prompt(result, row), notes=notes,
        plot_height=height(len(queries.at), 20, 160, 640), bar="selected" if show == "selected" else "attention",
    )  # fmt: skip

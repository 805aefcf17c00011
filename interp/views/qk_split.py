"""Attention scores by position and content: one head's three terms and their sum, and every head's shares."""

from typing import Any, Literal

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from interp.kinds import QKSplit
from interp.views.chart import dress
from interp.views.choosing import Places, about_prompt, choose_row, of_prompt, places, row_or_mean, unit
from interp.views.figures import view
from interp.views.grid import head_grid
from interp.views.heads import draw_grid
from interp.views.labels import ticks
from interp.views.marks import cells, color_bar, height, limit_of, pair_hover
from interp.views.theme import Theme

POSITION_OR_CONTENT = "purple: by position (+1 and beyond), orange: by context and residual (−1 and beyond)"
OUTSIDE = (
    "signed share: the term's covariance with a query's scores, over their variance; the three add up to 1, and lie "
    "outside 0 to 1 where terms cancel each other (negative cross term)"
)
MAPS = {"position": "position  +", "context": "context  +", "residual": "residual  =", "score": "score"}
SHARES = ("position_share", "context_share", "residual_share")
MOST_NAMES = 64  # tokens up to which every cell names its own
MOST = 192  # tokens drawn along an axis


@view.register
def qk_split(
    result: QKSplit, theme: Theme, *, show: Literal["maps", "heads", "balance"] = "maps", prompt: int | None = None
) -> go.Figure:
    """One head's scores and the three terms that add up to them, as one prompt's `maps`; or the shares of all `heads`,
    or their `balance`, position minus context and residual; averaged over prompts unless `prompt` names one."""
    return {"maps": _maps, "heads": _heads, "balance": _balance}[show](result, theme, prompt)


def _maps(result: QKSplit, theme: Theme, prompt: int | None) -> go.Figure:
    """Four heat maps on one scale; long prompts are thinned alike on both axes, so that the cells still add up."""
    row = choose_row(result, "batch", prompt)
    whole = [places(result, axis, row) for axis in ("query_pos", "key_pos")]
    step = -(-max(len(axis.at) for axis in whole) // MOST)
    queries, keys = (Places(axis.at[::step], axis.labels[::step]) for axis in whole)
    data = {name: result.values(name).values[row][np.ix_(queries.at, keys.at)] for name in MAPS}
    limit = max(limit_of(values) for values in data.values())
    few = max(len(queries.at), len(keys.at)) <= MOST_NAMES
    words = pair_hover(queries.labels, keys.labels) if few else None
    where = "query %{customdata[0]} at %{y}<br>key %{customdata[1]} at %{x}" if few else "query at %{y}, key at %{x}"
    figure = make_subplots(
        rows=2, cols=2, shared_xaxes=True, shared_yaxes=True, horizontal_spacing=0.06, vertical_spacing=0.1
    )
    for number, (name, values) in enumerate(data.items()):
        more: dict[str, Any] = {"x": keys.at, "y": queries.at, "zmin": -limit, "zmax": limit, "customdata": words}
        more |= {"colorbar": color_bar(theme), "showscale": number == 0}
        hover = f"{where}<br>{name} %{{z:+.3f}}"
        trace = cells(
            values.astype(np.float32), theme, signed=True, hover=hover, supports=result.supports(name), **more
        )
        figure.add_trace(trace, row=number // 2 + 1, col=number % 2 + 1)
        figure.add_annotation(
            text=MAPS[name], showarrow=False, x=0, xref="x domain", xanchor="left", y=1, yref="y domain",
            yanchor="bottom", font={"size": 12, "color": theme.ink}, row=number // 2 + 1, col=number % 2 + 1,
        )  # fmt: skip
    figure.update_xaxes(ticks(*keys, most=24), tickangle=-45)
    figure.update_xaxes(title="key", row=2)
    figure.update_yaxes(ticks(*queries, most=24), range=[queries.at[-1] + 0.5, queries.at[0] - 0.5])
    figure.update_yaxes(title="query", col=1)
    remainder = limit_of(result.values("remainder").values[row])
    notes = [f"position + context + residual = score, with a remainder of at most {remainder:.1g}"]
    notes += [f"every {step}th token is drawn"] if step > 1 else []
    title, about = "Attention scores by position and content", about_prompt(result, row)
    tall, bar = height(1, 40 * len(queries.at) + 60, 320, 820), unit(result, "score")
    more = {"bar": bar, "supports": result.supports("score")}
    return dress(figure, result, theme, title=title, about=about, notes=notes, plot_height=tall, **more)


def _balance(result: QKSplit, theme: Theme, prompt: int | None) -> go.Figure:
    grid = head_grid(result, prompt=prompt)
    title = "Position share minus the rest, every head"
    return draw_grid(grid, result, theme, title=title, notes=[POSITION_OR_CONTENT, OUTSIDE])


def _heads(result: QKSplit, theme: Theme, prompt: int | None) -> go.Figure:
    """Three grids, layer across and head down."""
    row = row_or_mean(result, prompt)
    layers, heads = result.data["layer"].values, result.data["head"].values
    data, cross = None, ""
    if "cross_share" in result.data:
        data = of_prompt(result.values("cross_share").values, row)[0].T
        cross = "<br>cross term %{customdata:+.2f}"
    figure = make_subplots(rows=3, cols=1, shared_xaxes=True, vertical_spacing=0.04)
    for number, name in enumerate(SHARES, start=1):
        z, words = of_prompt(result.values(name).values, row)[0].T, name.removesuffix("_share")
        hover = f"head %{{x}}.%{{y}}<br>{words}: signed share %{{z:+.2f}}{cross}"
        more: dict[str, Any] = {"x": layers, "y": heads, "zmin": -1, "zmax": 1, "showscale": number == 1}
        more |= {"colorbar": {"tickvals": [-1, 0, 1], "ticktext": ["≤ −1", "0", "≥ +1"]}, "customdata": data}
        trace = cells(z, theme, signed=True, hover=hover, **more)
        figure.add_trace(trace, row=number, col=1)
        figure.update_yaxes(ticks(heads, heads, most=12), title=f"{words}<br>head", row=number)
    figure.update_yaxes(autorange="reversed")
    figure.update_xaxes(ticks(layers, layers, most=32))
    figure.update_xaxes(title="layer", row=3)
    title, about, bar = (
        "Position, context and residual shares of every head",
        about_prompt(result, row),
        "signed share of the scores' variance",
    )
    tall = 3 * height(len(heads), 18, 90, 260)
    more = {"plot_height": tall, "bar": bar, "supports": ""}
    return dress(figure, result, theme, title=title, about=about, notes=[OUTSIDE], **more)

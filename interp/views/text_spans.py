"""Heads named by tokens, in a figure."""

from typing import Literal

import numpy as np
import plotly.graph_objects as go

from interp.kinds import TextSpans
from interp.views.chart import LEGEND, dress
from interp.views.choosing import choose_one, names_of
from interp.views.figures import view
from interp.views.labels import quoted, ticks
from interp.views.marks import curve, list_bars, name_rows, points
from interp.views.theme import Theme


@view.register
def text_spans(
    result: TextSpans, theme: Theme, *, show: Literal["head", "heads"] = "head", component: str | None = None
) -> go.Figure:
    """The tokens that name one head, with the variance that each adds; or how much of every head they explain."""
    names = names_of(result, "component")
    if show == "heads":
        return _heads(result, theme, names)
    at = names.index(choose_one("component", component or names[0], names))
    data = result.data.isel(component=at)
    there = data["token"].values != ""
    tokens, explained = data["token"].values[there], data["explained"].values[there]
    words = [
        f"{quoted(token)}<br>mean {mean:+.3g}, sd {sd:.3g}"
        for token, mean, sd in zip(tokens, data["mean"].values[there], data["sd"].values[there], strict=True)
    ]
    figure = go.Figure()
    hover, added = "%{customdata}<br>adds %{x:.1%} of the variance", np.diff(explained, prepend=0)
    figure.add_trace(list_bars(added, theme.accent, hover, customdata=words))
    name_rows(figure, [str(token) for token in tokens])
    figure.update_yaxes(title="token")
    figure.update_xaxes(title="share of the variance added", tickformat=".0%", rangemode="tozero", showgrid=True)
    shares = [data[name].values for name in ("explained", "random_explained", "best_explained")]
    last = [f"{values[~np.isnan(values)][-1]:.0%}" if (~np.isnan(values)).any() else "0" for values in shares]
    notes = [f"together {last[0]}; of the head rotated at random {last[1]}; principal directions {last[2]}"]
    title, tall = f"Tokens that name head {names[at].removeprefix('a')}", 24 * max(3, len(tokens))
    return dress(figure, result, theme, title=title, notes=notes, plot_height=tall)


def _heads(result: TextSpans, theme: Theme, names: list[str]) -> go.Figure:
    figure, at = go.Figure(), np.arange(len(names))
    words = [f"{name}: {' '.join(quoted(token) for token in row if token)}"
             for name, row in zip(names, result.values("token").values, strict=True)]  # fmt: skip
    last = {
        name: np.nan_to_num(result.values(name).values).max(-1)
        for name in ("explained", "random_explained", "best_explained")
    }
    hover = "%{customdata}<br>%{y:.1%} explained"
    marker = {"size": 6, "color": theme.accent}
    figure.add_trace(points(at, last["explained"], marker, hover, customdata=words, name="tokens"))
    for name, label, dash in (
        ("random_explained", "rotated", "dot"),
        ("best_explained", "principal directions", "dash"),
    ):
        figure.add_trace(curve(at, last[name], theme.muted, f"%{{y:.1%}}, {label}", dash=dash, name=label, width=1))
    figure.update_xaxes(ticks(at, names, most=32), title="head")
    figure.update_yaxes(title="share of the variance", tickformat=".0%", range=[0, 1.02], showgrid=True)
    figure.update_layout(showlegend=True, legend=LEGEND)
    return dress(figure, result, theme, title="Variance that tokens explain, every head", plot_height=320)

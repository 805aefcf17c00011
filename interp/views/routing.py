"""Mixtures of experts: how many tokens each expert takes, and which ones."""

from typing import Any, Literal

import numpy as np
import plotly.graph_objects as go

from interp.kinds import ExpertRouting
from interp.views.chart import dress
from interp.views.choosing import about_prompt, choices_made, choose_row, of_prompt, places, row_or_mean
from interp.views.figures import view
from interp.views.labels import ticks
from interp.views.marks import cells, column_hover, height, token_axis
from interp.views.theme import Theme


@view.register
def routing(
    result: ExpertRouting,
    theme: Theme,
    *,
    show: Literal["taken", "weight"] = "taken",
    prompt: int | None = None,
    layer: int | None = None,
) -> go.Figure:
    """The share of tokens that each expert takes, layer across and expert down, by default the mean over prompts; or
    the `weight` of every expert at every token in one `layer`, by default the last."""
    choice = choices_made(show, ("layer",) if show == "weight" else (), layer=layer)
    return _weights(result, theme, prompt, **choice) if show == "weight" else _taken(result, theme, prompt)


def _taken(result: ExpertRouting, theme: Theme, prompt: int | None) -> go.Figure:
    row = row_or_mean(result, prompt)
    values, low, high = of_prompt(result.values("taken").values, row)
    layers, experts = (result.data[axis].values for axis in ("layer", "expert"))
    hover, more = "layer %{x}, expert %{y}<br>takes %{z:.1%} of the tokens", dict[str, Any]()
    if low is not None and high is not None:
        hover += "<br>95 % [%{customdata[0]:.3f}, %{customdata[1]:.3f}]"
        more["customdata"] = np.stack([low.T, high.T], -1)
    trace = cells(values.T, theme, signed=False, hover=hover, x=layers, y=experts, zmin=0, zmax=1, **more)
    figure = go.Figure(trace)
    figure.update_xaxes(ticks(layers, layers, most=32), title="layer")
    figure.update_yaxes(ticks(experts, experts, most=32), title="expert", autorange="reversed")
    notes = [_dropped(result, row)]
    about, tall = about_prompt(result, row), height(len(experts), 24, 140, 640)
    title = "Share of tokens that each expert takes"
    return dress(figure, result, theme, title=title, about=about, notes=notes, plot_height=tall, bar="share")


def _weights(result: ExpertRouting, theme: Theme, prompt: int | None, layer: int | None = None) -> go.Figure:
    row = choose_row(result, "batch", prompt)
    at = places(result, "pos", row)
    which = len(result.data["layer"]) - 1 if layer is None else choose_row(result, "layer", layer)
    z, experts = result.values("weight").values[row, which][at.at].T, result.data["expert"].values
    hover, words = "expert %{y}, %{customdata} at %{x}<br>weight %{z:.3f}", column_hover(at.labels, z.shape)
    figure = go.Figure(cells(z, theme, signed=False, hover=hover, x=at.at, y=experts, zmin=0, customdata=words))
    token_axis(figure, at)
    figure.update_yaxes(ticks(experts, experts, most=32), title="expert", autorange="reversed")
    about, tall = about_prompt(result, row), height(len(experts), 24, 140, 640)
    title = f"Weight of each expert of layer {int(result.data['layer'][which])}"
    return dress(figure, result, theme, title=title, about=about, plot_height=tall, bar="weight")


def _dropped(result: ExpertRouting, row: int | None) -> str:
    values = result.values("dropped").values if row is None else result.values("dropped").values[[row]]
    if np.isnan(values).all():
        return "what the router's selection drops is not known"
    return f"the selection drops {np.nanmean(values):.1%} of the router's scores"

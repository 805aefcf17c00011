"""The residual stream across layers: linearity, similarity, and the variance of attention's output by position."""

from typing import Any

import numpy as np
import plotly.graph_objects as go

from interp.kinds import LayerSimilarity, Linearity, PositionalVariance
from interp.views.chart import LEGEND, dress
from interp.views.choosing import choose_row, unit
from interp.views.figures import view
from interp.views.labels import escape, ticks
from interp.views.layers import shades, some_of, stream_labels
from interp.views.marks import AT_LEFT, cells, curve, dotted, height, square
from interp.views.theme import Theme


@view.register
def linearity(result: Linearity, theme: Theme) -> go.Figure:
    """The linearity of every layer, and of what each adds to the stream, compared with unrelated streams."""
    lines = (
        ("linearity", "stream out of the layer", theme.accent, "solid"),
        ("update_linearity", "the layer's update", theme.against, "dash"),
    )
    layers, figure = result.data["layer"].values, go.Figure()
    for name, words, colour, dash in lines:
        hover, more = f"layer %{{x}}<br>{words} %{{y:.4f}}", {"mode": "lines+markers", "marker": {"size": 5}}
        figure.add_trace(curve(layers, result.values(name).values, colour, hover, dash=dash, name=words, **more))
    notes = ["1: exactly a linear map of the stream into the layer"]
    if "unrelated" in result.data.attrs:
        figure.add_hline(y=float(result.data.attrs["unrelated"]), line=dotted(theme))
        notes.append("dotted: expected score of unrelated streams")
    figure.update_xaxes(ticks(layers, layers, most=16), title="layer")
    figure.update_yaxes(title="share of variance explained", showgrid=True)
    figure.update_layout(showlegend=True, legend=LEGEND)
    return dress(figure, result, theme, title="Linearity of each layer", notes=notes, plot_height=300)


@view.register
def similarity(result: LayerSimilarity, theme: Theme) -> go.Figure:
    """CKA between the streams into every two layers, and out of the last."""
    down, across = (stream_labels(result, axis) for axis in ("layer", "other_layer"))
    z = result.values("cka").values
    other = result.data.attrs.get("other_model")
    hover = "streams into layers %{customdata[0]} and %{customdata[1]}<br>CKA %{z:.3f}"
    words = np.stack(np.broadcast_arrays(np.array(down)[:, None], np.array(across)[None, :]), -1)
    more: dict[str, Any] = {"x": np.arange(len(across)), "y": np.arange(len(down)), "zmin": 0, "zmax": 1}
    figure = go.Figure(cells(z, theme, signed=False, hover=hover, customdata=words, colorbar=AT_LEFT, **more))
    names = ("stream into layer", "stream into layer") if other is None else (
        f"stream into layer of {result.provenance.model}", f"stream into layer of {other}"
    )  # fmt: skip
    figure.update_xaxes(ticks(range(len(across)), across, most=16), title=escape(names[1]))
    figure.update_yaxes(ticks(range(len(down)), down, most=32), title=escape(names[0]))
    square(figure)
    title, tall = "Similarity of the layers' streams", height(max(z.shape), 20, 180, 560)
    return dress(figure, result, theme, title=title, plot_height=tall, bar="CKA")


@view.register
def variance(result: PositionalVariance, theme: Theme, *, layer: int | None = None) -> go.Figure:
    """The variance of attention's output by position, on logarithmic axes: a few layers, or one `layer`."""
    layers = result.data["layer"].values
    places = some_of(len(layers)) if layer is None else [choose_row(result, "layer", layer)]
    at = result.data["pos"].values + 1
    figure = go.Figure()
    for place, colour in zip(places, shades(theme, len(places)), strict=True):
        for name, words, dash in (("variance", "attention", "solid"), ("uniform_attention_variance", "uniform", "dot")):
            hover = f"layer {layers[place]}, {words}<br>token %{{x}}<br>variance %{{y:.3g}}"
            more = {"name": f"layer {layers[place]}", "legendgroup": str(place), "showlegend": name == "variance"}
            y, width = result.values(name).values[place], 2 if dash == "solid" else 1.5
            figure.add_trace(curve(at, y, colour, hover, width=width, dash=dash, **more))
    figure.update_xaxes(title="position in the window", type="log", showgrid=True, dtick=1)
    figure.update_yaxes(title=f"variance ({unit(result, 'variance')})", type="log", exponentformat="power", dtick=1)
    figure.update_yaxes(showgrid=True)
    figure.update_layout(showlegend=True, legend=LEGEND)
    notes = [
        "solid: attention's output; dotted: with uniform attention over all visible keys. The variance of a mean of "
        "t unrelated values falls as 1 / t: a straight line with slope −1"
    ]
    title = "Variance of attention's output by position"
    return dress(figure, result, theme, title=title, notes=notes, plot_height=340)

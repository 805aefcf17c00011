"""Position and context: the stream's energy by part and layer, and the geometry of the two parts."""

from collections import Counter
from typing import Any, Literal

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from interp.kinds import PositionContext
from interp.views.chart import LEGEND, dress
from interp.views.choosing import choices_made, choose_row
from interp.views.figures import view
from interp.views.labels import ticks, token
from interp.views.layers import shades, some_of, stream_labels, stream_name
from interp.views.marks import AT_LEFT, EXTRA, bars, cells, color_bar, curve, limit_of, points, square
from interp.views.theme import CLEAR, Theme, colorscale

BY_LAYER = ("curve", "gram", "spectrum", "map")
PARTS = ("mean", "position", "context", "residual")
MEASURES = {
    "stable_rank": "stable rank",
    "rank": "rank",
    "relative_norm": "relative norm",
    "low_frequency_share": "low-frequency share",
    "incoherence": "largest |cos(position, context)|",
    "similarity_within": "mean |cos| of contexts",
}
MOST = 256  # positions drawn along an axis of the Gram matrix
TOPICS = 8
COLOURS = ("#3b6fd4", "#e08214", "#1b9e77", "#c2559d", "#56b4e9", "#d1495b", "#999933", "#8073ac")
SYMBOLS = ("circle", "diamond", "square", "triangle-up")


@view.register
def position_context(
    result: PositionContext,
    theme: Theme,
    *,
    show: Literal["energy", "curve", "gram", "spectrum", "map", "measures"] = "energy",
    layer: int | None = None,
) -> go.Figure:
    """Shares of the energy by layer; every measure by layer with its control (`measures`); or, for one `layer`, the
    position part's `curve`, its `gram` matrix or its `spectrum`, or a `map` of contexts by topic.

    Without `layer`, that in which the position share exceeds its control the most, or the context share is largest;
    the spectrum shows several.
    """
    choices = choices_made(show, ("layer",) if show in BY_LAYER else (), layer=layer)
    return _DRAWINGS[show](result, theme, **choices)


def _energy(result: PositionContext, theme: Theme) -> go.Figure:
    """Four bars a layer, stacked."""
    colours = (theme.muted, theme.accent, theme.against, theme.line)
    labels = stream_labels(result)
    in_order, shuffled = (result.data.sel(arrangement=name) for name in ("as read", "shuffled"))
    figure = go.Figure()
    for part, colour in zip(PARTS, colours, strict=True):
        hover = f"layer %{{customdata[0]}}<br>{part} %{{y:.2%}}<br>shuffled %{{customdata[1]:.2%}}"
        words = np.stack([np.array(labels, dtype=object), shuffled[f"{part}_share"].values], -1)
        y = in_order[f"{part}_share"].values
        figure.add_trace(bars(colour, hover, x=np.arange(len(labels)), y=y, name=part, customdata=words))
    figure.update_layout(barmode="stack", bargap=0.15, showlegend=True, legend=LEGEND | {"traceorder": "normal"})
    figure.update_xaxes(ticks(range(len(labels)), labels, most=32), title="stream into layer")
    figure.update_yaxes(title="share of the energy", tickformat=".0%", zeroline=True, showgrid=True)
    chance, remainder = limit_of(shuffled["position_share"].values), limit_of(in_order["remainder"].values)
    notes = [
        f"position share with positions shuffled within every window: at most {chance:.2%}; the four shares add up "
        f"to 1, with a remainder of at most {remainder:.1g}"
    ]
    title = "Mean, position, context and residual in the stream"
    return dress(figure, result, theme, title=title, notes=notes, plot_height=300)


def _curve(result: PositionContext, theme: Theme, layer: int | None = None) -> go.Figure:
    at = _place(result, layer, "position")
    values, places = result.values("curve").values[at], result.data["pos"].values
    scale = {"colorscale": colorscale(theme.sequential[2:]), "colorbar": color_bar(theme)}
    look = {"line": {"color": theme.line, "width": 2}, "marker": {"size": 3.5, "color": places} | scale}
    hover, (x, y, z) = f"position %{{customdata}}{EXTRA}", values.T[:3]
    figure = go.Figure(
        go.Scatter3d(x=x, y=y, z=z, mode="lines+markers", customdata=places, hovertemplate=hover, **look)
    )
    axis = {"backgroundcolor": CLEAR, "gridcolor": theme.line, "color": theme.muted, "zeroline": False, "nticks": 5}
    axes = {f"{name}axis": axis | {"title": {"text": f"direction {i}"}} for i, name in enumerate("xyz", start=1)}
    figure.update_scenes(axes | {"camera": {"eye": {"x": 1.7, "y": 1.7, "z": 1.0}}, "aspectmode": "cube"})
    title = f"The position part of {stream_name(result, at)}"
    notes = ["projected onto its first three principal components"]
    return dress(figure, result, theme, title=title, notes=notes, plot_height=460, bar="position")


def _gram(result: PositionContext, theme: Theme, layer: int | None = None) -> go.Figure:
    at = _place(result, layer, "position")
    places = result.data["pos"].values
    step = -(-len(places) // MOST)
    thin = slice(None, None, step)
    z, hover = (
        result.values("gram").values[at, thin, thin].astype(np.float32),
        "positions %{y} and %{x}<br>cosine %{z:+.3f}",
    )
    more: dict[str, Any] = {"x": places[thin], "y": places[thin], "zmin": -1, "zmax": 1}
    more |= {"colorbar": AT_LEFT | {"tickvals": [-1, 0, 1], "ticktext": ["−1", "0", "1"]}}
    figure = go.Figure(cells(z, theme, signed=True, hover=hover, supports=result.supports("gram"), **more))
    figure.update_xaxes(title="position")
    figure.update_yaxes(title="position")
    square(figure)
    title = f"Cosines between positions in {stream_name(result, at)}"
    notes = [f"every {step}th position is drawn"] if step > 1 else []
    return dress(
        figure, result, theme, title=title, notes=notes, plot_height=480, bar="cosine", supports=result.supports("gram")
    )


def _spectrum(result: PositionContext, theme: Theme, layer: int | None = None) -> go.Figure:
    layers = stream_labels(result)
    places = some_of(len(layers)) if layer is None else [choose_row(result, "layer", layer)]
    values = result.values("singular_value").values
    numbers, figure = np.arange(1, values.shape[1] + 1), go.Figure()
    for at, colour in zip(places, shades(theme, len(places)), strict=True):
        hover = f"layer {layers[at]}<br>number %{{x}}<br>%{{y:.4g}}"
        figure.add_trace(curve(numbers, values[at], colour, hover, name=f"layer {layers[at]}"))
    figure.update_xaxes(title="index of the singular value", type="log", showgrid=True, dtick=1)
    figure.update_yaxes(title="singular value", type="log", showgrid=True, dtick=1, exponentformat="power")
    figure.update_layout(showlegend=True, legend=LEGEND)
    return dress(figure, result, theme, title="Singular values of the position part", plot_height=340)


def _map(result: PositionContext, theme: Theme, layer: int | None = None) -> go.Figure:
    """The commonest topics in colours of their own, all others in grey beneath them."""
    at = _place(result, layer, "context")
    values = result.values("map").values[at]
    topics, names = (
        np.array([str(label) for label in result.data[name].values], dtype=object) for name in ("topic", "document")
    )
    common = [topic for topic, _ in Counter(topics.tolist()).most_common(TOPICS)]
    groups = [(topic, topics == topic, COLOURS[i], SYMBOLS[i % 4]) for i, topic in enumerate(common)]
    groups.insert(0, ("others", ~np.isin(topics, common), theme.muted, "circle-open"))
    figure = go.Figure()
    for name, of, colour, symbol in groups:
        if of.any():
            marker = {"color": colour, "symbol": symbol, "size": 7, "line": {"width": 0.5, "color": theme.card}}
            words = list(zip(map(token, topics[of]), map(token, names[of]), strict=True))
            hover, (x, y) = "%{customdata[0]}<br>%{customdata[1]}", values[of, :2].T
            figure.add_trace(points(x, y, marker, hover, name=token(name, 24), customdata=words))
    figure.update_xaxes(title="direction 1", showgrid=True)
    figure.update_yaxes(title="direction 2", showgrid=True)
    figure.update_layout(showlegend=True, legend={"x": 1.01, "xanchor": "left", "y": 1, "yanchor": "top"})
    title = f"The context part of {stream_name(result, at)}"
    notes = [
        f"one point per window ({len(topics):,}), projected onto the context part's first two principal components"
    ]
    return dress(figure, result, theme, title=title, notes=notes, plot_height=420).update_layout(margin={"r": 190})


def _measures(result: PositionContext, theme: Theme) -> go.Figure:
    """Six small charts; the similarity of contexts within and between topics shares one."""
    figure = make_subplots(rows=3, cols=2, shared_xaxes=True, horizontal_spacing=0.1, vertical_spacing=0.05)
    labels = stream_labels(result)
    at = np.arange(len(labels))
    for number, (name, words) in enumerate(MEASURES.items()):
        row, col = number // 2 + 1, number % 2 + 1
        lines = [("", name, theme.accent)]
        if name == "similarity_within":
            lines = [(", same topic", name, theme.accent), (", different topics", "similarity_between", theme.against)]
        for more, variable, colour in lines:
            for arrangement, dash in (("as read", "solid"), ("shuffled", "dot")):
                y, solid = result.values(variable).sel(arrangement=arrangement).values, dash == "solid"
                hover = f"layer %{{customdata}}, {arrangement}<br>{words}{more} %{{y:.4g}}"
                in_legend = number == 0 or (more == ", different topics" and solid)
                about: dict[str, Any] = {"name": arrangement + more, "showlegend": in_legend, "customdata": labels}
                line = curve(at, y, colour, hover, width=2 if solid else 1.5, dash=dash, **about)
                figure.add_trace(line, row=row, col=col)
        figure.update_yaxes(title=words, showgrid=True, rangemode="tozero", row=row, col=col)
    figure.update_xaxes(ticks(range(len(labels)), labels, most=11))
    figure.update_xaxes(title="stream into layer", row=3)
    figure.update_layout(showlegend=True, legend=LEGEND)
    notes = [
        "dotted: control with positions shuffled within every window and topics among windows; orange: "
        "contexts of different topics"
    ]
    return dress(figure, result, theme, title="Measures of position and context", notes=notes, plot_height=560)


def _place(result: PositionContext, layer: int | None, part: str) -> int:
    """The layer that is shown: the one chosen, or that in which the part has most, of position beyond its control."""
    if layer is not None:
        return choose_row(result, "layer", layer)
    in_order, shuffled = result.values(f"{part}_share").sel(arrangement=["as read", "shuffled"]).values
    share = in_order - shuffled if part == "position" else in_order  # order does not change what a window's mean is
    return int(np.nan_to_num(share, nan=-np.inf).argmax())


_DRAWINGS = {
    "energy": _energy, "curve": _curve, "gram": _gram, "spectrum": _spectrum, "map": _map, "measures": _measures,
}  # fmt: skip

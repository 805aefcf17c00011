"""Measures of attention over a corpus: a number of every head as a map, numbers of every layer as curves."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import plotly.graph_objects as go

from interp.core.result import Result
from interp.kinds import AttentionDispersion, AttentionSinks, AttentionSpectrum, HeadRedundancy, LazyLayers
from interp.views.chart import LEGEND, dress
from interp.views.choosing import choices_made, choose_one, choose_row
from interp.views.figures import view
from interp.views.grid import HeadGrid
from interp.views.heads import draw_grid
from interp.views.labels import escape, ticks
from interp.views.layer_measures import loss_bars, named_curves
from interp.views.layers import shades
from interp.views.marks import curve, limit_of, points
from interp.views.theme import Theme


@view.register
def sinks(
    result: AttentionSinks,
    theme: Theme,
    *,
    show: Literal["sink", "most_attended", "layers", "massive", "losses"] = "sink",
) -> go.Figure:
    """Attention on the first position, or the most attended one, of all heads; the share of heads with a sink by
    layer; the largest activation of every stream; or the loss without massive activations."""
    if show == "layers":
        names = {"sink_heads": "heads with a sink", "uniform": "uniform attention on the first position"}
        return named_curves(result, theme, names, title="Heads with an attention sink", across="layer")
    if show == "massive":
        return _massive(result, theme)
    if show == "losses":
        return loss_bars(
            result, theme, {"mean_increase": "set to their mean", "zero_increase": "set to zero"}, "massive activations"
        )
    words = {"sink": "first position", "most_attended": "most attended position"}[show]
    return head_map(result, theme, show, title=f"Mean attention on the {words}, every head")


_DISPERSION = {
    "entropy_share": "Entropy of attention, as a share of uniform attention's",
    "entropy_share_without_first": "Entropy of attention besides the first position, as a share of uniform attention's",
    "slope": "Growth of entropy with the logarithm of the number of keys",
    "max_weight": "Largest attention weight",
    "local_mass": "Attention within the local window",
    "temperature": "Temperature that restores the entropy of a shorter length",
}


@view.register
def dispersion(
    result: AttentionDispersion,
    theme: Theme,
    *,
    show: Literal[
        "entropy_share", "entropy_share_without_first", "slope", "max_weight", "local_mass", "temperature", "positions"
    ] = "entropy_share",
    layer: int | None = None,
) -> go.Figure:
    """One measure of every head; or entropy by position of the heads of one `layer`, by default the first."""
    if show != "positions":
        choices_made(show, (), layer=layer)
        return head_map(result, theme, show, title=f"{_DISPERSION[show]}, every head")
    place = choose_row(result, "layer", layer)
    at, heads, figure = result.data["pos"].values + 1, result.data["head"].values, go.Figure()
    for head, colour in zip(heads, shades(theme, len(heads)), strict=True):
        hover = f"head {result.data['layer'].values[place]}.{head}<br>token %{{x}}<br>entropy %{{y:.3f}} nats"
        y = result.entropy.sel(head=head).values[place]
        figure.add_trace(curve(at, y, colour, hover, width=1.5, name=f"head {head}"))
    uniform = result.uniform_entropy.values[place]
    figure.add_trace(curve(at, uniform, theme.muted, "uniform %{y:.3f} nats", dash="dot", name="uniform"))
    figure.update_xaxes(title="position in the window", type="log", showgrid=True, dtick=1)
    figure.update_yaxes(title="entropy (nats)", showgrid=True)
    figure.update_layout(showlegend=True, legend=LEGEND)
    title = f"Entropy of attention by position, layer {result.data['layer'].values[place]}"
    return dress(figure, result, theme, title=title, plot_height=340)


@view.register
def redundancy(
    result: HeadRedundancy,
    theme: Theme,
    *,
    show: Literal["increase", "similarity", "mean_similarity"] = "increase",
) -> go.Figure:
    """The loss without each head, its similarity to the nearest other head, or its mean similarity to all others."""
    title = {
        "increase": "Increase of the loss without the head",
        "similarity": "Similarity to the nearest other head",
        "mean_similarity": "Mean similarity to other heads",
    }[show]
    notes = ["CKA of heads' outputs over tokens: 1 the same up to rotation and scale, about 0 unrelated"]
    return head_map(result, theme, show, title=f"{title}, every head", notes=notes if show != "increase" else ())


@view.register
def spectrum(
    result: AttentionSpectrum,
    theme: Theme,
    *,
    show: Literal["effective_rank", "stable_rank", "rank_90"] = "effective_rank",
    matrix: str | None = None,
) -> go.Figure:
    """A rank of every matrix by layer, mean over heads, as a share of the greatest possible one; or of one `matrix`
    every head, with the random one dotted."""
    words = {"effective_rank": "effective rank", "stable_rank": "stable rank", "rank_90": "components with 90 %"}[show]
    frame: Any = result.to_frame()
    matrices = list(dict.fromkeys(frame["matrix"]))
    figure, layers = go.Figure(), np.unique(frame["layer"])
    if matrix is None:
        for name, colour in zip(matrices, shades(theme, len(matrices)), strict=True):
            own = frame[frame["matrix"] == name]
            share = (own[show] / own["largest_rank"]).groupby(own["layer"]).mean()
            hover = f"{escape(name)}, layer %{{x}}<br>{words} %{{y:.3f}} of the greatest"
            figure.add_trace(curve(share.index, share.values, colour, hover, name=escape(name)))
    else:
        own = frame[frame["matrix"] == choose_one("matrix", matrix, matrices)]
        names = [f"head {head}" if head >= 0 else "MLP" for head in own["head"]]
        hover, marker = f"%{{customdata}}, layer %{{x}}<br>{words} %{{y:.2f}}", {"color": theme.accent, "size": 6}
        figure.add_trace(points(own["layer"], own[show], marker, hover, customdata=names, showlegend=False))
        random = own.groupby("layer")[f"random_{show}"].mean()
        hover = "random %{y:.2f}"
        figure.add_trace(curve(random.index, random.values, theme.muted, hover, dash="dot", name="random matrix"))
    figure.update_xaxes(ticks(layers, layers, most=16), title="layer")
    figure.update_yaxes(title=words if matrix else f"{words}, share of the greatest", showgrid=True)
    figure.update_layout(showlegend=True, legend=LEGEND)
    title = f"{words.capitalize()} of {'patterns and weights' if matrix is None else matrix}"
    return dress(figure, result, theme, title=title, plot_height=340)


@view.register
def lazy(result: LazyLayers, theme: Theme, *, show: Literal["lazy", "layers", "restricted"] = "lazy") -> go.Figure:
    """Attention on the first and most recent keys, of every head or layer; or the loss with a layer restricted to
    them."""
    if show == "lazy":
        return head_map(result, theme, show, title="Attention on the first and most recent keys, every head")
    names = {"layer_lazy": "mean over heads", "uniform": "uniform attention"}
    title = "Attention on the first and most recent keys"
    if show == "restricted":
        names, title = {"increase": "layer restricted"}, "Increase of the loss with a layer restricted to those keys"
    return named_curves(result, theme, names, title=title, across="layer")


def head_map(result: Result, theme: Theme, name: str, *, title: str, notes: Sequence[str] = ()) -> go.Figure:
    """One variable of every head, with its interval where the result has one."""
    values = result.values(name)
    ends = result.data.get(f"{name}_interval")
    low, high = (None, None) if ends is None else (ends.values[..., 0], ends.values[..., 1])
    signed = bool((values.values < 0).any())
    grid = HeadGrid(
        name=name.replace("_", " "),
        unit=str(values.attrs.get("unit", "")),
        layers=tuple(map(int, values["layer"].values)),
        heads=tuple(map(int, values["head"].values)),
        values=values.values,
        low=low,
        high=high,
        row=None,
        signed=signed,
        supports=str(values.attrs.get("supports", "")),
        limit=limit_of(values.values),
    )
    return draw_grid(grid, result, theme, title=title, notes=notes)


def _massive(result: AttentionSinks, theme: Theme) -> go.Figure:
    """The strongest place of every stream, on a logarithmic axis; hover says where."""
    data = result.data
    streams, first = np.unique(data["stream"].values, return_index=True)
    where = [f"position {data['position'].values[i]}, dimension {data['dimension'].values[i]}" for i in first]
    size = np.abs(data["activation"].values[first])
    hover = "stream %{x}<br>%{customdata}<br>|activation| %{y:.4g}"
    look: dict[str, Any] = {"mode": "lines+markers", "marker": {"size": 6}, "customdata": where}
    figure = go.Figure(curve(streams, size, theme.accent, hover, **look))
    figure.update_xaxes(ticks(streams, [*map(str, streams[:-1]), "out"], most=16), title="stream into layer")
    figure.update_yaxes(title="largest |activation|", type="log", showgrid=True)
    return dress(figure, result, theme, title="Largest activation of every stream", plot_height=320)

"""Measures of every layer or stream over a corpus, as curves."""

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
import plotly.graph_objects as go

from interp.core.result import Result
from interp.kinds import ActivationSparsity, FeatureDiversity, TokenClusters
from interp.views.chart import dress
from interp.views.choosing import unit
from interp.views.figures import view
from interp.views.labels import escape, ticks
from interp.views.layers import stream_labels
from interp.views.lines import lines, named_line
from interp.views.marks import list_bars, whiskers
from interp.views.theme import Theme

_PARTS = {
    "": "all tokens",
    "_without_first": "without the first",
    "_without_massive": "without the first and massive dimensions",
}


@view.register
def clusters(result: TokenClusters, theme: Theme, *, show: Literal["cosine", "close_share"] = "cosine") -> go.Figure:
    """The mean cosine of two tokens in every stream, or the share of pairs that are close."""
    title = {"cosine": "Mean cosine of two tokens", "close_share": "Share of token pairs that are close"}[show]
    return _streams(result, theme, show, f"{title}, by stream")


@view.register
def diversity(result: FeatureDiversity, theme: Theme) -> go.Figure:
    """The tokens' distance from their mean in every stream."""
    return _streams(result, theme, "diversity", "Distance of the tokens from their mean, by stream")


def _streams(result: Result, theme: Theme, name: str, title: str) -> go.Figure:
    names = {name + part: words for part, words in _PARTS.items()}
    labels = stream_labels(result)
    return named_curves(result, theme, names, title=title, across="stream into layer", labels=labels)


@view.register
def sparsity(
    result: ActivationSparsity,
    theme: Theme,
    *,
    show: Literal["measures", "layers", "removal"] = "measures",
) -> go.Figure:
    """Measures of sparsity by layer; the loss without a layer's smallest activations; or without those of all MLPs,
    beside as many random ones."""
    if show == "layers":
        names, title = {"layer_increase": "smallest at zero"}, "Increase of the loss with one MLP made sparse"
        return named_curves(result, theme, names, title=title, across="layer")
    if show == "removal":
        names = {"increase": "smallest", "random_increase": "random"}
        title, across = "Increase of the loss with all MLPs made sparse", "share of activations at zero"
        return named_curves(result, theme, names, title=title, across=across, axis="fraction")
    names = {"small_share": "below the threshold", "zero_share": "zero", "hoyer": "Hoyer index"}
    return named_curves(result, theme, names, title="Sparsity of each MLP's activations", across="layer")


def named_curves(
    result: Result,
    theme: Theme,
    names: Mapping[str, str],
    *,
    title: str,
    across: str,
    axis: str = "layer",
    labels: Sequence[str] | None = None,
    notes: Sequence[str] = (),
) -> go.Figure:
    """Variables along one axis as curves, named in words, with their intervals where the result has them.

    `labels` are those of the axis' ticks, where they are not its values.
    """
    x = result.data[axis].values
    curves = [named_line(result, name, words) for name, words in names.items()]
    up = unit(result, next(iter(names))) or "value"
    figure = lines(result, theme, x, curves, across=across, up=up, title=title, notes=notes)
    return figure.update_xaxes(ticks(x, labels or list(x), most=16))


def loss_bars(result: Result, theme: Theme, names: Mapping[str, str], what: str) -> go.Figure:
    """Increases of the loss as points with their intervals."""
    figure = go.Figure()
    for at, name in enumerate(names):
        value, (low, high) = result.values(name).item(), result.values(f"{name}_interval").values
        ends = whiskers("x", np.array([value]), np.array([low]), np.array([high]), theme.muted)
        hover = f"{escape(names[name])} %{{x:+.4g}} nats"
        figure.add_trace(list_bars([value], theme.accent, hover, y=[at], width=0.5, showlegend=False, **ends))
    figure.update_yaxes(ticks(range(len(names)), list(names.values())), title=escape(what), autorange="reversed")
    figure.update_xaxes(title="increase of the loss (nats)", zeroline=True, showgrid=True)
    return dress(figure, result, theme, title=f"Loss without {what}", plot_height=40 + 40 * len(names))

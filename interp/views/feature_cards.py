"""Feature cards in figures: all features by density and size, and one card's histogram and heads."""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from interp.core.kinds import FeatureCards
from interp.views.chart import choose_one, dress
from interp.views.figures import view
from interp.views.labels import quoted, shorten, token
from interp.views.theme import Theme, template

SHOWS = ("features", "densities")


@view.register
def feature_cards(result: FeatureCards, theme: Theme, *, show: str = "features") -> go.Figure:
    """Every living feature by its density and its largest activation; or how many features have which of the
    `densities`."""
    choose_one("show", show, SHOWS)
    density = result.values("density").values
    alive = density > 0
    dead = f"{int((~alive).sum()):,} of {len(alive):,} features are dead: active nowhere in this text"
    figure = go.Figure(_points(result, theme, alive) if show == "features" else _densities(density[alive], theme))
    if show == "features":
        figure.update_xaxes(title="density: share of tokens on which it is active", type="log", showgrid=True)
        figure.update_yaxes(title="largest activation", type="log", showgrid=True)
    else:
        figure.update_xaxes(title="density, as a power of ten", showgrid=True)
        figure.update_yaxes(title="features", showgrid=True)
        figure.update_layout(bargap=0.05)
    title = "Features by density and size" if show == "features" else "How dense the features are"
    return dress(figure, result, theme, title=title, notes=[dead], plot_height=360)


def _points(result: FeatureCards, theme: Theme, alive: np.ndarray) -> go.Scattergl:
    data = result.data
    lines = [
        f"feature {feature}<br>highest on {quoted(top)}"
        for feature, top in zip(data["feature"].values[alive], data["top_token"].values[alive], strict=True)
    ]
    if "promoted" in data:
        words = data["promoted"].values[alive]
        lines = [f"{line}<br>promotes {token(said, 80)}" for line, said in zip(lines, words, strict=True)]
    if "head" in data:
        heads = zip(data["head"].values[alive], data["head_weight"].values[alive], strict=True)
        lines = [f"{line}<br>head {head}: {share:.0%}" for line, (head, share) in zip(lines, heads, strict=True)]
    return go.Scattergl(
        x=data["density"].values[alive],
        y=data["max"].values[alive],
        mode="markers",
        marker={"size": 6, "color": theme.accent, "opacity": 0.6},
        customdata=lines,
        hovertemplate="%{customdata}<br>density %{x:.3g}, largest %{y:.3g}<extra></extra>",
    )


def _densities(density: np.ndarray, theme: Theme) -> go.Bar:
    powers = np.log10(density)
    edges = np.linspace(np.floor(powers.min(initial=-1.0)), 0, 41)
    counts, _ = np.histogram(powers, edges)
    return go.Bar(
        x=(edges[1:] + edges[:-1]) / 2,
        y=counts,
        marker={"color": theme.accent, "line": {"width": 0}},
        hovertemplate="density 10^%{x:.2f}<br>%{y} features<extra></extra>",
    )


def activation_histogram(counts: Sequence[int], largest: float, theme: Theme, *, title: str = "") -> go.Figure:
    """A card's histogram: how often a feature is active how strongly, in bins of equal width from 0 to its largest."""
    width = largest / max(1, len(counts))
    edges = np.arange(len(counts)) * width
    figure = go.Figure(
        go.Bar(
            x=edges + width / 2,
            y=np.asarray(counts),
            customdata=np.stack([edges, edges + width], -1),
            marker={"color": theme.accent, "line": {"width": 0}},
            hovertemplate="%{customdata[0]:.3g} to %{customdata[1]:.3g}<br>%{y} tokens<extra></extra>",
        )
    )
    figure.update_xaxes(title="activation")
    figure.update_yaxes(title="tokens", type="log", showgrid=True)
    return _small(figure, theme, title)


def head_shares(weights: Sequence[float], theme: Theme, *, title: str = "") -> go.Figure:
    """A card's heads: each head's share of the feature's decoder row."""
    figure = go.Figure(
        go.Bar(
            x=np.arange(len(weights)),
            y=np.asarray(weights),
            marker={"color": theme.accent, "line": {"width": 0}},
            hovertemplate="head %{x}<br>%{y:.1%} of the decoder row<extra></extra>",
        )
    )
    figure.update_xaxes(title="head", dtick=1 if len(weights) <= 16 else None)
    figure.update_yaxes(title="share", tickformat=".0%", rangemode="tozero", showgrid=True)
    return _small(figure, theme, title)


def _small(figure: go.Figure, theme: Theme, title: str) -> go.Figure:
    return figure.update_layout(
        template=template(theme),
        title={"text": token(shorten(title, 80), 80), "x": 0, "font": {"size": 13}} if title else None,
        height=220,
        bargap=0.05,
        margin={"l": 52, "r": 12, "t": 34 if title else 12, "b": 44, "autoexpand": False},
    )

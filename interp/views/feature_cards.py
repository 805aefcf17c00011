"""Feature cards in figures: all features by density and size, and one card's histogram and heads."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from interp.kinds import FeatureCards
from interp.views.chart import dress
from interp.views.figures import view
from interp.views.labels import quoted, token, visible
from interp.views.marks import bars, list_bars, name_rows, points
from interp.views.theme import Theme, theme_named


@view.register
def feature_cards(
    result: FeatureCards, theme: Theme, *, show: Literal["features", "densities"] = "features"
) -> go.Figure:
    """Every feature that is not dead, by density and largest activation; or a histogram of feature `densities`."""
    density = result.values("density").values
    alive = density > 0
    dead = f"{int((~alive).sum()):,} of {len(alive):,} features are dead: never active in this text"
    figure = go.Figure(_points(result, theme, alive) if show == "features" else _densities(density[alive], theme))
    if show == "features":
        figure.update_xaxes(title="density: share of tokens on which it is active", type="log", showgrid=True)
        figure.update_yaxes(title="largest activation", type="log", showgrid=True)
    else:
        figure.update_xaxes(title="log₁₀ density", showgrid=True)
        figure.update_yaxes(title="features", showgrid=True)
        figure.update_layout(bargap=0.05)
    title = "Features by density and largest activation" if show == "features" else "Density of the features"
    return dress(figure, result, theme, title=title, notes=[dead], plot_height=360)


def _points(result: FeatureCards, theme: Theme, alive: np.ndarray) -> go.Scatter:
    data = result.data
    lines = [
        f"feature {feature}<br>strongest on {quoted(top)}"
        for feature, top in zip(data["feature"].values[alive], data["top_token"].values[alive], strict=True)
    ]
    if "promoted" in data:
        words = data["promoted"].values[alive]
        lines = [f"{line}<br>promotes {token(word, 80)}" for line, word in zip(lines, words, strict=True)]
    if "head" in data:
        heads = zip(data["head"].values[alive], data["head_weight"].values[alive], strict=True)
        lines = [f"{line}<br>head {head}: {share:.0%}" for line, (head, share) in zip(lines, heads, strict=True)]
    hover = "%{customdata}<br>density %{x:.3g}, largest %{y:.3g}"
    marker = {"size": 6, "color": theme.accent, "opacity": 0.6}
    x, y = (data[name].values[alive] for name in ("density", "max"))
    return points(x, y, marker, hover, customdata=lines)


def _densities(density: np.ndarray, theme: Theme) -> go.Bar:
    powers = np.log10(density)
    edges = np.linspace(np.floor(powers.min(initial=-1.0)), 0, 41)
    counts, _ = np.histogram(powers, edges)
    return bars(theme.accent, "density 10^%{x:.2f}<br>%{y} features", x=(edges[1:] + edges[:-1]) / 2, y=counts)


def features_found(
    result: FeatureCards, features: pd.DataFrame, *, order: str = "density", theme: str = "light"
) -> go.Figure:
    """Features as `Cards.search` lists them, from the top down: how often each is active (or its largest activation,
    where that is their `order`), the token of its largest activation, and those that it promotes."""
    look, column = theme_named(theme), "max" if order == "max" else "density"
    promotions = features["promoted"] if "promoted" in features else [()] * len(features)
    rows = zip(features["feature"], features["top_token"], promotions, strict=True)
    names = [f"f{number} {visible(str(top))} → {' '.join(visible(str(word)) for word in tuple(more)[:3])}"
             for number, top, more in rows]  # fmt: skip
    words = [token(name, 80) for name in names]
    figure = go.Figure(
        list_bars(features[column], look.accent, f"%{{customdata}}<br>{column} %{{x:.3g}}", customdata=words)
    )
    name_rows(figure, names, limit=44)
    title = {"density": "density: share of tokens on which it is active", "max": "largest activation"}[column]
    figure.update_xaxes(title=title, rangemode="tozero", showgrid=True)
    notes = [] if len(features) else ["no live feature was found"]
    tall = 20 * max(3, len(features))
    return dress(figure, result, look, title=f"{len(features)} features", notes=notes, plot_height=tall)


def feature_card(result: FeatureCards, card: Mapping[str, Any], *, theme: str = "light") -> go.Figure:
    """One of the cards behind a result, as `Cards.card` reads it: how often the feature is active how strongly, and
    each head's share of its decoder row where the site has heads.

    Raises: OptionError for a theme that there is not.
    """
    look = theme_named(theme)
    figures = [_histogram(card["histogram"], float(card["max"]), look)]
    if "head_weights" in card:
        figures.append(_heads(card["head_weights"], result.data.attrs.get("layer", "0"), look))
    figure = make_subplots(rows=1, cols=len(figures), horizontal_spacing=0.1)
    for column, (trace, x, y) in enumerate(figures, start=1):
        figure.add_trace(trace, row=1, col=column)
        figure.update_xaxes(**x, row=1, col=column)
        figure.update_yaxes(**y, row=1, col=column)
    often = "never active" if card["dead"] else f"active on {100 * float(card['density']):.2g} % of tokens"
    words = [
        f"{side}: {' '.join(f'“{visible(str(word))}”' for word in card[side][:6])}"
        for side in ("promoted", "suppressed")
        if len(card.get(side, ()))
    ]
    figure.update_layout(bargap=0.05, showlegend=False)
    title = f"Feature {int(card['feature'])}: {often}"
    return dress(figure, result, look, title=title, about="; ".join(words), plot_height=200)


def card_table(card: Mapping[str, Any]) -> pd.DataFrame:
    """What `feature_card` draws: tokens by activation, and each head's share of the decoder row."""
    counts = np.array(card["histogram"], dtype=int)
    edges = _edges(counts, float(card["max"]))
    bins = pd.DataFrame({"from": edges[:-1], "to": edges[1:], "tokens": counts})
    shares = [float(weight) for weight in card.get("head_weights", ())]
    return pd.concat([bins, pd.DataFrame({"head": range(len(shares)), "share": shares})], ignore_index=True)


def _edges(counts: Sequence[int] | np.ndarray, largest: float) -> np.ndarray:
    """Bins of equal width from 0 to the largest activation."""
    return np.linspace(0, largest if np.isfinite(largest) else 1.0, len(counts) + 1)


def _histogram(counts: Sequence[int], largest: float, theme: Theme) -> tuple[go.Bar, dict[str, Any], dict[str, Any]]:
    edges = _edges(counts, largest)
    hover, ends = "%{customdata[0]:.3g} to %{customdata[1]:.3g}<br>%{y} tokens", np.stack([edges[:-1], edges[1:]], -1)
    trace = bars(theme.accent, hover, x=ends.mean(-1), y=[int(count) for count in counts], customdata=ends)
    return trace, {"title": "activation"}, {"title": "tokens", "type": "log", "dtick": 1, "showgrid": True}


def _heads(weights: Sequence[float], layer: str, theme: Theme) -> tuple[go.Bar, dict[str, Any], dict[str, Any]]:
    hover, nodes = (
        "head %{x}<br>%{y:.1%} of the decoder direction",
        [[f"a{layer}.{head}"] for head in range(len(weights))],
    )
    shares = [float(weight) for weight in weights]
    trace = bars(theme.accent, hover, x=np.arange(len(weights)), y=shares, customdata=nodes)
    axis = {"tickformat": ".0%", "rangemode": "tozero", "showgrid": True}
    return trace, {"title": "share of the decoder direction, by head", "dtick": 1 if len(weights) <= 16 else None}, axis

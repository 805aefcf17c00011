"""Evidence for a circuit: its curve and that of random circuits, each node's effect, scores against patching."""

from typing import Any, Literal

import numpy as np
import plotly.graph_objects as go
from jaxtyping import Float

from interp.kinds import CircuitEvidence
from interp.views.chart import LEGEND, dress
from interp.views.choosing import unit
from interp.views.figures import view
from interp.views.labels import escape, ticks
from interp.views.marks import band, bars, curve, dotted, number_axes, points, sign_colours, whiskers
from interp.views.theme import Theme

HOVER = "<br>%{x:,} edges<br>faithfulness %{y:.3f}"
SHARE = (
    "faithfulness = (circuit − all edges cut) / (whole model − all edges cut); 1: as the whole model, 0: as "
    "with every edge cut"
)


@view.register
def evidence(
    result: CircuitEvidence,
    theme: Theme,
    *,
    show: Literal["curve", "nodes", "edges"] = "curve",
    axis: Literal["log", "linear"] = "log",
) -> go.Figure:
    """Faithfulness at growing numbers of edges, compared with random circuits (`axis` log or linear); the effect of
    removing each node ("nodes"); or edge scores against the measured effect of patching each edge ("edges")."""
    return {"curve": _curve, "nodes": _minimality, "edges": _edge_effects}[show](result, theme, axis)


def _curve(result: CircuitEvidence, theme: Theme, axis: str) -> go.Figure:
    data = result.data
    shares, (low, high) = data["curve"].values, data["curve_interval"].values.T
    nominal, pruned_sizes, random_shares = data["nominal"].values, data["pruned"].values, data["random_curve"].values
    spread = whiskers("y", shares, low, high, theme.accent, width=3)
    there = pruned_sizes > 0 if axis == "log" else np.ones(len(pruned_sizes), dtype=bool)
    signed = []
    if "signed_curve" in data:  # which files of older versions lack
        style = {"width": 1.5, "dash": "dash", "name": "most supportive edges"}
        signed = [curve(nominal, data["signed_curve"].values, theme.accent, f"most supportive{HOVER}", **style)]
    figure = go.Figure(
        [
            *random_curves(nominal, random_shares, theme),
            curve(
                pruned_sizes[there], shares[there], theme.support, f"pruned{HOVER}", width=1.5, dash="dot",
                name="without dangling edges", mode="lines+markers", marker={"size": 5, "symbol": "circle-open"},
            ),
            curve(
                nominal, shares, theme.accent, f"strongest{HOVER}", name="strongest edges", mode="lines+markers",
                marker={"size": 6}, **spread,
            ),
            *signed,
            points(
                [float(data["edges"])], [float(data["faithfulness"])],
                {"size": 12, "symbol": "star", "color": theme.ink}, f"circuit{HOVER}", name="the circuit",
            ),
        ]
    )  # fmt: skip
    figure.update_xaxes(title="edges", type=axis, showgrid=True)
    number_axes(figure, y="faithfulness")
    figure.add_hline(y=1, line=dotted(theme))
    figure.update_layout(showlegend=True, legend=LEGEND)
    numbers = {name: float(data[name]) for name in ("faithfulness", "random_faithfulness", "cpr", "cmd")}
    about = (
        f"circuit of {int(data['edges'])} edges: faithfulness "
        f"{numbers['faithfulness']:.3f}{_interval(data, 'faithfulness')}, random edges of the same number "
        f"{numbers['random_faithfulness']:.3f}; CPR {numbers['cpr']:.3f}, CMD {numbers['cmd']:.3f}"
    ).replace("-", "−")
    return dress(
        figure, result, theme, title="Faithfulness of the circuit", about=about, notes=[SHARE], plot_height=320
    )


def random_curves(sizes: np.ndarray, shares: Float[np.ndarray, "budget draw"], theme: Theme) -> list[go.Scatter]:
    """Faithfulness of random edges at each size: the range over draws, and the mean."""
    mean = curve(sizes, shares.mean(1), theme.muted, f"random{HOVER}", width=1.5, name="random edges")
    return [*band(sizes, shares.min(1), shares.max(1)), mean]


def _interval(data: Any, name: str) -> str:
    low, high = data[f"{name}_interval"].values.tolist()
    return f" [{low:.3f}, {high:.3f}]" if np.isfinite([low, high]).all() else ""


def _minimality(result: CircuitEvidence, theme: Theme, axis: str) -> go.Figure:
    """A bar a node."""
    data = result.data
    values, (low, high) = data["minimality"].values, data["minimality_interval"].values.T
    names, at = [str(name) for name in data["component"].values], np.arange(len(values))
    spread = whiskers("y", values, low, high, theme.ink)
    words = [
        f"{escape(name)}<br>distance between circuit and model, both without it: {apart:.3g}"
        for name, apart in zip(names, data["node_incompleteness"].values, strict=True)
    ]
    sides = result.supports("minimality")
    hover = f"%{{customdata}}<br>effect %{{y:+.3f}} {unit(result, 'minimality')}"
    figure = go.Figure(bars(sign_colours(values, theme, sides), hover, x=at, y=values, customdata=words, **spread))
    figure.update_xaxes(ticks(at, names), title="node removed from the circuit", tickangle=-45)
    number_axes(figure, y=f"effect ({unit(result, 'minimality')})")
    about = f"incompleteness {float(data['incompleteness']):.3g}{_interval(data, 'incompleteness')}"
    title = "Effect of removing each node from the circuit"
    return dress(figure, result, theme, title=title, about=about, plot_height=280, supports=sides)


def _edge_effects(result: CircuitEvidence, theme: Theme, axis: str) -> go.Figure:
    """A point an edge: its score across, its effect up."""
    data = result.data
    score, effect = data["edge_score"].values, data["edge_effect"].values
    low, high = data["edge_effect_interval"].values.T
    spread = whiskers("y", effect, low, high, theme.muted, thickness=1)
    ends = zip(data["sender"].values, data["receiver"].values, data["selection_frequency"].values, strict=True)
    words = [
        f"{escape(u)} → {escape(v)}<br>among the strongest edges in {often:.0%} of resamples" for u, v, often in ends
    ]
    hover = "%{customdata}<br>score %{x:+.3f}<br>patched %{y:+.3f}"
    more = spread | {"customdata": words, "showlegend": False}
    figure = go.Figure(points(score, effect, {"color": theme.accent, "size": 8}, hover, **more))
    both = np.concatenate([score, effect])
    if unit(result, "edge_score") == unit(result, "edge_effect") and len(both):
        reach = [float(both.min()), float(both.max())]
        figure.add_scatter(x=reach, y=reach, mode="lines", line=dotted(theme), hoverinfo="skip", showlegend=False)
    across, up = unit(result, "edge_score"), unit(result, "edge_effect")
    number_axes(figure, f"score ({across})", f"effect of patching ({up})")
    statistics = {"rank correlation": "rank_correlation", "linearisation error": "linearisation_error"}
    lines = [f"{words} {float(data[name]):.2f}" for words, name in statistics.items() if np.isfinite(data[name])]
    about = "; ".join([f"{len(score)} edges", *lines])
    title = "Edge scores and measured effects of patching"
    return dress(figure, result, theme, title=title, about=about.replace("-", "−"), plot_height=320)

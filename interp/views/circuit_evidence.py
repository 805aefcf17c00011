"""Evidence for a circuit: its curve beside random circuits, what each node does, scores beside patched effects."""

from typing import Any, Literal

import numpy as np
import plotly.graph_objects as go
from jaxtyping import Float

from interp.kinds import CircuitEvidence
from interp.views.chart import LEGEND, bars, dress, unit
from interp.views.figures import view
from interp.views.labels import escape, ticks
from interp.views.theme import Theme

HOVER = "<br>%{x:,} edges<br>faithfulness %{y:.3f}"
SHARE = "faithfulness = (circuit − all edges cut) / (all kept − all cut); 1: as the whole model, 0: as none of it"


@view.register
def evidence(
    result: CircuitEvidence,
    theme: Theme,
    *,
    show: Literal["curve", "nodes", "edges"] = "curve",
    axis: Literal["log", "linear"] = "log",
) -> go.Figure:
    """Faithfulness at growing budgets beside random circuits (`axis` log or linear); or what removing each node does
    ("nodes"); or scores of edges beside the effect of truly patching them ("edges")."""
    return {"curve": _curve, "nodes": _minimality, "edges": _patched}[show](result, theme, axis)


def _curve(result: CircuitEvidence, theme: Theme, axis: str) -> go.Figure:
    data = result.data
    curve, (low, high) = data["curve"].values, data["curve_interval"].values.T
    nominal, pruned, drawn = data["nominal"].values, data["pruned"].values, data["random_curve"].values
    spread = {}
    if np.isfinite([low, high]).all():
        ends = {"array": high - curve, "arrayminus": curve - low, "color": theme.accent, "thickness": 1.2, "width": 3}
        spread = {"error_y": ends}
    there = pruned > 0 if axis == "log" else np.ones(len(pruned), dtype=bool)
    figure = go.Figure(
        [
            *random_curves(nominal, drawn, theme),
            go.Scatter(
                x=pruned[there], y=curve[there], name="without those that dangle", mode="lines+markers",
                marker={"size": 5, "symbol": "circle-open"},
                line={"color": theme.positive, "width": 1.5, "dash": "dot"},
                hovertemplate=f"pruned{HOVER}<extra></extra>",
            ),
            go.Scatter(
                x=nominal, y=curve, name="strongest edges", mode="lines+markers", marker={"size": 6},
                line={"color": theme.accent, "width": 2}, hovertemplate=f"strongest{HOVER}<extra></extra>", **spread,
            ),
            go.Scatter(
                x=[float(data["edges"])], y=[float(data["faithfulness"])], name="the circuit", mode="markers",
                marker={"size": 12, "symbol": "star", "color": theme.ink},
                hovertemplate=f"circuit{HOVER}<extra></extra>",
            ),
        ]
    )  # fmt: skip
    figure.update_xaxes(title="edges", type=axis, showgrid=True)
    figure.update_yaxes(title="faithfulness", zeroline=True, showgrid=True)
    figure.add_hline(y=1, line={"color": theme.muted, "width": 1, "dash": "dot"})
    figure.update_layout(showlegend=True, legend=LEGEND)
    numbers = {name: float(data[name]) for name in ("faithfulness", "random_faithfulness", "cpr", "cmd")}
    about = (
        f"circuit of {int(data['edges'])} edges: faithfulness {numbers['faithfulness']:.3f}"
        f"{_interval(data, 'faithfulness')}, as many random edges {numbers['random_faithfulness']:.3f}; "
        f"CPR {numbers['cpr']:.3f}, CMD {numbers['cmd']:.3f}"
    ).replace("-", "−")
    return dress(
        figure, result, theme, title="Faithfulness of the circuit", about=about, notes=[SHARE], plot_height=320
    )


def random_curves(sizes: np.ndarray, drawn: Float[np.ndarray, "budget draw"], theme: Theme) -> list[go.Scatter]:
    """What random edges do at each size: the range of the draws, and their mean."""
    thin = {"line": {"width": 0}, "mode": "lines", "showlegend": False, "hoverinfo": "skip"}
    line = {"color": theme.muted, "width": 1.5}
    hover = f"random{HOVER}<extra></extra>"
    return [
        go.Scatter(x=sizes, y=drawn.min(1), **thin),
        go.Scatter(x=sizes, y=drawn.max(1), fill="tonexty", fillcolor="rgba(128,128,128,0.2)", **thin),
        go.Scatter(x=sizes, y=drawn.mean(1), name="random edges", mode="lines", line=line, hovertemplate=hover),
    ]


def _interval(data: Any, name: str) -> str:
    low, high = data[f"{name}_interval"].values.tolist()
    return f" [{low:.3f}, {high:.3f}]" if np.isfinite([low, high]).all() else ""


def _minimality(result: CircuitEvidence, theme: Theme, axis: str) -> go.Figure:
    """A bar a node."""
    data = result.data
    values, (low, high) = data["minimality"].values, data["minimality_interval"].values.T
    names, at = [str(name) for name in data["component"].values], np.arange(len(values))
    spread = {}
    if len(values) and np.isfinite([low, high]).all():
        spread = {"error_y": {"array": high - values, "arrayminus": values - low, "color": theme.ink, "thickness": 1.2}}
    words = [
        f"{escape(name)}<br>circuit without it and model without it differ by {apart:.3g}"
        for name, apart in zip(names, data["node_incompleteness"].values, strict=True)
    ]
    hover = f"%{{customdata}}<br>effect %{{y:+.3f}} {unit(result, 'minimality')}<extra></extra>"
    figure = go.Figure(bars(values, theme, x=at, y=values, customdata=words, hovertemplate=hover, **spread))
    figure.update_xaxes(ticks(at, names), title="node removed from the circuit", tickangle=-45)
    figure.update_yaxes(title=f"effect ({unit(result, 'minimality')})", zeroline=True, showgrid=True)
    about = f"incompleteness {float(data['incompleteness']):.3g}{_interval(data, 'incompleteness')}"
    title = "What removing each node from the circuit does"
    return dress(figure, result, theme, title=title, about=about, plot_height=280)


def _patched(result: CircuitEvidence, theme: Theme, axis: str) -> go.Figure:
    """A point an edge: its score across, its effect up."""
    data = result.data
    score, effect = data["edge_score"].values, data["edge_effect"].values
    low, high = data["edge_effect_interval"].values.T
    spread = {}
    if len(effect) and np.isfinite([low, high]).all():
        spread = {"error_y": {"array": high - effect, "arrayminus": effect - low, "color": theme.muted, "thickness": 1}}
    ends = zip(data["sender"].values, data["receiver"].values, data["selection_frequency"].values, strict=True)
    words = [f"{escape(u)} → {escape(v)}<br>among the strongest in {often:.0%} of resamples" for u, v, often in ends]
    points = go.Scatter(
        x=score,
        y=effect,
        mode="markers",
        marker={"color": theme.accent, "size": 8},
        customdata=words,
        hovertemplate="%{customdata}<br>score %{x:+.3f}<br>patched %{y:+.3f}<extra></extra>",
        showlegend=False,
        **spread,
    )
    figure = go.Figure(points)
    both = np.concatenate([score, effect])
    if unit(result, "edge_score") == unit(result, "edge_effect") and len(both):
        reach = [float(both.min()), float(both.max())]
        line = {"color": theme.muted, "width": 1, "dash": "dot"}
        figure.add_scatter(x=reach, y=reach, mode="lines", line=line, hoverinfo="skip", showlegend=False)
    figure.update_xaxes(title=f"score ({unit(result, 'edge_score')})", zeroline=True, showgrid=True)
    figure.update_yaxes(title=f"effect of patching ({unit(result, 'edge_effect')})", zeroline=True, showgrid=True)
    known = {"rank correlation": "rank_correlation", "linearisation error": "linearisation_error"}
    said = [f"{words} {float(data[name]):.2f}" for words, name in known.items() if np.isfinite(data[name])]
    about = "; ".join([f"{len(score)} edges", *said])
    title = "Scores of edges, and what patching them does"
    return dress(figure, result, theme, title=title, about=about.replace("-", "−"), plot_height=320)

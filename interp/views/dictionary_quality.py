"""A dictionary's quality: loss, feature density, probing, and agreement between seeds."""

from typing import Any, Literal

import numpy as np
import plotly.graph_objects as go

from interp.core.errors import OptionError
from interp.kinds import DictionaryQuality
from interp.views.chart import LEGEND, dress
from interp.views.choosing import choices_made, choose_row, names_of, unit
from interp.views.figures import view
from interp.views.labels import escape, ticks
from interp.views.marks import bars, cells, dotted, height, name_pairs, name_rows, points
from interp.views.theme import Theme

RUNS = {"clean": "as it is", "spliced": "reconstruction", "mean": "mean ablation", "zero": "zero ablation"}
CHOICES = {"loss": (), "features": (), "probing": ("k",), "mcc": ()}
BINS = 4  # a decade


@view.register
def quality(
    result: DictionaryQuality,
    theme: Theme,
    *,
    show: Literal["loss", "features", "probing", "mcc"] = "loss",
    k: int | None = None,
) -> go.Figure:
    """Loss with the reconstruction spliced in, compared with two ablations ("loss"); how often features are active
    ("features"); probes on `k` features, the largest k where none is given ("probing"); or the similarity of several
    dictionaries ("mcc")."""
    choices = choices_made(show, CHOICES[show], k=k)
    return {"loss": _loss, "features": _features, "probing": _probing, "mcc": _mcc}[show](result, theme, **choices)


def _loss(result: DictionaryQuality, theme: Theme) -> go.Figure:
    """Cross entropy of every run; KL from the clean one where no next token is predicted."""
    measure = "ce" if np.isfinite(result.data["ce_clean"].item()) else "kl"
    runs = [run for run in RUNS if f"{measure}_{run}" in result.data]
    values = [result.data[f"{measure}_{run}"].item() for run in runs]
    colours = [theme.accent if run in ("clean", "spliced") else theme.muted for run in runs]
    name = {"ce": "next-token cross entropy", "kl": "KL from the clean run"}[measure]
    names = [RUNS[run] for run in runs]
    figure = go.Figure(bars(colours, f"%{{x}}<br>{name} %{{y:.4f}} nats", x=names, y=values))
    figure.update_xaxes(title="what later layers read")
    figure.update_yaxes(title=f"{name} ({unit(result, f'{measure}_{runs[0]}')})", showgrid=True)
    data = result.data
    notes = [_recovery(result, ablation) for ablation in ("zero", "mean")]
    notes.append(
        f"L0 {data['l0'].item():.1f} · explained variance {data['explained_variance'].item():.3f} · dead features "
        f"{data['dead'].item():.1%} · features active at over 10 % of positions {data['dense'].item():.1%}"
    )
    title = "Loss with the dictionary's reconstruction in place of its site"
    return dress(figure, result, theme, title=title, notes=notes, plot_height=280)


def _recovery(result: DictionaryQuality, ablation: str) -> str:
    value = result.data[f"recovered_{ablation}"].item()
    low, high = result.data[f"recovered_{ablation}_interval"].values.tolist()
    if not np.isfinite(value):
        return ""
    interval = f" [{low:.1%}, {high:.1%}]" if np.isfinite(low) else ""
    return f"loss recovered: {value:.1%}{interval}, relative to {ablation} ablation"


def _features(result: DictionaryQuality, theme: Theme) -> go.Figure:
    """Distribution of feature density, on a logarithmic axis."""
    density = result.values("density").values
    alive = np.log10(density[density > 0])
    edges = np.arange(np.floor(alive.min(initial=0) * BINS), 1) / BINS
    counts, edges = np.histogram(alive, bins=edges if len(edges) > 1 else [-1 / BINS, 0])
    hover = "active at %{customdata[0]:.3%} to %{customdata[1]:.3%} of positions<br>%{y} features"
    middles, ends = (edges[:-1] + edges[1:]) / 2, np.stack([10 ** edges[:-1], 10 ** edges[1:]], -1)
    trace = bars(theme.accent, hover, x=middles, y=counts, width=np.diff(edges), customdata=ends)
    figure = go.Figure(trace.update(marker={"line": {"width": 1, "color": theme.card}}))
    decades = np.arange(np.floor(edges[0]), 1)
    figure.update_xaxes(ticks(decades, [f"{10**place:.6g}" for place in decades]), title="share of positions")
    figure.update_yaxes(title="features", showgrid=True)
    notes = [f"{int((density == 0).sum()):,} of {len(density):,} features were never active and are not shown"]
    return dress(figure, result, theme, title="How often features are active", notes=notes, plot_height=280)


def _probing(result: DictionaryQuality, theme: Theme, k: int | None = None) -> go.Figure:
    """Probe accuracy by target, compared with shuffled labels and raw dimensions."""
    _require(result, "accuracy", "probing: no target had enough examples; give more windows")
    budgets = result.data["budget"].values
    row = len(budgets) - 1 if k is None else choose_row(result, "budget", k)
    names = names_of(result, "target")
    looks = (
        ("accuracy", "features", theme.accent, "circle"),
        ("raw_accuracy", "raw dimensions", theme.against, "diamond"),
        ("shuffled_accuracy", "features, shuffled labels", theme.muted, "circle-open"),
    )
    figure = go.Figure()
    for name, words, colour, symbol in looks:
        hover, y = f"%{{customdata}}<br>{words}<br>balanced accuracy %{{y:.3f}}", result.values(name).values[:, row]
        marker, targets = {"size": 9, "color": colour, "symbol": symbol}, [escape(target) for target in names]
        figure.add_trace(points(np.arange(len(names)), y, marker, hover, name=words, customdata=targets))
    figure.add_hline(y=0.5, line=dotted(theme))
    figure.update_xaxes(ticks(range(len(names)), names, limit=24), title="probing target", tickangle=-45)
    figure.update_yaxes(title="balanced accuracy", showgrid=True)
    figure.update_layout(showlegend=True, legend=LEGEND)
    count = int(budgets[row])
    title = f"Probing with {count} feature{'' if count == 1 else 's'} of the dictionary"
    return dress(figure, result, theme, title=title, notes=["dotted: chance"], plot_height=300)


def _mcc(result: DictionaryQuality, theme: Theme) -> go.Figure:
    """How well the decoders of every two dictionaries match."""
    _require(result, "mcc", "mcc: only one dictionary was measured; name others with the option others")
    names, z = names_of(result, "dictionary"), result.values("mcc").values
    at = np.arange(len(names))
    more: dict[str, Any] = {"x": at, "y": at, "customdata": name_pairs(names), "zmin": 0, "zmax": 1}
    figure = go.Figure(cells(z, theme, signed=False, hover="%{customdata}<br>MCC %{z:.3f}", **more))
    figure.update_xaxes(ticks(at, names, limit=24), title="dictionary", tickangle=-45)
    name_rows(figure, names, "dictionary")
    tall = height(len(names), 40, 120, 480)
    return dress(figure, result, theme, title="Similarity of the dictionaries", plot_height=tall, bar="MCC")


def _require(result: DictionaryQuality, variable: str, missing: str) -> None:
    if variable not in result.data:
        raise OptionError(f"this result holds no {missing}")

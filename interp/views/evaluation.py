"""How far attribution methods can be trusted: removal curves beside random orders, agreement, known evidence."""

from typing import Literal

import numpy as np
import plotly.graph_objects as go

from interp.core.result import Result
from interp.kinds import Agreement, Faithfulness, MethodScores
from interp.views.chart import (
    LEGEND,
    about_prompt,
    cells,
    choose_one,
    choose_row,
    dress,
    mean_over_prompts,
    signed_number,
    unit,
)
from interp.views.figures import view
from interp.views.labels import escape, ticks
from interp.views.theme import CLEAR, Theme

EVIDENCE = {
    "mrr": "mean reciprocal rank of the evidence",
    "rma": "share of relevance on the evidence",
    "pointing": "the most relevant token is evidence",
    "pointing_k": "evidence among the most relevant tokens",
}
DASHES = ("solid", "dash", "dot", "dashdot", "longdash")


@view.register
def faithfulness(
    result: Faithfulness,
    theme: Theme,
    *,
    show: Literal["curve", "comprehensiveness", "sufficiency", "deletion_auc", "insertion_auc"] = "curve",
    method: str | None = None,
    prompt: int | None = None,
) -> go.Figure:
    """The metric as tokens are removed, most and least relevant first, beside random orders; of one `method`, or with
    the most relevant first of all. Or one of the scores (`show`) of every method beside the control's.

    Several prompts are averaged unless `prompt` names one; bands and bars are 95 % intervals.
    """
    row = _row(result, prompt)
    names = [str(name) for name in result.data["method"].values]
    if show != "curve":
        return _faithfulness_bars(result, theme, row, show, names)
    if method is not None:
        choose_one("method", method, names[:-1])
    shown = [method] if method is not None else names[:-1]
    figure = go.Figure(_random_curves(result, theme, row))
    for number, name in enumerate(shown):
        figure.add_traces(_method_curves(result, theme, row, names.index(name), number, both=len(shown) == 1))
    figure.update_xaxes(title="tokens removed", tickformat=".0%", range=[0, 1])
    figure.update_yaxes(title=f"metric ({unit(result, 'curve')})", zeroline=True, showgrid=True)
    figure.update_layout(showlegend=True, legend=LEGEND)
    title = "The answer as tokens are removed"
    notes = _scores(result, row, names.index(method)) if method is not None else []
    return dress(figure, result, theme, title=title, about=about_prompt(result, row), notes=notes, plot_height=300)


def _scores(result: Faithfulness, row: int | None, at: int) -> list[str]:
    """What removal says of one method, and of random orders (means where no row)."""
    keep = slice(None) if row is None else slice(row, row + 1)
    data = result.data.isel(batch=keep).mean("batch")
    told = []
    for name in ("comprehensiveness", "sufficiency"):
        own, control = float(data[name][at]), float(data["control"].sel(score=name))
        told.append(f"{name} {signed_number(own)} (random {signed_number(control)})")
    return [*told, f"beats {float(data['beats_random'][at]):.0%} of random orders"]


def _row(result: Result, prompt: int | None) -> int | None:
    """The prompt that is shown; None for the mean over several."""
    one = prompt is not None or result.data.sizes["batch"] == 1
    return choose_row(result, "batch", prompt) if one else None


def _random_curves(result: Faithfulness, theme: Theme, row: int | None) -> list[go.Scatter]:
    """The control: its mean, and its interval over random orders (over prompts, where several are averaged)."""
    curve = result.values("curve").values[:, -1, 0]
    if row is None:
        mean, low, high = mean_over_prompts(curve)
    else:
        mean, (low, high) = curve[row], result.random.values[row].T
    at = result.data["fraction"].values
    edge = {"line": {"width": 0}, "showlegend": False, "hoverinfo": "skip"}
    low, high = (mean if end is None else np.where(np.isfinite(end), end, mean) for end in (low, high))
    line = {"color": theme.muted, "width": 1.5}
    fill = "rgba(128,128,128,0.2)"
    hover = (
        "random order<br>%{x:.0%} removed<br>%{y:+.3f} [%{customdata[0]:+.3f}, %{customdata[1]:+.3f}]<extra></extra>"
    )
    ends = np.stack([low, high], -1)
    return [
        go.Scatter(x=at, y=low, mode="lines", **edge),
        go.Scatter(x=at, y=high, mode="lines", fill="tonexty", fillcolor=fill, **edge),
        go.Scatter(x=at, y=mean, mode="lines", line=line, name="random", customdata=ends, hovertemplate=hover),
    ]


def _method_curves(
    result: Faithfulness, theme: Theme, row: int | None, at: int, number: int, *, both: bool
) -> list[go.Scatter]:
    """One method's curve with the most relevant tokens first, and where `both` that with the least relevant first."""
    name = str(result.data["method"].values[at])
    orders = (("morf", "most relevant first", theme.accent), ("lerf", "least relevant first", theme.negative))
    palette, lines = (theme.accent, theme.positive, theme.negative, theme.ink), []
    for order, words, colour in orders[: 2 if both else 1]:
        curve = result.values("curve").sel(order=order).values[:, at]
        said = escape(words if both else name)
        trace = go.Scatter(
            x=result.data["fraction"].values,
            y=curve.mean(0) if row is None else curve[row],
            mode="lines+markers",
            marker={"size": 5},
            line={
                "color": colour if both else palette[number % len(palette)],
                "dash": DASHES[number % len(DASHES)],
                "width": 2,
            },
            name=said,
            hovertemplate=f"{escape(name)}, {words}<br>%{{x:.0%}} removed<br>%{{y:+.3f}}<extra></extra>",
        )
        lines.append(trace)
    return lines


def _faithfulness_bars(result: Faithfulness, theme: Theme, row: int | None, show: str, names: list[str]) -> go.Figure:
    values = result.values(show).values
    figure = _method_bars(
        result, theme, row, values[:, :-1], names[:-1], f"{show.replace('_', ' ')} ({unit(result, show)})"
    )
    at = list(result.data["score"].values).index(show)
    control, ends = result.control.values[:, at], result.values("control_interval").values[:, at]
    if row is None:
        middle, lower, upper = (float(end) for end in mean_over_prompts(control))  # pyright: ignore[reportArgumentType]
    else:
        middle, lower, upper = map(float, (control[row], *ends[row]))
    if np.isfinite([lower, upper]).all():
        figure.add_vrect(x0=lower, x1=upper, fillcolor=theme.muted, opacity=0.2, line_width=0, layer="below")
    figure.add_vline(x=middle, line={"color": theme.muted, "width": 1.5})
    title = f"{show.replace('_', ' ').replace('auc', 'AUC').capitalize()} of every method"
    note = f"random orders: {middle:+.3g} [{lower:+.3g}, {upper:+.3g}] (the line and its band)".replace("-", "−")
    return _finish_bars(figure, result, theme, row, names[:-1], title, note)


def _method_bars(
    result: Result, theme: Theme, row: int | None, values: np.ndarray, names: list[str], axis: str
) -> go.Figure:
    """A bar for each method, with its interval over prompts where several are averaged."""
    mean, low, high = (values[row], None, None) if row is not None else mean_over_prompts(values)
    spread = {}
    if low is not None and high is not None:
        spread = {"error_x": {"array": high - mean, "arrayminus": mean - low, "color": theme.ink, "thickness": 1.2}}
    trace = go.Bar(
        x=mean,
        y=np.arange(len(names)),
        orientation="h",
        width=0.6,
        marker={"color": theme.accent, "line": {"width": 0, "color": CLEAR}},
        customdata=[escape(name) for name in names],
        hovertemplate="%{customdata}<br>%{x:.4g}<extra></extra>",
        **spread,
    )
    figure = go.Figure(trace)
    figure.update_xaxes(title=escape(axis), zeroline=True, showgrid=True)
    return figure


def _finish_bars(
    figure: go.Figure, result: Result, theme: Theme, row: int | None, names: list[str], title: str, note: str = ""
) -> go.Figure:
    figure.update_yaxes(ticks(range(len(names)), names, most=200, limit=28), title="method", autorange="reversed")
    notes = [note] if note else []
    height = 30 * len(names) + 20
    return dress(figure, result, theme, title=title, about=about_prompt(result, row), notes=notes, plot_height=height)


@view.register
def agreement(
    result: Agreement,
    theme: Theme,
    *,
    show: Literal["rank_correlation", "magnitude_correlation", "top_overlap"] = "rank_correlation",
    prompt: int | None = None,
) -> go.Figure:
    """How alike every two methods rank the tokens: rank correlation (of signed or absolute relevance), or the overlap
    of their largest. Several prompts are averaged unless `prompt` names one."""
    row = _row(result, prompt)
    values = result.values(show).values
    z = values[row] if row is not None else mean_over_prompts(values)[0]
    names = [str(name) for name in result.data["method"].values]
    numbers = list(range(len(names)))
    chance = float(
        np.mean(result.values("chance_overlap").values if row is None else result.values("chance_overlap").values[row])
    )
    words = show.replace("_", " ")
    trace = cells(
        z,
        theme,
        signed=show != "top_overlap",
        hover=f"%{{customdata}}<br>{words} %{{z:.3f}}",
        x=numbers,
        y=numbers,
        customdata=[[f"{escape(one)} and {escape(other)}" for other in names] for one in names],
        zmin=0 if show == "top_overlap" else -1,
        zmax=1,
        colorbar={"tickvals": [0, 1] if show == "top_overlap" else [-1, 0, 1], "ticktext": None},
        texttemplate="%{z:.2f}",
    )
    figure = go.Figure(trace)
    figure.update_xaxes(ticks(numbers, names, limit=28), title="method", tickangle=-45)
    figure.update_yaxes(ticks(numbers, names, limit=28), title="method", autorange="reversed")
    return dress(
        figure,
        result,
        theme,
        title=f"Agreement between methods: {words}",
        about=about_prompt(result, row),
        notes=[f"two random choices of top tokens overlap by {chance:.2f}"],
        plot_height=int(np.clip(40 * len(names), 120, 600)),
        bar=words,
    )


@view.register
def method_scores(
    result: MethodScores,
    theme: Theme,
    *,
    show: Literal["mrr", "rma", "pointing", "pointing_k"] = "mrr",
    prompt: int | None = None,
) -> go.Figure:
    """How well each method finds the evidence, as the mean over prompts that the model answers right, with its 95 %
    interval; or of one `prompt`."""
    row = _row(result, prompt)
    names = [str(name) for name in result.data["method"].values]
    figure = _method_bars(result, theme, row, result.values(show).values, names, EVIDENCE[show])
    right = result.values("correct").values
    note = f"{int(np.nansum(right))} of {len(right)} prompts are answered right and counted"
    return _finish_bars(figure, result, theme, row, names, EVIDENCE[show].capitalize(), note)

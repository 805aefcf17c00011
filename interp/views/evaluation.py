"""How far to trust attribution methods: deletion curves compared with random orders, agreement, known evidence."""

from typing import Any, Literal

import numpy as np
import plotly.graph_objects as go

from interp.core.result import Result
from interp.kinds import Agreement, Faithfulness, MethodScores, Scorecard
from interp.views.chart import LEGEND, dress
from interp.views.choosing import about_prompt, choose_one, names_of, of_prompt, row_or_mean, unit
from interp.views.figures import view
from interp.views.labels import escape, ticks
from interp.views.marks import (
    band,
    cells,
    curve,
    height,
    list_bars,
    name_pairs,
    name_rows,
    number_axes,
    signed_number,
    whiskers,
)
from interp.views.theme import Theme

EVIDENCE = {
    "mrr": "mean reciprocal rank of the evidence",
    "rma": "share of relevance on the evidence",
    "pointing": "the top token is evidence",
    "pointing_k": "evidence among the top-k tokens",
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
    """The metric as tokens are removed, most and least relevant first, compared with random orders; of one `method`, or
    with the most relevant first of all. Or one of the scores (`show`) of every method, compared with the control's.

    Several prompts are averaged unless `prompt` names one; bands and bars are 95 % intervals.
    """
    row, names = row_or_mean(result, prompt), names_of(result, "method")
    if show != "curve":
        return _faithfulness_bars(result, theme, row, show, names)
    if method is not None:
        choose_one("method", method, names[:-1])
    methods = [method] if method is not None else names[:-1]
    figure = go.Figure(_random_curves(result, theme, row))
    for number, name in enumerate(methods):
        figure.add_traces(_method_curves(result, theme, row, names.index(name), number, both=len(methods) == 1))
    figure.update_xaxes(title="tokens removed", tickformat=".0%", range=[0, 1])
    number_axes(figure, y=f"metric ({unit(result, 'curve')})")
    figure.update_layout(showlegend=True, legend=LEGEND)
    title = "The metric as tokens are removed"
    notes = _scores(result, row, names.index(method)) if method is not None else []
    return dress(figure, result, theme, title=title, about=about_prompt(result, row), notes=notes, plot_height=300)


def _scores(result: Faithfulness, row: int | None, at: int) -> list[str]:
    """What removal says of one method, and of random orders (means where no row)."""
    keep = slice(None) if row is None else slice(row, row + 1)
    data = result.data.isel(batch=keep).mean("batch")
    lines = []
    for name in ("comprehensiveness", "sufficiency"):
        own, control = float(data[name][at]), float(data["control"].sel(score=name))
        lines.append(f"{name} {signed_number(own)} (random {signed_number(control)})")
    return [*lines, f"better than {float(data['beats_random'][at]):.0%} of random orders"]


def _random_curves(result: Faithfulness, theme: Theme, row: int | None) -> list[go.Scatter]:
    """The control: its mean, and its interval over random orders (over prompts, where several are averaged)."""
    mean, low, high = of_prompt(result.values("curve").values[:, -1, 0], row)
    if row is not None:
        low, high = result.random.values[row].T
    at = result.data["fraction"].values
    low, high = (mean if end is None else np.where(np.isfinite(end), end, mean) for end in (low, high))
    hover = "random order<br>%{x:.0%} removed<br>%{y:+.3f} [%{customdata[0]:+.3f}, %{customdata[1]:+.3f}]"
    ends = np.stack([low, high], -1)
    return [*band(at, low, high), curve(at, mean, theme.muted, hover, width=1.5, name="random", customdata=ends)]


def _method_curves(
    result: Faithfulness, theme: Theme, row: int | None, at: int, number: int, *, both: bool
) -> list[go.Scatter]:
    """One method's curve with the most relevant tokens first, and where `both` that with the least relevant first."""
    name = str(result.data["method"].values[at])
    orders = (("morf", "most relevant first", theme.accent), ("lerf", "least relevant first", theme.against))
    palette, lines = (theme.accent, theme.support, theme.against, theme.ink), []
    for order, words, colour in orders[: 2 if both else 1]:
        values = result.values("curve").sel(order=order).values[:, at]
        more = {"mode": "lines+markers", "marker": {"size": 5}, "name": escape(words if both else name)}
        hover = f"{escape(name)}, {words}<br>%{{x:.0%}} removed<br>%{{y:+.3f}}"
        dash, look = DASHES[number % len(DASHES)], colour if both else palette[number % len(palette)]
        y = values.mean(0) if row is None else values[row]
        lines.append(curve(result.data["fraction"].values, y, look, hover, dash=dash, **more))
    return lines


def _faithfulness_bars(result: Faithfulness, theme: Theme, row: int | None, show: str, names: list[str]) -> go.Figure:
    name = show.replace("_", " ")
    values, axis = result.values(show).values[:, :-1], f"{name} ({unit(result, show)})"
    figure = _method_bars(theme, row, values, names[:-1], axis)
    at = list(result.data["score"].values).index(show)
    control, ends = result.control.values[:, at], result.values("control_interval").values[:, at]
    middle, *interval = of_prompt(control, row)
    lower, upper = map(float, interval if row is None else ends[row])  # pyright: ignore[reportArgumentType]
    if np.isfinite([lower, upper]).all():
        figure.add_vrect(x0=lower, x1=upper, fillcolor=theme.muted, opacity=0.2, line_width=0, layer="below")
    figure.add_vline(x=middle, line={"color": theme.muted, "width": 1.5})
    title = f"{name.replace('auc', 'AUC').capitalize()} by method"
    note = f"random orders: {middle:+.3g} [{lower:+.3g}, {upper:+.3g}] (the line and its band)".replace("-", "−")
    return _finish_bars(figure, result, theme, row, names[:-1], title, note)


def _method_bars(theme: Theme, row: int | None, values: np.ndarray, names: list[str], axis: str) -> go.Figure:
    """A bar for each method, with its interval over prompts where several are averaged."""
    mean, low, high = of_prompt(values, row)
    more: dict[str, Any] = whiskers("x", mean, low, high, theme.ink) | {"customdata": [escape(name) for name in names]}
    figure = go.Figure(list_bars(mean, theme.accent, "%{customdata}<br>%{x:.4g}", **(more | {"width": 0.6})))
    number_axes(figure, escape(axis))
    return figure


def _finish_bars(
    figure: go.Figure, result: Result, theme: Theme, row: int | None, names: list[str], title: str, note: str = ""
) -> go.Figure:
    name_rows(figure, names, "method", limit=28)
    notes = [note] if note else []
    about, tall = about_prompt(result, row), 30 * len(names) + 20
    return dress(figure, result, theme, title=title, about=about, notes=notes, plot_height=tall)


@view.register
def agreement(
    result: Agreement,
    theme: Theme,
    *,
    show: Literal["rank_correlation", "magnitude_correlation", "top_overlap"] = "rank_correlation",
    prompt: int | None = None,
) -> go.Figure:
    """How similarly every two methods rank the tokens: rank correlation (of signed or absolute relevance), or top-k
    overlap. Averaged over prompts unless `prompt` names one."""
    row, names = row_or_mean(result, prompt), names_of(result, "method")
    z, numbers = of_prompt(result.values(show).values, row)[0], np.arange(len(names))
    chance = float(of_prompt(result.values("chance_overlap").values, row)[0])
    words = show.replace("_", " ")
    least = 0 if show == "top_overlap" else -1
    more: dict[str, Any] = {"x": numbers, "y": numbers, "customdata": name_pairs(names), "zmin": least, "zmax": 1}
    more |= {"colorbar": {"tickvals": [0, 1] if least == 0 else [-1, 0, 1], "ticktext": None}}
    hover = f"%{{customdata}}<br>{words} %{{z:.3f}}"
    figure = go.Figure(cells(z, theme, signed=least < 0, hover=hover, texttemplate="%{z:.2f}", **more))
    figure.update_xaxes(ticks(numbers, names, limit=28), title="method", tickangle=-45)
    name_rows(figure, names, "method", limit=28)
    notes, about = [f"expected overlap of random top tokens: {chance:.2f}"], about_prompt(result, row)
    title, tall = f"Agreement between methods: {words}", height(len(names), 40, 120, 600)
    sides = "" if least < 0 else None
    return dress(
        figure, result, theme, title=title, about=about, notes=notes, plot_height=tall, bar=words, supports=sides
    )


@view.register
def method_scores(
    result: MethodScores,
    theme: Theme,
    *,
    show: Literal["mrr", "rma", "pointing", "pointing_k"] = "mrr",
    prompt: int | None = None,
) -> go.Figure:
    """How well each method finds the evidence: mean over prompts that the model answers correctly, with its 95 %
    interval; or one `prompt`."""
    row, names = row_or_mean(result, prompt), names_of(result, "method")
    figure = _method_bars(theme, row, result.values(show).values, names, EVIDENCE[show])
    right = result.values("correct").values
    note = f"{int(np.nansum(right))} of {len(right)} prompts are answered correctly and counted"
    return _finish_bars(figure, result, theme, row, names, EVIDENCE[show].capitalize(), note)


FOUND = {
    "auc": "area under the ROC curve",
    "average_precision": "average precision",
    "precision": "precision at the true size",
    "static_auc": "area under the ROC curve, against all that could carry anything",
}


@view.register
def scorecard(
    result: Scorecard,
    theme: Theme,
    *,
    show: Literal["auc", "average_precision", "precision", "static_auc"] = "auc",
    finds: str | None = None,
    model: str | None = None,
) -> go.Figure:
    """How well each method finds what is true: mean over models, with its 95 % interval over models and draws, or one
    `model`. Of the methods that find edges, or another thing (`finds`); best first, baselines grey."""
    things, models = list(dict.fromkeys(names_of(result, "finds"))), names_of(result, "model")
    finds = choose_one("finds", finds or ("edges" if "edges" in things else things[0]), things)
    data = result.data.isel(method=np.flatnonzero(result.data["finds"].values == finds))
    if model is not None:
        data = data.sel(model=choose_one("model", model, models))
    name = f"overall_{show}" if model is None else show
    data = data.isel(method=np.argsort(-np.nan_to_num(data[name].values, nan=-1), kind="stable"))
    names, values = [str(each) for each in data["method"].values], data[name].values
    low, high = data[f"{name}_interval"].values.T if model is None else (None, None)
    notes = [f"{count:.0f} models" for count in data["models"].values] if model is None else data["reason"].values
    more: dict[str, Any] = whiskers("x", values, low, high, theme.ink) | {
        "customdata": [f"{escape(each)}<br>{escape(str(note))}" for each, note in zip(names, notes, strict=True)]
    }
    colours = [theme.accent if engine else theme.muted for engine in data["engine"].values]
    figure = go.Figure(list_bars(values, colours, "%{customdata}<br>%{x:.3f}", **(more | {"width": 0.6})))
    number_axes(figure, escape(FOUND[show]))
    name_rows(figure, names, "method", limit=28)
    about = f"mean over {len(models)} models" if model is None else model
    title, tall = f"How well methods find {finds}", 30 * len(names) + 20
    return dress(figure, result, theme, title=title, about=about, plot_height=tall)

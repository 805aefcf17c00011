"""Effects of edits on the answer: one place at a time, or several at once."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from interp.core.errors import OptionError
from interp.kinds import Ablation, Effects
from interp.views.chart import LEGEND, dress
from interp.views.choosing import Places, about_prompt, choose_row, of_prompt, places, row_or_mean, unit
from interp.views.figures import view
from interp.views.grid import head_grid
from interp.views.heads import draw_grid
from interp.views.labels import escape, quoted, shorten, ticks, visible
from interp.views.marks import bars, cells, height, list_bars, number_axes, points, sign_colours, signed_number
from interp.views.theme import Theme, theme_named

TITLE = "Effect on the answer"


@view.register
def effects(
    result: Effects,
    theme: Theme,
    *,
    prompt: int | None = None,
    layer: int | None = None,
    head: int | None = None,
    expert: int | None = None,
    pos: int | None = None,
) -> go.Figure:
    """The effect at every place, over as many axes as the result has.

    Several prompts are averaged unless `prompt` names one or the result has positions (then: the first). `layer`,
    `head`, `expert` and `pos` show a slice; three axes without one are cut at the position of the largest effect.
    """
    array = result.values("effect")
    choices = {"layer": layer, "head": head, "expert": expert, "pos": pos}
    cuts = {name: value for name, value in choices.items() if value is not None}
    absent = [name for name in cuts if name not in array.dims]
    if absent:
        raise OptionError(f"these effects have no {absent[0]} axis; choose from {' '.join(map(str, array.dims))}")
    if not cuts and array.dims == ("batch", "layer", "head"):
        return draw_grid(head_grid(result, prompt=prompt), result, theme, title=f"{TITLE}, every head")
    if array.dims == ("batch",):
        return _by_prompt(result, theme, result.values("effect").values, f"effect ({unit(result, 'effect')})")
    row = row_or_mean(result, prompt) if result.is_comparable else choose_row(result, "batch", prompt)
    return _slice(result, theme, of_prompt(array.values, row)[0], row, cuts)


def _slice(result: Effects, theme: Theme, values: np.ndarray, row: int | None, cuts: dict[str, int]) -> go.Figure:
    """Cut these axes away and draw what is left: a curve of bars or a heat map."""
    axes = [str(dim) for dim in result.values("effect").dims[1:]]
    if len(axes) - len(cuts) == 3:
        largest = np.unravel_index(np.nanargmax(np.abs(values)), values.shape)
        cuts = {"pos": int(result.data["pos"].values[largest[axes.index("pos")]])}
    title = TITLE
    for name, label in cuts.items():
        values = np.take(values, choose_row(result, name, label), axis=axes.index(name))
        axes.remove(name)
        title += f", {'position' if name == 'pos' else name} {label}"
    about = about_prompt(result, row)
    rest = {axis: _labels(result, axis, row or 0) for axis in axes}
    values = values[np.ix_(*(indices for indices, _ in rest.values()))] if rest else values.reshape(1)
    if len(axes) == 2:
        return _map(result, theme, values, rest, title=title, about=about)
    axis, along = next(iter(rest.items())) if rest else ("place", Places(np.arange(1), ["here"]))
    return _line(result, theme, values, along, axis=axis, title=title, about=about)


def _labels(result: Effects, axis: str, row: int) -> Places:
    if axis == "pos":
        return places(result, "pos", row)
    return Places(np.arange(result.data.sizes[axis]), [str(label) for label in result.data[axis].values])


def _map(
    result: Effects, theme: Theme, values: np.ndarray, axes: dict[str, Places], *, title: str, about: str
) -> go.Figure:
    """Two axes: layers up (or heads down), the other across."""
    (down, (rows, row_labels)), (across, (columns, column_labels)) = axes.items()
    if (down, across) == ("layer", "head"):
        values, (down, rows, row_labels), (across, columns, column_labels) = (
            values.T, (across, columns, column_labels), (down, rows, row_labels),
        )  # fmt: skip
    at_columns = columns if across == "pos" else [int(label) for label in column_labels]
    at_rows = [int(label) for label in row_labels]
    names = np.array([quoted(label) if across == "pos" else label for label in column_labels], dtype=object)
    hover = f"{down} %{{y}}, {across} %{{customdata}}<br>effect %{{z:+.3f}} {unit(result, 'effect')}"
    place: dict[str, Any] = {"x": at_columns, "y": at_rows, "customdata": np.broadcast_to(names, values.shape)}
    figure = go.Figure(cells(values, theme, signed=True, hover=hover, supports=result.supports("effect"), **place))
    _place_axis(figure, across, at_columns, column_labels)
    figure.update_yaxes(ticks(at_rows, row_labels, most=32), title=down)
    if down == "head":
        figure.update_yaxes(autorange="reversed")
    tall, bar = height(len(rows), 20, 140, 640), unit(result, "effect")
    sides = result.supports("effect")
    return dress(figure, result, theme, title=title, about=about, plot_height=tall, bar=bar, supports=sides)


def _line(
    result: Effects, theme: Theme, values: np.ndarray, along: Places, *, axis: str, title: str, about: str
) -> go.Figure:
    """One axis: a bar for each place."""
    names = [quoted(label) if axis == "pos" else escape(label) for label in along.labels]
    at = along.at if axis in ("pos", "place") else [int(label) for label in along.labels]
    hover = f"{axis} %{{customdata}}<br>effect %{{y:+.3f}} {unit(result, 'effect')}"
    sides = result.supports("effect")
    figure = go.Figure(bars(sign_colours(values, theme, sides), hover, x=at, y=values, customdata=names))
    _place_axis(figure, axis, at, along.labels, most=40)
    number_axes(figure, y=f"effect ({unit(result, 'effect')})")
    return dress(figure, result, theme, title=title, about=about, plot_height=260, supports=sides)


def _place_axis(figure: go.Figure, axis: str, at: Any, labels: Sequence[str], **more: int) -> None:
    title, angle = ("position", -45) if axis == "pos" else (axis, None)
    figure.update_xaxes(ticks(at, labels, **more), title=title, tickangle=angle)


def _by_prompt(result: Effects, theme: Theme, values: np.ndarray, name: str) -> go.Figure:
    numbers, hover, sides = range(len(values)), "%{customdata}<br>effect %{y:+.3f}", result.supports("effect")
    colours, at = sign_colours(values, theme, sides), np.arange(len(values))
    figure = go.Figure(bars(colours, hover, x=at, y=values, customdata=_prompts(result)))
    figure.update_xaxes(ticks(numbers, numbers, most=40), title="prompt")
    number_axes(figure, y=name)
    return dress(figure, result, theme, title=f"{TITLE}, prompt by prompt", plot_height=260, supports=sides)


def _prompts(result: Effects | Ablation) -> list[str]:
    if "prompt" not in result.data.coords:
        return [f"prompt {row}" for row in result.data.batch.values]
    return [f"“{escape(shorten(visible(str(text)), 90))}”" for text in result.data["prompt"].values]


@view.register
def ablated(result: Ablation, theme: Theme, *, prompt: int | None = None) -> go.Figure:
    """The answer before and after: of one prompt with its likeliest tokens, or the metric of every prompt."""
    if prompt is not None or result.data.sizes["batch"] == 1:
        return _tokens(result, theme, choose_row(result, "batch", prompt))
    before, after = result.values("clean").values, result.values("edited").values
    numbers = np.arange(len(before))
    figure = go.Figure()
    for name, values, colour in (("before", before, theme.muted), ("after", after, theme.accent)):
        marker = {"color": colour, "size": 8, "symbol": "circle-open" if name == "before" else "circle"}
        hover = f"%{{customdata}}<br>{name} %{{y:+.3f}}"
        figure.add_trace(points(numbers, values, marker, hover, name=name, customdata=_prompts(result)))
    for number, start, end in zip(numbers, before, after, strict=True):
        figure.add_shape(type="line", x0=number, x1=number, y0=start, y1=end, line={"color": theme.line}, layer="below")
    figure.update_xaxes(ticks(numbers, numbers, most=40), title="prompt")
    number_axes(figure, y=f"metric ({unit(result, 'clean')})")
    figure.update_layout(showlegend=True, legend=LEGEND)
    about = f"{len(before)} prompts; mean effect {signed_number(float(result.values('effect').values.mean()))}"
    return dress(figure, result, theme, title="The answer before and after", about=about, plot_height=260)


def before_after(result: Ablation, *, prompt: int | None = None, theme: str = "light") -> go.Figure:
    """The most likely tokens before and after, side by side, with the metric of both; by default of the first prompt.

    Raises: OptionError for a prompt that the result does not have.
    """
    return _tokens(result, theme_named(theme), choose_row(result, "batch", prompt))


def predictions(result: Ablation, *, theme: str = "light") -> go.Figure:
    """The most likely next tokens of every prompt before any edit, side by side."""
    look, count = theme_named(theme), result.data.sizes["batch"]
    figure = make_subplots(rows=1, cols=count, horizontal_spacing=0.24 / max(1, count - 1))
    longest = float(result.values("clean_prob").values.max())
    for row in range(count):
        add_tokens(figure, result, look, row, "clean", f"after prompt {row + 1}", (1, row + 1), longest)
    values = [
        f"prompt {number} {signed_number(float(value))}"
        for number, value in enumerate(result.values("clean").values, start=1)
    ]
    unit_of = str(result.values("clean").attrs.get("unit", ""))
    about = f"{'; '.join(values)} {unit_of}" if np.isfinite(result.values("clean").values).all() else ""
    data = result.data.assign_attrs(measured=f"{result.provenance.metric}, and the probabilities where it is read")
    tall = 22 * len(result.data["rank"]) + 20
    return dress(
        figure, replace(result, data=data), look, title="What the model predicts", about=about, plot_height=tall
    )


def prediction_table(result: Ablation) -> pd.DataFrame:
    """What `predictions` draws: each prompt's most likely tokens, with its metric."""
    frame = result.to_frame().drop(columns=["edited", "effect", "edited_token", "edited_prob"])
    return frame.rename(columns={"clean": "metric", "clean_token": "token", "clean_prob": "probability"})


def effects_of_nodes(results: Mapping[str, Effects], *, theme: str = "light") -> go.Figure:
    """Effects of every head and, in a row of their own, of every MLP; `results` are of the one and of the other."""
    look, grid = theme_named(theme), None
    rows: list[np.ndarray] = []
    for result in results.values():
        if "head" in result.data.dims:
            grid = head_grid(result)
            rows.insert(0, grid.values.T)
        else:
            rows.append(of_prompt(result.values("effect").values, row_or_mean(result, None))[0][None])
    first = next(iter(results.values()))
    z = np.concatenate(rows)
    layers = first.data["layer"].values
    names = [*(grid.heads if grid else ()), *(["MLP"] if len(rows) > 1 or grid is None else [])]
    at, hover = np.arange(len(names)), f"layer %{{x}}, %{{customdata}}<br>effect %{{z:+.3f}} {unit(first, 'effect')}"
    words = np.broadcast_to(np.array([[f"head {name}" if name != "MLP" else name] for name in names]), z.shape)
    sides = first.supports("effect")
    figure = go.Figure(cells(z, look, signed=True, hover=hover, supports=sides, x=layers, y=at, customdata=words))
    figure.update_xaxes(ticks(layers, layers, most=32), title="layer")
    figure.update_yaxes(ticks(at, names, most=32), title="head", autorange="reversed")
    about, tall = about_prompt(first, row_or_mean(first, None)), height(len(names), 24, 140, 640)
    title, bar = f"{TITLE}, every head and MLP", unit(first, "effect")
    return dress(figure, first, look, title=title, about=about, plot_height=tall, bar=bar, supports=sides)


def _tokens(result: Ablation, theme: Theme, row: int) -> go.Figure:
    figure = make_subplots(rows=1, cols=2, horizontal_spacing=0.24)
    longest = max(float(result.values(f"{side}_prob").values[row].max()) for side in ("clean", "edited"))
    for column, (side, name) in enumerate((("clean", "before"), ("edited", "after")), start=1):
        add_tokens(figure, result, theme, row, side, name, (1, column), longest)
    before, after, effect = (float(result.values(name).values[row]) for name in ("clean", "edited", "effect"))
    title, measure = "Before and after", result.values("effect").attrs.get("unit", "")
    if not np.isnan(effect):
        title += f": {signed_number(before)} → {signed_number(after)} ({signed_number(effect)} {measure})"
    tall = 22 * len(result.data["rank"]) + 20
    return dress(figure, result, theme, title=title, about=about_prompt(result, row), plot_height=tall)


def add_tokens(
    figure: go.Figure, result: Ablation, theme: Theme, row: int, side: str, name: str, at: tuple[int, int], most: float
) -> None:
    """Bars of most likely tokens of one side ("clean" or "edited") in a subplot, on an axis up to `most`."""
    prob, labels = result.values(f"{side}_prob").values[row], result.values(f"{side}_token").values[row]
    (down, across), colour = at, theme.muted if side == "clean" else theme.accent
    hover, words = f"{name} %{{customdata}}<br>probability %{{x:.4f}}", [quoted(label) for label in labels]
    trace = list_bars(prob, colour, hover, customdata=words, text=[f"{value:.3f}" for value in prob])
    trace.update(textposition="outside", cliponaxis=False, showlegend=False)
    figure.add_trace(trace, row=down, col=across)
    title = f"probability {name}"
    figure.update_xaxes(title=title, range=[0, most * 1.2], showgrid=True, nticks=4, row=down, col=across)
    figure.update_yaxes(ticks(range(len(prob)), labels), autorange="reversed", row=down, col=across)

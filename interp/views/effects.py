"""What an edit does to the answer: one place at a time, or a chosen set at once."""

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from interp.core.errors import OptionError
from interp.kinds import Ablation, Effects
from interp.views.chart import (
    LEGEND,
    Places,
    about_prompt,
    bars,
    cells,
    choose_row,
    dress,
    mean_over_prompts,
    places,
    signed_number,
    unit,
)
from interp.views.figures import view
from interp.views.grid import head_grid
from interp.views.heads import draw_grid
from interp.views.labels import escape, quoted, shorten, ticks, visible
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
    pos: int | None = None,
) -> go.Figure:
    """The effect at every place, over as many axes as the result has.

    Several prompts are averaged unless `prompt` names one or the result has positions (then: the first). `layer`,
    `head` and `pos` show a slice; three axes without one are cut at the position of the largest effect.
    """
    array = result.values("effect")
    chosen = {name: value for name, value in (("layer", layer), ("head", head), ("pos", pos)) if value is not None}
    absent = [name for name in chosen if name not in array.dims]
    if absent:
        raise OptionError(f"these effects have no {absent[0]} axis; they have {' '.join(map(str, array.dims))}")
    if not chosen and array.dims == ("batch", "layer", "head"):
        return draw_grid(head_grid(result, prompt=prompt), result, theme, title=f"{TITLE}, every head")
    if array.dims == ("batch",):
        return _by_prompt(result, theme, result.values("effect").values, f"effect ({unit(result, 'effect')})")
    row = _row(result, prompt)
    values = _averaged(array.values) if row is None else array.values[row]
    return _slice(result, theme, values, row, chosen)


def _row(result: Effects, prompt: int | None) -> int | None:
    if prompt is not None or result.data.sizes["batch"] == 1 or not result.is_comparable:
        return choose_row(result, "batch", prompt)
    return None


def _averaged(values: np.ndarray) -> np.ndarray:
    return mean_over_prompts(values)[0]


def _slice(result: Effects, theme: Theme, values: np.ndarray, row: int | None, chosen: dict[str, int]) -> go.Figure:
    """Cut the chosen axes away and draw what is left: a curve of bars or a heat map."""
    axes = [str(dim) for dim in result.values("effect").dims[1:]]
    if len(axes) - len(chosen) == 3:
        largest = np.unravel_index(np.nanargmax(np.abs(values)), values.shape)
        chosen = {"pos": int(result.data["pos"].values[largest[axes.index("pos")]])}
    title = TITLE
    for name, label in chosen.items():
        values = np.take(values, choose_row(result, name, label), axis=axes.index(name))
        axes.remove(name)
        title += f", {'position' if name == 'pos' else name} {label}"
    about = about_prompt(result, row)
    kept = {axis: _labels(result, axis, row or 0) for axis in axes}
    values = values[np.ix_(*(indices for indices, _ in kept.values()))] if kept else values.reshape(1)
    if len(axes) == 2:
        return _map(result, theme, values, kept, title=title, about=about)
    axis, along = next(iter(kept.items())) if kept else ("place", Places(np.arange(1), ["here"]))
    return _line(result, theme, values, along, axis=axis, title=title, about=about)


def _labels(result: Effects, axis: str, row: int) -> Places:
    if axis == "pos":
        return places(result, "pos", row)
    return Places(np.arange(result.data.sizes[axis]), [str(label) for label in result.data[axis].values])


def _map(
    result: Effects,
    theme: Theme,
    values: np.ndarray,
    kept: dict[str, Places],
    *,
    title: str,
    about: str,
) -> go.Figure:
    """Two axes: layers up (or heads down), the other across."""
    (down, (rows, row_labels)), (across, (columns, column_labels)) = kept.items()
    if (down, across) == ("layer", "head"):
        values, (down, rows, row_labels), (across, columns, column_labels) = (
            values.T, (across, columns, column_labels), (down, rows, row_labels),
        )  # fmt: skip
    at_columns = columns if across == "pos" else [int(label) for label in column_labels]
    at_rows = [int(label) for label in row_labels]
    names = np.array([quoted(label) if across == "pos" else label for label in column_labels], dtype=object)
    trace = cells(
        values,
        theme,
        signed=True,
        hover=f"{down} %{{y}}, {across} %{{customdata}}<br>effect %{{z:+.3f}} {unit(result, 'effect')}",
        x=at_columns,
        y=at_rows,
        customdata=np.broadcast_to(names, values.shape),
    )
    figure = go.Figure(trace)
    angle = -45 if across == "pos" else None
    figure.update_xaxes(
        ticks(at_columns, column_labels), title="position" if across == "pos" else across, tickangle=angle
    )
    figure.update_yaxes(ticks(at_rows, row_labels, most=32), title=down)
    if down == "head":
        figure.update_yaxes(autorange="reversed")
    height = int(np.clip(20 * len(rows), 140, 640))
    return dress(figure, result, theme, title=title, about=about, plot_height=height, bar=unit(result, "effect"))


def _line(
    result: Effects,
    theme: Theme,
    values: np.ndarray,
    along: Places,
    *,
    axis: str,
    title: str,
    about: str,
) -> go.Figure:
    """One axis: a bar for each place."""
    names = [quoted(label) if axis == "pos" else escape(label) for label in along.labels]
    at = along.at if axis in ("pos", "place") else [int(label) for label in along.labels]
    trace = bars(
        values,
        theme,
        x=at,
        y=values,
        customdata=names,
        hovertemplate=f"{axis} %{{customdata}}<br>effect %{{y:+.3f}} {unit(result, 'effect')}<extra></extra>",
    )
    figure = go.Figure(trace)
    angle = -45 if axis == "pos" else None
    figure.update_xaxes(ticks(at, along.labels, most=40), title="position" if axis == "pos" else axis, tickangle=angle)
    figure.update_yaxes(title=f"effect ({unit(result, 'effect')})", zeroline=True, showgrid=True)
    return dress(figure, result, theme, title=title, about=about, plot_height=260)


def _by_prompt(result: Effects, theme: Theme, values: np.ndarray, name: str) -> go.Figure:
    prompts = _prompts(result)
    trace = bars(
        values,
        theme,
        x=np.arange(len(values)),
        y=values,
        customdata=prompts,
        hovertemplate="%{customdata}<br>effect %{y:+.3f}<extra></extra>",
    )
    figure = go.Figure(trace)
    figure.update_xaxes(ticks(range(len(values)), range(len(values)), most=40), title="prompt")
    figure.update_yaxes(title=name, zeroline=True, showgrid=True)
    return dress(figure, result, theme, title=f"{TITLE}, prompt by prompt", plot_height=260)


def _prompts(result: Effects | Ablation) -> list[str]:
    if "prompt" not in result.data.coords:
        return [f"prompt {row}" for row in result.data.batch.values]
    return [f"“{escape(shorten(visible(str(text)), 90))}”" for text in result.data["prompt"].values]


@view.register
def ablated(result: Ablation, theme: Theme, *, prompt: int | None = None) -> go.Figure:
    """The answer before and after: of one prompt with its likeliest tokens, or the metric of every prompt."""
    if prompt is not None or result.data.sizes["batch"] == 1:
        return _tokens(result, theme, choose_row(result, "batch", prompt))
    clean, edited = result.values("clean").values, result.values("edited").values
    numbers = np.arange(len(clean))
    figure = go.Figure()
    for name, values, colour in (("before", clean, theme.muted), ("after", edited, theme.accent)):
        trace = go.Scatter(
            x=numbers,
            y=values,
            mode="markers",
            name=name,
            marker={"color": colour, "size": 8, "symbol": "circle-open" if name == "before" else "circle"},
            customdata=_prompts(result),
            hovertemplate=f"%{{customdata}}<br>{name} %{{y:+.3f}}<extra></extra>",
        )
        figure.add_trace(trace)
    for number, start, end in zip(numbers, clean, edited, strict=True):
        figure.add_shape(type="line", x0=number, x1=number, y0=start, y1=end, line={"color": theme.line}, layer="below")
    figure.update_xaxes(ticks(numbers, numbers, most=40), title="prompt")
    figure.update_yaxes(title=f"metric ({unit(result, 'clean')})", zeroline=True, showgrid=True)
    figure.update_layout(showlegend=True, legend=LEGEND)
    about = f"{len(clean)} prompts; mean effect {signed_number(float(result.values('effect').values.mean()))}"
    return dress(figure, result, theme, title="The answer before and after", about=about, plot_height=260)


def before_after(result: Ablation, *, prompt: int | None = None, theme: str = "light") -> go.Figure:
    """The likeliest tokens before and after, side by side, and the metric of both; by default of the first prompt.

    Raises: OptionError for a prompt that the result does not have.
    """
    return _tokens(result, theme_named(theme), choose_row(result, "batch", prompt))


def _tokens(result: Ablation, theme: Theme, row: int) -> go.Figure:
    figure = make_subplots(rows=1, cols=2, horizontal_spacing=0.24)
    longest = max(float(result.values(f"{side}_prob").values[row].max()) for side in ("clean", "edited"))
    for column, (side, name) in enumerate((("clean", "before"), ("edited", "after")), start=1):
        add_tokens(figure, result, theme, row, side, name, (1, column), longest)
    numbers = [float(result.values(name).values[row]) for name in ("clean", "edited", "effect")]
    change = "" if np.isnan(numbers[2]) else " → ".join(map(signed_number, numbers[:2]))
    title = (
        f"Before and after: {change} ({signed_number(numbers[2])} {result.values('effect').attrs.get('unit', '')})"
        if change
        else "Before and after"
    )
    height = 22 * len(result.data["rank"]) + 20
    return dress(figure, result, theme, title=title, about=about_prompt(result, row), plot_height=height)


def add_tokens(
    figure: go.Figure, result: Ablation, theme: Theme, row: int, side: str, name: str, at: tuple[int, int], most: float
) -> None:
    """Bars of the likeliest tokens of one side ("clean" or "edited") in a subplot, on an axis up to `most`."""
    prob, labels = result.values(f"{side}_prob").values[row], result.values(f"{side}_token").values[row]
    rank, (down, across) = np.arange(len(prob)), at
    trace = go.Bar(
        x=prob,
        y=rank,
        orientation="h",
        width=0.7,
        showlegend=False,
        marker={"color": theme.muted if side == "clean" else theme.accent, "line": {"width": 0}},
        text=[f"{value:.3f}" for value in prob],
        textposition="outside",
        cliponaxis=False,
        customdata=[quoted(label) for label in labels],
        hovertemplate=f"{name} %{{customdata}}<br>probability %{{x:.4f}}<extra></extra>",
    )
    figure.add_trace(trace, row=down, col=across)
    title = f"probability {name}"
    figure.update_xaxes(title=title, range=[0, most * 1.2], showgrid=True, nticks=4, row=down, col=across)
    figure.update_yaxes(ticks(rank, list(labels)), autorange="reversed", row=down, col=across)

"""Relevance: the prompt's tokens, the ledger that adds up to the target, and relevance inside the model.

Every figure says how much of the target the tokens hold, what was left over, and what the first token takes.
"""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import plotly.graph_objects as go

from interp.core.errors import ResultError
from interp.kinds import Relevance
from interp.views.chart import dress
from interp.views.choosing import (
    about_prompt,
    choices_made,
    choose_one,
    choose_row,
    of_prompt,
    places,
    row_or_mean,
    strongest,
    unit,
)
from interp.views.figures import view
from interp.views.grid import head_grid
from interp.views.heads import attention_map, draw_grid
from interp.views.labels import escape, quoted, ticks
from interp.views.marks import (
    EXTRA,
    bars,
    cells,
    column_hover,
    height,
    interval_lines,
    limit_of,
    list_bars,
    name_rows,
    number_axes,
    sign_colours,
    signed_number,
    token_axis,
)
from interp.views.theme import Theme

CHOICES = {"ledger": ("by",), "neurons": ("top",), "pairs": ("layer", "head")}
NOTHING = 1e-6  # of the largest entry: what is smaller is rounding, and written as 0 beside its bar
FEW = 60  # tokens up to which bars have room between them
MOST_NAMES = 200  # tokens up to which every cell of the stream is told its own


@view.register
def relevance(
    result: Relevance,
    theme: Theme,
    *,
    show: Literal["tokens", "ledger", "stream", "heads", "neurons", "experts", "router", "pairs"] = "tokens",
    prompt: int | None = None,
    by: Literal["term", "layer"] | None = None,
    layer: int | None = None,
    head: int | None = None,
    top: int | None = None,
) -> go.Figure:
    """One bar a token; or the `ledger` as a waterfall (`by` term or layer), the `stream` as layer × position, the
    `heads` summed over positions, the `top` neurons, the `experts` summed over positions, what passes through the
    `router` of each layer, or the attention `pairs` (of one `layer` and `head`, or summed).

    The first prompt unless `prompt` names one; heads, neurons and experts of several prompts are averaged.
    """
    names = [name for name in _DRAWINGS if name == "tokens" or name in result.data.data_vars]
    if show not in names:
        method = result.provenance.engine or "relevance"
        raise ResultError(f"this result of {method} has no {show}; show one of {', '.join(names)}")
    choice = choices_made(show, CHOICES.get(show, ()), by=by, layer=layer, head=head, top=top)
    return _DRAWINGS[show](result, theme, prompt, **choice)


def accounts(result: Relevance, row: int | None) -> str:
    """In one line: the target as tokens + absorbed + remainder, and the first token's share (means where no row)."""
    keep = slice(None) if row is None else slice(row, row + 1)
    data = result.data.isel(batch=keep).mean("batch", keep_attrs=True)
    ledger, total = data["ledger"].values, float(data["total"])
    parts = [("tokens", ledger[0]), ("absorbed", ledger[1:-1].sum()), ("remainder", float(data["remainder"]))]
    terms = " + ".join(f"{name} {signed_number(float(value))}" for name, value in parts)
    share = f"the first token receives {float(data['first_token_share']):.0%} of all |relevance|"
    return f"target {signed_number(total)} = {terms} ({result.values('total').attrs.get('unit', '')}); {share}"


def _draw_tokens(result: Relevance, theme: Theme, prompt: int | None) -> go.Figure:
    row = choose_row(result, "batch", prompt)
    at = places(result, "pos", row)
    values = result.values("relevance").values[row, at.at]
    words, measure = [quoted(label) for label in at.labels], unit(result, "relevance")
    hover, width = f"%{{customdata}} at %{{x}}<br>relevance %{{y:+.4g}} {measure}", 0.7 if len(values) <= FEW else 1
    figure = go.Figure(
        bars(
            sign_colours(values, theme, result.supports("relevance")),
            hover,
            x=at.at,
            y=values,
            width=width,
            customdata=words,
        )
    )
    token_axis(figure, at, "token")
    number_axes(figure, y=f"relevance ({measure})")
    return _finish(figure, result, theme, row, title="Relevance of each token", plot_height=260)


def grouped(result: Relevance, row: int, by: str) -> list[tuple[str, float]]:
    """The ledger's entries in order, summed over layers (`by` "term") or over the terms of each layer ("layer")."""
    choose_one("by", by, ("term", "layer"))
    data = result.data.isel(batch=row)
    where, terms, values = (data[name].values for name in ("at", "term", "ledger"))
    middle = slice(1, len(values) - 1)
    names = list(map(str, (terms if by == "term" else where)[middle]))
    sums = dict.fromkeys(sorted(names, key=_place) if by == "layer" else names, 0.0)
    for name, value in zip(names, values[middle], strict=True):
        sums[name] += float(value)
    return [("tokens", float(values[0])), *sums.items(), ("remainder", float(values[-1]))]


def _place(name: str) -> tuple[int, int]:
    """Where a place of the ledger stands: what comes before the layers, the layers by number, what comes after."""
    first, _, number = name.partition(" ")
    if first == "layer" and number.isdigit():
        return 1, int(number)
    return (0, 0) if name.startswith(("embed", "input")) else (2, 0)


def _draw_ledger(result: Relevance, theme: Theme, prompt: int | None, by: str = "term") -> go.Figure:
    row = choose_row(result, "batch", prompt)
    entries = grouped(result, row, by)
    names = [*(name for name, _ in entries), "target"]
    values = [*(value for _, value in entries), float(result.values("total").values[row])]
    small = NOTHING * limit_of(np.array(values))
    words = [[escape(name), signed_number(value)] for name, value in zip(names, values, strict=True)]
    trace = go.Waterfall(
        orientation="h", x=values, y=np.arange(len(names)), measure=["relative"] * len(entries) + ["total"], width=0.7,
        text=[signed_number(0 if abs(value) < small else value) for value in values], textposition="outside",
        cliponaxis=False, customdata=words,
        hovertemplate=f"%{{customdata[0]}} %{{customdata[1]}} {unit(result, 'ledger')}{EXTRA}",
        increasing={"marker": {"color": theme.support}}, decreasing={"marker": {"color": theme.against}},
        totals={"marker": {"color": theme.muted}}, connector={"line": {"color": theme.line, "width": 1}},
    )  # fmt: skip
    figure = go.Figure(trace)
    number_axes(figure, unit(result, "ledger"))
    figure.update_xaxes(range=_range(values[:-1]))
    name_rows(figure, names, "entry")
    title = f"From the tokens to the target, by {by}"
    return _finish(figure, result, theme, row, title=title, plot_height=22 * len(names) + 10)


def _range(values: Sequence[float]) -> list[float]:
    """The range that a waterfall covers, with room for the numbers beside its bars."""
    steps = np.concatenate([[0.0], np.cumsum(values)])
    low, high = float(steps.min()), float(steps.max())
    room = 0.14 * ((high - low) or 1.0)
    return [low - (room if low < 0 else 0), high + room]


def _draw_stream(
    result: Relevance, theme: Theme, prompt: int | None, of: str = "stream", title: str = "the residual stream"
) -> go.Figure:
    row = choose_row(result, "batch", prompt)
    at = places(result, "pos", row)
    z = result.values(of).values[row][:, at.at]
    layers = result.data["layer"].values
    labels: dict[str, Any] = {}
    if len(at.labels) <= MOST_NAMES:  # else it is too much
        labels["customdata"] = column_hover(at.labels, z.shape)
    hover = f"layer %{{y}}, {'%{customdata} at %{x}' if labels else 'position %{x}'}<br>relevance %{{z:+.4g}}"
    figure = go.Figure(
        cells(z, theme, signed=True, hover=hover, supports=result.supports(of), x=at.at, y=layers, **labels)
    )
    token_axis(figure, at)
    figure.update_yaxes(ticks(layers, layers, most=32), title="layer")
    tall = height(len(layers), 19, 160, 640)
    return _finish(figure, result, theme, row, title=f"Relevance of {title}", plot_height=tall, bar=unit(result, of))


def _draw_router(result: Relevance, theme: Theme, prompt: int | None) -> go.Figure:
    return _draw_stream(result, theme, prompt, "router", "what passes through each router")


def _draw_experts(result: Relevance, theme: Theme, prompt: int | None) -> go.Figure:
    row, array = row_or_mean(result, prompt), result.values("experts")
    values, _, _ = of_prompt(array.values.sum(-1), row)
    layers, experts = (result.data[axis].values for axis in ("layer", "expert"))
    hover = "layer %{x}, expert %{y}<br>relevance %{z:+.4g}"
    supports = result.supports("experts")
    figure = go.Figure(cells(values.T, theme, signed=True, hover=hover, supports=supports, x=layers, y=experts))
    figure.update_xaxes(ticks(layers, layers, most=32), title="layer")
    figure.update_yaxes(ticks(experts, experts, most=32), title="expert", autorange="reversed")
    title, tall = "Relevance of every expert, summed over positions", height(len(experts), 24, 140, 640)
    return _finish(figure, result, theme, row, title=title, plot_height=tall, bar=unit(result, "experts"))


def _draw_heads(result: Relevance, theme: Theme, prompt: int | None) -> go.Figure:
    grid = head_grid(result, prompt=prompt)
    notes = [accounts(result, grid.row)]
    return draw_grid(grid, result, theme, title="Relevance of every head, summed over positions", notes=notes)


def _draw_neurons(result: Relevance, theme: Theme, prompt: int | None, top: int = 20) -> go.Figure:
    row = row_or_mean(result, prompt)
    values, low, high = of_prompt(result.values("neurons").values, row)
    at = np.unravel_index(strongest(values, top, "neurons"), values.shape)
    lengths, numbers = values[at], (result.data[axis].values for axis in ("layer", "neuron"))
    names = [
        f"{layer}.{neuron}"
        for layer, neuron in zip(*(axis[i] for axis, i in zip(numbers, at, strict=True)), strict=True)
    ]
    words = list(zip(names, interval_lines(low, high, at, len(names)), strict=True))
    hover = "neuron %{customdata[0]}<br>relevance %{x:+.4g}%{customdata[1]}"
    colours = sign_colours(lengths, theme, result.supports("neurons"))
    figure = go.Figure(list_bars(lengths, colours, hover, customdata=words))
    number_axes(figure, f"relevance ({unit(result, 'neurons')})")
    name_rows(figure, names, "layer.neuron", limit=14)
    title = f"The {len(names)} most relevant of {values.size:,} MLP neurons"
    return _finish(figure, result, theme, row, title=title, plot_height=20 * len(names) + 10)


def _draw_pairs(
    result: Relevance, theme: Theme, prompt: int | None, layer: int | None = None, head: int | None = None
) -> go.Figure:
    row = choose_row(result, "batch", prompt)
    queries, keys = (places(result, axis, row) for axis in ("query_pos", "key_pos"))
    values = result.values("pairs").values[row]
    values = values.sum(0) if layer is None else values[choose_row(result, "layer", layer)]
    values = values.sum(0) if head is None else values[choose_row(result, "head", head)]
    z = values[np.ix_(queries.at, keys.at)]
    figure = attention_map(
        z, queries, keys, theme, "relevance %{z:+.4g}", signed=True, supports=result.supports("pairs")
    )
    where = ("all layers" if layer is None else f"layer {layer}", "all heads" if head is None else f"head {head}")
    title, tall = f"Relevance of attention, {', '.join(where)}", height(len(queries.at), 20, 160, 640)
    return _finish(figure, result, theme, row, title=title, plot_height=tall, bar=unit(result, "pairs"))


def _finish(figure: go.Figure, result: Relevance, theme: Theme, row: int | None, **more: Any) -> go.Figure:
    more |= {"notes": [accounts(result, row)], "supports": result.supports("relevance")}
    return dress(figure, result, theme, about=about_prompt(result, row), **more)


_DRAWINGS = {
    "tokens": _draw_tokens,
    "ledger": _draw_ledger,
    "stream": _draw_stream,
    "heads": _draw_heads,
    "neurons": _draw_neurons,
    "experts": _draw_experts,
    "router": _draw_router,
    "pairs": _draw_pairs,
}

"""What each layer predicts, what each component contributes, and how well a task is solved."""

from collections.abc import Mapping
from itertools import cycle
from typing import Any, Literal

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from interp.core.errors import OptionError
from interp.core.intervals import bootstrap_mean
from interp.kinds import Contributions, LayerReadout, NeuronContributions, SourceContributions, TaskAccuracy
from interp.views.chart import LEGEND, dress
from interp.views.choosing import (
    Places,
    about_prompt,
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
from interp.views.heads import draw_grid
from interp.views.labels import escape, quoted, shorten, ticks, token, visible
from interp.views.marks import (
    bars,
    cells,
    column_hover,
    curve,
    height,
    interval_lines,
    list_bars,
    name_rows,
    number_axes,
    sign_colours,
    signed_number,
    token_axis,
)
from interp.views.theme import Theme, theme_named

CELL_TEXTS = 20  # positions up to which the top token is written into its cell
FLOOR = -12.0  # nats: less than this (a chance of 6 in a million) is drawn alike
READOUTS = {
    "target_logprob": "Log-probability of the answer by layer",
    "target_rank": "Rank of the answer by layer",
    "top_logprob": "What each layer would predict",
    "top_prob": "What each layer would predict",
}


@view.register
def layers(
    result: LayerReadout,
    theme: Theme,
    *,
    prompt: int | None = None,
    show: Literal["target_logprob", "target_rank", "top_logprob", "top_prob"] | None = None,
) -> go.Figure:
    """A readout at every layer and position: the target's log-probability or rank, or the top token's.

    The top token stands in its cell where there is room; of `top_prob` the colour is its probability. Without a choice:
    the target where there is one.
    """
    row = choose_row(result, "batch", prompt)
    choices = [name for name in READOUTS if name in result.data.data_vars or name == "top_prob"]
    name = choose_one("show", show or choices[0], choices)
    at = places(result, "pos", row)
    values = result.values(name.replace("prob", "logprob") if name == "top_prob" else name).values[row][:, at.at]
    if name.startswith("top"):
        values = np.exp(values[..., 0]) if name == "top_prob" else values[..., 0]
    figure = go.Figure(_readout_cells(result, theme, at, values, row=row, show=name))
    layer_numbers = result.data.layer.values
    token_axis(figure, at)
    figure.update_yaxes(ticks(layer_numbers, layer_numbers, most=32), title="layer")
    about, tall = about_prompt(result, row), height(len(layer_numbers), 19, 160, 640)
    bars_say = {"target_rank": "rank, log scale", "top_prob": "probability of the top token"}
    bar = bars_say[name] if name in bars_say else unit(result, name)
    return dress(figure, result, theme, title=READOUTS[name], about=about, plot_height=tall, bar=bar)


def _readout_cells(
    result: LayerReadout, theme: Theme, at: Places, values: np.ndarray, *, row: int, show: str
) -> go.Heatmap:
    heard = result.values("top_token").values[row][:, at.at]
    texts = np.vectorize(lambda label: token(label, 9), otypes=[object])(heard[..., 0])
    top_lists = _top_list(heard, result.values("top_logprob").values[row][:, at.at])
    here, is_rank = column_hover(at.labels, top_lists.shape), show == "target_rank"
    number = {"target_rank": "rank of the answer %{customdata[2]}", "top_prob": "probability %{z:.3f}"}.get(show)
    number = number or f"{show.replace('_', ' ')} %{{z:.3f}} {unit(result, show)}"
    hover = f"layer %{{y}}, after %{{customdata[0]}} at %{{x}}<br>{number}<br>%{{customdata[1]}}"
    z, words = np.log10(np.maximum(values, 1)) if is_rank else values, [here, top_lists, values.astype(object)]
    more: dict[str, Any] = {} if is_rank else {"zmin": max(FLOOR, float(np.nanmin(values, initial=0))), "zmax": 0}
    more |= {"zmin": 0, "zmax": 1} if show == "top_prob" else {}
    more |= {"x": at.at, "y": result.data.layer.values, "customdata": np.stack(words, axis=-1)}
    trace = cells(z, theme, signed=False, hover=hover, reversescale=is_rank, **more)
    if len(at.at) <= CELL_TEXTS:
        trace.update(text=texts, texttemplate="%{text}", textfont={"size": 10})
    if is_rank:
        powers = np.arange(0, 7)
        trace.update(colorbar={"tickvals": powers, "ticktext": [f"{10**power:,}" for power in powers]})
    return trace


def _top_list(heard: np.ndarray, logprobs: np.ndarray) -> np.ndarray:
    """The top tokens with their probabilities, one a line, for each layer and position."""
    lines = np.empty(heard.shape[:2], dtype=object)
    for place in np.ndindex(*lines.shape):
        pairs = zip(heard[place], np.exp(logprobs[place]), strict=True)
        lines[place] = "<br>".join(f"{prob:.3f}  {quoted(label)}" for label, prob in list(pairs)[:5])
    return lines


def target_curve(
    results: LayerReadout | Mapping[str, LayerReadout],
    *,
    prompt: int | None = None,
    pos: int | None = None,
    theme: str = "light",
) -> go.Figure:
    """Probability and rank of the target along the layers, at `pos` (by default the prompt's last token).

    Several readouts of one prompt are compared, each under its name.
    Raises: OptionError where a readout has no target, or the prompt no such position.
    """
    look = theme_named(theme)
    readouts = {"": results} if isinstance(results, LayerReadout) else dict(results)
    result = next(iter(readouts.values()))
    row = choose_row(result, "batch", prompt)
    at, labels = places(result, "pos", row)
    pos = int(at[-1]) if pos is None else int(at[_within(pos, at)])
    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, vertical_spacing=0.08)
    strokes = ((look.accent, "solid"), (look.against, "dash"), (look.support, "dot"))
    for (name, readout), stroke in zip(readouts.items(), cycle(strokes)):
        _curves(figure, readout, row, pos, name=name, stroke=stroke)
    figure.update_layout(showlegend=len(readouts) > 1, legend=LEGEND)
    figure.update_yaxes(title="probability", range=[-0.03, 1.03], showgrid=True, row=1)
    figure.update_yaxes(title="rank (log scale)", type="log", autorange="reversed", dtick=1, showgrid=True, row=2)
    figure.update_xaxes(title="layer", row=2)
    where = f"after {shorten(visible(labels[list(at).index(pos)]), 30)!r} at {pos}"
    about = f"{where}; {about_prompt(result, row)}"
    return dress(figure, result, look, title="The answer across layers", about=about, plot_height=300)


def _curves(figure: go.Figure, result: LayerReadout, row: int, pos: int, *, name: str, stroke: tuple[str, str]) -> None:
    """One readout's probability above, its rank below."""
    if "target_logprob" not in result.data.data_vars or "target_rank" not in result.data.data_vars:
        raise OptionError("this readout has no target; run it with one, such as ' Mary'")
    probability = np.exp(result.values("target_logprob").values[row, :, pos])
    rank = result.values("target_rank").values[row, :, pos]
    lead = f"{escape(name)}<br>" if name else ""
    for number, (what, values, form) in enumerate((("probability", probability, ".3f"), ("rank", rank, ",d")), start=1):
        hover = f"{lead}layer %{{x}}<br>{what} %{{y:{form}}}"
        more = {"mode": "lines+markers", "marker": {"size": 5}, "legendgroup": name, "showlegend": number == 1}
        x, (colour, dash) = result.data.layer.values, stroke
        trace = curve(x, values, colour, hover, dash=dash, name=escape(name), **more)
        figure.add_trace(trace, row=number, col=1)


def target_table(
    results: LayerReadout | Mapping[str, LayerReadout], *, prompt: int | None = None, pos: int | None = None
) -> pd.DataFrame:
    """What `target_curve` draws: probability and rank of the target at every layer, under each readout's name."""
    frames = []
    for name, result in ({"": results} if isinstance(results, LayerReadout) else results).items():
        row = choose_row(result, "batch", prompt)
        at = places(result, "pos", row).at
        here = int(at[-1]) if pos is None else int(at[_within(pos, at)])
        logprob, rank = (result.values(f"target_{what}").values[row, :, here] for what in ("logprob", "rank"))
        columns = {"layer": result.data["layer"].values, "probability": np.exp(logprob), "rank": rank}
        frames.append(
            pd.DataFrame(({"result": name} if name else {}) | {"layer": columns.pop("layer"), "pos": here} | columns)
        )
    return pd.concat(frames, ignore_index=True)


def answer_path(
    result: LayerReadout, *, prompt: int | None = None, pos: int | None = None, theme: str = "light"
) -> go.Figure:
    """The target's rank after each layer at `pos` (by default the prompt's last token), with the top token below.

    Raises: OptionError as `target_curve`.
    """
    look, row = theme_named(theme), choose_row(result, "batch", prompt)
    table = target_table(result, prompt=prompt, pos=pos)
    layers, rank, here = table["layer"].to_numpy(), table["rank"].to_numpy(), int(table["pos"].iloc[0])
    heard = result.values("top_token").values[row, :, here, 0]
    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, vertical_spacing=0.03, row_heights=[0.86, 0.14])
    hover, more = "layer %{x}<br>rank %{y:,d}", {"mode": "lines+markers", "marker": {"size": 5}, "showlegend": False}
    figure.add_trace(curve(layers, rank, look.accent, hover, **more), row=1, col=1)
    starts = np.flatnonzero(np.append(True, heard[1:] != heard[:-1]))
    widths = np.diff(np.append(starts, len(layers)))
    own = [look.accent if rank[at] == 1 else look.line for at in starts]
    words = [
        token(heard[at], 9) if width / len(layers) > 0.09 else "" for at, width in zip(starts, widths, strict=True)
    ]
    place: dict[str, Any] = {"x": layers[starts] + (widths - 1) / 2, "y": np.ones(len(starts)), "width": widths - 0.1}
    labels = [quoted(heard[at]) for at in starts]
    runs = bars(own, "%{customdata}", text=words, textposition="inside", customdata=labels, showlegend=False, **place)
    figure.add_trace(runs, row=2, col=1)
    figure.update_yaxes(title="rank (log scale)", type="log", autorange="reversed", dtick=1, showgrid=True, row=1)
    figure.update_yaxes(visible=False, range=[0, 1], row=2)
    figure.update_xaxes(ticks(layers, layers, most=16), title="layer", row=2)
    about = f"after {shorten(visible(str(result.data['token'].values[row, here])), 30)!r} at {here}"
    return dress(figure, result, look, title="Where the answer forms", about=about, plot_height=240)


def _within(pos: int, at: np.ndarray) -> int:
    index = np.flatnonzero(at == pos)
    if not len(index):
        raise OptionError(f"no position {pos!r} in this prompt; choose from {at[0]} to {at[-1]}")
    return int(index[0])


@view.register
def contributions(
    result: Contributions,
    theme: Theme,
    *,
    prompt: int | None = None,
    show: Literal["components", "heads"] = "components",
    top: int = 20,
) -> go.Figure:
    """The components that contribute most to the metric, the sum of all others, and the remainder: the bars add up to
    the total. Or those of all `heads` as a grid. By default the mean over prompts."""
    if show == "heads":
        return draw_grid(head_grid(result, prompt=prompt), result, theme, title="Direct effect of every head")
    return _parts(result, theme, prompt, top, "component")


@view.register
def neurons(result: NeuronContributions, theme: Theme, *, prompt: int | None = None, top: int = 20) -> go.Figure:
    """The neurons that contribute most, the sum of all others, and the remainder. By default the mean over prompts."""
    return _parts(result, theme, prompt, top, "neuron")


def _parts(
    result: Contributions | NeuronContributions, theme: Theme, prompt: int | None, top: int, part: str
) -> go.Figure:
    """The strongest parts as bars that add up to the total."""
    row = row_or_mean(result, prompt)
    values, low, high = of_prompt(result.values("contribution").values, row)
    total, remainder = (float(of_prompt(result.values(name).values, row)[0]) for name in ("total", "remainder"))
    top_at = strongest(values, top, f"{part}s")
    others = np.delete(values, top_at)
    names, lengths = [str(result.data.component.values[i]) for i in top_at], [*values[top_at]]
    if len(others):
        names, lengths = [*names, f"{len(others)} others"], [*lengths, others.sum()]
    names, lengths = [*names, "remainder"], np.array([*lengths, remainder])
    ranges, sides = interval_lines(low, high, top_at, len(names)), result.supports("contribution")
    figure = go.Figure(_contribution_bars(names, lengths, ranges, theme, parts=len(top_at), supports=sides))
    number_axes(figure, f"contribution ({unit(result, 'contribution')})")
    name_rows(figure, names, part)
    notes = [f"total {total:+.4g} = {part}s {values.sum():+.4g} + remainder {remainder:+.2g}"]
    title, about = f"Contribution of each {part} to the answer", about_prompt(result, row)
    tall = 20 * len(names) + 10
    return dress(figure, result, theme, title=title, about=about, notes=notes, plot_height=tall, supports=sides)


@view.register
def sources(result: SourceContributions, theme: Theme, *, prompt: int | None = None, top: int = 20) -> go.Figure:
    """The sets of sources that contribute most to the answer or the target node. By default the mean over prompts."""
    row, sides = row_or_mean(result, prompt), result.supports("relevance")
    values, low, high = of_prompt(result.values("relevance").values, row)
    top_at = strongest(values, top, "sources")
    names = [str(result.data.component.values[i]) for i in top_at]
    ranges = interval_lines(low, high, top_at, len(top_at))
    figure = go.Figure(_contribution_bars(names, values[top_at], ranges, theme, parts=len(top_at), supports=sides))
    number_axes(figure, f"relevance ({unit(result, 'relevance')})")
    name_rows(figure, names, "sources")
    title = f"Contribution of each source, the largest {len(top_at)} of {len(values)}"
    about, tall = about_prompt(result, row), 20 * len(names) + 10
    return dress(figure, result, theme, title=title, about=about, plot_height=tall, supports=sides)


def _contribution_bars(
    names: list[str], lengths: np.ndarray, ranges: list[str], theme: Theme, *, parts: int, supports: str
) -> go.Bar:
    """Components in the colour of their sign; from index `summed` on, what is a sum or a remainder in grey."""
    colours = [*sign_colours(lengths[:parts], theme, supports), *[theme.muted] * (len(names) - parts)]
    words = [[escape(name), interval] for name, interval in zip(names, ranges, strict=True)]
    return list_bars(lengths, colours, "%{customdata[0]}<br>%{x:+.4f}%{customdata[1]}", customdata=words)


@view.register
def accuracy(result: TaskAccuracy, theme: Theme) -> go.Figure:
    """How far the right answer is preferred, prompt by prompt from the least, with the mean and its interval."""
    values, right = result.values("difference").values, result.values("correct").values.astype(bool)
    mean, low, high = bootstrap_mean(values)
    share, share_low, share_high = bootstrap_mean(right)
    order = np.argsort(values, kind="stable")
    prompts = [quoted_prompt(result, i) for i in order]
    figure = go.Figure()
    for name, mine, colour in (("right", right, theme.support), ("wrong", ~right, theme.against)):
        at = np.flatnonzero(mine[order])
        more = {"name": f"{name} ({int(mine.sum())})", "customdata": [prompts[i] for i in at]}
        figure.add_trace(bars(colour, "%{customdata}<br>%{y:+.3f}", x=at, y=values[order][at], **more))
    if len(values) > 1:
        ends: dict[str, Any] = {"y0": float(low), "y1": float(high)}
        figure.add_hrect(**ends, fillcolor=theme.accent, opacity=0.2, line_width=0, layer="below")
    figure.add_hline(y=float(mean), line={"color": theme.accent, "width": 1.5})
    figure.update_xaxes(title="prompts, in order of difference", showticklabels=False)
    number_axes(figure, y=f"difference ({unit(result, 'difference')})")
    figure.update_layout(bargap=0.15, showlegend=True, legend=LEGEND)
    title = f"{int(right.sum())} of {len(values)} correct, mean difference {signed_number(float(mean))}"
    notes = []
    if len(values) > 1:
        notes = [
            f"95 % intervals: mean [{low:.2f}, {high:.2f}] (the band), share correct {share:.3f} [{share_low:.3f}, "
            f"{share_high:.3f}]"
        ]
    return dress(figure, result, theme, title=title, notes=notes, plot_height=260)


def quoted_prompt(result: TaskAccuracy, row: int) -> str:
    """A prompt for a hover, cut to a line."""
    text = str(result.data["prompt"].values[row]) if "prompt" in result.data.coords else f"prompt {row}"
    return quoted(text) if len(text) <= 40 else f"“{escape(shorten(visible(text), 90))}”"

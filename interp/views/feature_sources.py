"""Which source positions a feature reads from, and which components wrote there."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
import plotly.graph_objects as go

from interp.core.errors import OptionError
from interp.kinds import FeatureSources
from interp.views.chart import LEGEND, dress
from interp.views.choosing import Places, about_prompt, choose_row, places
from interp.views.figures import view
from interp.views.labels import escape, quoted, ticks, visible
from interp.views.layers import shades
from interp.views.marks import bars, list_bars, name_rows, number_axes, points, sign_colours, signed_number, token_axis
from interp.views.theme import Theme, theme_named

HEADS = 6  # that are told apart; the others are one bar
PARTS = 24  # that are shown
ARC = 24  # points of a line
WIDEST = 7.0


class SourceLine(NamedTuple):
    """A line from a source to the feature's position: the contribution of all heads (or one), and the largest head."""

    source: int
    position: int
    value: float
    head: int


@view.register
def feature_sources(
    result: FeatureSources,
    theme: Theme,
    *,
    prompt: int | None = None,
    show: Literal["sources", "parts"] = "sources",
    head: int | None = None,
    pos: int | None = None,
) -> go.Figure:
    """`sources`: one bar per source token, stacked by head. `parts`: the components that wrote there, strongest first.

    `head` and `pos` take one head and one source; by default of `parts` the sum over all.
    """
    row = choose_row(result, "batch", prompt)
    if show == "parts":
        return _parts(result, theme, row, head, pos)
    if pos is not None:
        raise OptionError("show = 'sources' shows every position; leave pos out, or use show = 'parts'")
    return _sources(result, theme, row, head)


def _sources(result: FeatureSources, theme: Theme, row: int, head: int | None) -> go.Figure:
    keys = places(result, "key_pos", row)
    values = result.values("dfa").values[row][keys.at]
    top = _strongest(values) if head is None else [choose_row(result, "head", head)]
    layer, heads = result.data.attrs.get("layer", 0), result.data["head"].values
    groups = [(f"head {heads[at]}", [f"a{layer}.{heads[at]}"], values[:, at]) for at in top]
    if head is None and len(top) < values.shape[1]:
        groups.append(("other heads", [], np.delete(values, top, axis=1).sum(1)))
    colours = [*shades(theme, len(top)), theme.muted]
    figure = go.Figure()
    for (name, node, part), colour in zip(groups, colours, strict=False):
        hover, total = f"%{{customdata[0]}} at %{{x}}<br>{name} %{{y:+.4f}}", signed_number(float(part.sum()))
        words = [[quoted(label), *node] for label in keys.labels]
        figure.add_trace(bars(colour, hover, x=keys.at, y=part, name=f"{name} {total}", customdata=words))
    figure.update_layout(barmode="relative", showlegend=True, legend=LEGEND)
    token_axis(figure, keys, "source")
    number_axes(figure, y="direct feature attribution")
    whole, bias = (signed_number(float(result.values(name).values[row])) for name in ("preactivation", "bias"))
    remainder = float(result.values("remainder").values[row])
    notes = [f"pre-activation {whole} = all bars + bias {bias} + remainder {remainder:.1e}"]
    title, about = f"{_name(result, row)}: contributions by source", about_prompt(result, row)
    return dress(figure, result, theme, title=title, about=about, notes=notes, plot_height=280)


def _parts(result: FeatureSources, theme: Theme, row: int, head: int | None, pos: int | None) -> go.Figure:
    if "part" not in result.data:
        raise OptionError("this result has no parts; run dfa with recursive=True")
    keys = places(result, "key_pos", row)
    sources = keys.at if pos is None else [choose_row(result, "key_pos", pos)]
    heads = slice(None) if head is None else [choose_row(result, "head", head)]
    values = result.values("part").values[row][sources][:, heads].sum((0, 1))
    remainder = float(result.values("part_remainder").values[row][sources][:, heads].sum())
    names = [str(name) for name in result.values("part_name").values[row]]
    order = np.argsort(-np.abs(values), kind="stable")
    order = order[: min(PARTS, int((values != 0).sum()))]
    rest = float(values.sum() - values[order].sum())
    lengths = np.array([*values[order], rest, remainder])
    labels = [*(names[at] for at in order), "other parts", "remainder"]
    words, sides = [escape(label) for label in labels], result.supports("part")
    figure = go.Figure(
        list_bars(lengths, sign_colours(lengths, theme, sides), "%{customdata}<br>%{x:+.4f}", customdata=words)
    )
    number_axes(figure, "part of the direct feature attribution")
    name_rows(figure, labels, limit=20)
    where = "" if pos is None else f" at {_token(result, row, sources[0])}"
    who = "" if head is None else f", read by head {head}"
    unexplained_share = float(result.values("unexplained").values[row])
    notes = [f"unexplained (remainder and reconstruction errors): {unexplained_share:.2g} of Σ|DFA|"]
    title, about = f"{_name(result, row)}: what wrote to the stream{where}{who}", about_prompt(result, row)
    return dress(
        figure, result, theme, title=title, about=about, notes=notes, plot_height=20 * len(lengths) + 20, supports=sides
    )


def lines_of_sources(
    result: FeatureSources, *, prompt: int | None = None, head: int | None = None, most: int = 12
) -> tuple[SourceLine, ...]:
    """The strongest lines from sources to the feature's position, for whoever draws them over the tokens themselves."""
    row = choose_row(result, "batch", prompt)
    values = result.values("dfa").values[row]
    if head is not None:
        one = choose_row(result, "head", head)
        values = np.where(np.arange(values.shape[1]) == one, values, 0.0)
    total = values.sum(1)
    order = [at for at in np.argsort(-np.abs(total), kind="stable")[:most] if total[at]]
    target = int(result.values("position").values[row])
    return tuple(SourceLine(int(at), target, float(total[at]), int(np.abs(values[at]).argmax())) for at in order)


def source_lines(
    result: FeatureSources, *, prompt: int | None = None, head: int | None = None, most: int = 12, theme: str = "light"
) -> go.Figure:
    """The prompt's tokens on a line, and an arc from each source to the feature, as wide as what it brings is large."""
    look, row = theme_named(theme), choose_row(result, "batch", prompt)
    keys = places(result, "key_pos", row)
    lines = lines_of_sources(result, prompt=prompt, head=head, most=most)
    largest = max((abs(line.value) for line in lines), default=1.0)
    sides = result.supports("dfa")
    colours = sign_colours(np.array([line.value for line in lines]), look, sides)
    figure = go.Figure([_arc(line, largest, colour) for line, colour in zip(lines, colours, strict=True)])
    figure.add_trace(_marks(lines, keys, look))
    figure.update_xaxes(ticks(*keys), tickangle=-45, range=[-0.7, len(keys.at) - 0.3])
    figure.update_yaxes(visible=False, range=[-0.05, 1.1])
    title = f"{_name(result, row)}: contributions by source"
    return dress(figure, result, look, title=title, about=about_prompt(result, row), plot_height=180, supports=sides)


def _arc(line: SourceLine, largest: float, colour: str) -> go.Scatter:
    turn = np.linspace(0, np.pi, ARC)
    middle, reach = (line.source + line.position) / 2, (line.position - line.source) / 2
    x = middle - reach * np.cos(turn)
    height = min(1.0, 0.25 + abs(reach) / 8)
    y = height * np.sin(turn)
    if not reach:  # a loop over the token itself
        x, y = line.source + 0.25 * np.sin(2 * turn), height * np.sin(turn)
    look = {"color": colour, "shape": "spline", "width": max(0.8, WIDEST * abs(line.value) / largest)}
    return go.Scatter(x=x, y=y, mode="lines", line=look, opacity=0.75, hoverinfo="skip", showlegend=False)


def _marks(lines: Sequence[SourceLine], keys: Places, theme: Theme) -> go.Scatter:
    by_source = {line.source: line for line in lines}
    texts = []
    for at, label in zip(keys.at, keys.labels, strict=True):
        line = by_source.get(int(at))
        about = f"<br>contributes {line.value:+.4f}, mostly head {line.head}" if line else ""
        texts.append(f"{quoted(label)} at {at}{about}")
    marker = {"size": 7, "color": theme.ink}
    return points(keys.at, np.zeros(len(keys.at)), marker, "%{customdata}", customdata=texts, showlegend=False)


def _strongest(values: np.ndarray) -> list[int]:
    order = np.argsort(-np.abs(values).sum(0), kind="stable")
    return sorted(int(head) for head in order[:HEADS])


def _name(result: FeatureSources, row: int) -> str:
    feature, pos = (int(result.values(name).values[row]) for name in ("feature", "position"))
    return f"Feature {feature} at {_token(result, row, pos)}"


def _token(result: FeatureSources, row: int, pos: int) -> str:
    """A token for a title, which is escaped later."""
    return f"“{visible(str(result.data['key_token'].values[row, pos]))}”"

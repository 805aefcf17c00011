"""Circuits as they run: alone compared with the whole model, as they grow, and what two of them share."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from interp.core.errors import ResultError
from interp.core.subgraph import Shared
from interp.kinds import Circuit, CircuitAblation, CircuitGrowth, EdgeScores, Extraction, FoundCircuit
from interp.views.chart import LEGEND, dress
from interp.views.choosing import about_prompt, choose_row, unit
from interp.views.circuit_evidence import HOVER, random_curves
from interp.views.comparison import in_two_measures, one_measure, ranks_by_size
from interp.views.effects import add_tokens
from interp.views.figures import view
from interp.views.labels import escape, shorten, ticks
from interp.views.marks import curve, dotted, list_bars, sign_colours, signed_number
from interp.views.theme import SIDES, Theme, theme_named

UNDEFINED = "not defined: the whole model and the model with every edge cut give the same metric"
FAITHFUL = 0.85  # share of the metric above which a circuit is said to be faithful
LIST_LENGTH = 8  # edges of each list


@view.register
def circuit_ablation(result: CircuitAblation, theme: Theme, *, prompt: int | None = None) -> go.Figure:
    """The metric of the circuit alone, between that of every edge cut and of the whole model, and likeliest tokens."""
    return circuit_answers({"circuit": result}, prompt=prompt, theme=theme.name)


def circuit_answers(
    results: Mapping[str, CircuitAblation], *, prompt: int | None = None, theme: str = "light"
) -> go.Figure:
    """The metric of circuits alone, by name, and most likely tokens of the whole model and of the last of them.

    By default of the first prompt. Raises: OptionError for a prompt that the results do not have.
    """
    look, last = theme_named(theme), [*results.values()][-1]
    row = choose_row(last, "batch", prompt)
    ends = {"every edge cut": "corrupted", "whole model": "clean"}
    low, high = ((name, float(last.values(end).values[row])) for name, end in ends.items())
    alone = [(name, float(result.values("edited").values[row])) for name, result in results.items()]
    names, values = zip(low, *alone, high, strict=True)
    shares = [float("nan"), *(float(result.values("faithfulness")) for result in results.values()), float("nan")]
    figure = make_subplots(
        rows=2, cols=2, specs=[[{"colspan": 2}, None], [{}, {}]], horizontal_spacing=0.34,
        row_heights=[0.5 + 0.1 * len(names), 2], vertical_spacing=0.2,
    )  # fmt: skip
    labels = [f"{name} {signed_number(value)}" + (f" ({share:.0%})".replace("-", "−") if np.isfinite(share) else "")
            for name, value, share in zip(names, values, shares, strict=True)]  # fmt: skip
    colours = [look.muted, *[look.accent] * len(alone), look.muted]
    trace = list_bars(values, colours, f"%{{customdata}} {unit(last, 'edited')}", customdata=labels, showlegend=False)
    figure.add_trace(trace, row=1, col=1)
    figure.update_xaxes(title=f"metric ({unit(last, 'edited')})", zeroline=True, showgrid=True, row=1)
    figure.update_yaxes(ticks(range(len(labels)), labels, limit=40), title="run", autorange="reversed", row=1, col=1)
    longest = max(float(last.values(f"{side}_prob").values[row].max()) for side in ("clean", "edited"))
    for column, (side, name) in enumerate((("clean", "whole model"), ("edited", names[-2])), start=1):
        add_tokens(figure, last, look, row, side, escape(name), (2, column), 1.3 * longest)
        figure.update_xaxes(title=escape(f"P(token), {name}"), nticks=3, row=2, col=column)
    height = 34 * len(names) + 24 * len(last.data["rank"]) + 80
    has_shares = np.isfinite(shares).any()
    about = f"{about_prompt(last, row)}; faithfulness in brackets" if has_shares else about_prompt(last, row)
    title = _title(alone, shares[1:-1]) if has_shares else UNDEFINED.capitalize()
    return dress(figure, last, look, title=title, about=about, plot_height=height)


def _title(alone: Sequence[tuple[str, float]], shares: Sequence[float]) -> str:
    """Faithfulness, and what the last circuit changes."""
    (_, before), (last, after) = alone[0], alone[-1]
    change = f"; {last}: effect {signed_number(after - before)}" if len(alone) > 1 else ""
    return f"Faithfulness {', '.join(f'{share:.0%}' for share in shares)}{change}".replace("-", "−")


@view.register
def growth(result: CircuitGrowth, theme: Theme) -> go.Figure:
    """Faithfulness as the circuit grows, compared with the range of random circuits of the same size."""
    data = result.data
    sizes, shares, random_shares = (data[name].values for name in ("edges", "faithfulness", "random_faithfulness"))
    figure = go.Figure(random_curves(sizes, random_shares, theme))
    more = {"name": "strongest edges", "mode": "lines+markers", "marker": {"size": 8}}
    figure.add_trace(curve(sizes, shares, theme.accent, f"strongest{HOVER}", **more))
    finite = [value for value in (*shares, *random_shares.ravel(), 0.0, 1.0) if np.isfinite(value)]
    low, high = max(-2.0, min(finite)), min(3.0, max(finite))
    room = 0.06 * (high - low)
    figure.update_xaxes(title="edges", type="log", showgrid=True)
    figure.update_yaxes(title="faithfulness", tickformat=".0%", showgrid=True, range=[low - room, high + room])
    figure.add_hline(y=1, line=dotted(theme))
    figure.update_layout(showlegend=True, legend=LEGEND)
    notes = [_fewest(sizes, shares)] if np.isfinite(shares).any() else [UNDEFINED]
    return dress(figure, result, theme, title="Faithfulness as the circuit grows", notes=notes, plot_height=230)


def _fewest(sizes: np.ndarray, shares: np.ndarray) -> str:
    """Which size is the first to be faithful."""
    enough = sizes[shares >= FAITHFUL]
    return (
        f"fewest edges tried that reach {FAITHFUL:.0%}: {enough.min():,}"
        if len(enough)
        else f"none reaches {FAITHFUL:.0%}"
    )


def shared_edges(
    results: Mapping[str, EdgeScores | FoundCircuit],
    *,
    edges: int | Sequence[int | None] | None = 200,
    extraction: Extraction | Sequence[Extraction] = "top",
    theme: str = "light",
) -> go.Figure:
    """The strongest edges that two circuits share, and that either has alone, with scores and ranks in both.

    Each has a column and a scale of its own, in its own unit. Circuits are those of `Circuit.of` with so many `edges`,
    of each or of both.
    Raises: ResultError for other than two results, or those of different models.
    """
    look, circuits = theme_named(theme), circuits_of(results, edges, extraction)
    if len(circuits) != 2:
        raise ResultError("comparing circuits takes two results; give two")
    (name, mine), (other, theirs) = circuits.items()
    common = mine.shared_with(theirs)
    lists = _lists(mine, theirs, common, (name, other))
    rows = [(title, edge) for title, some in lists for edge in (None, *some)]
    at = [index for index, (_, edge) in enumerate(rows) if edge]
    ends = [edge for _, edge in rows if edge]
    figure = make_subplots(rows=1, cols=2, shared_yaxes=True, horizontal_spacing=0.06)
    for column, (circuit, result) in enumerate(zip(circuits.values(), results.values(), strict=True), start=1):
        scores = {edge[:2]: (edge.score, rank) for edge, rank in zip(circuit.edges, _ranks(circuit), strict=True)}
        values, ranks = np.array([scores.get(pair, (np.nan, np.nan)) for pair in ends], dtype=float).reshape(-1, 2).T
        where = [f"{rank:.0f} of {len(circuit)}" if np.isfinite(rank) else "none" for rank in ranks]
        words = list(zip([" → ".join(pair) for pair in ends], where, strict=True))
        hover = f"%{{customdata[0]}}<br>%{{x:+.3f}} {unit(result, 'score')}, rank %{{customdata[1]}}"
        colours = sign_colours(values, look, result.supports("score"))
        figure.add_trace(list_bars(values, colours, hover, y=at, customdata=words), row=1, col=column)
        title = _head([name, other][column - 1], result)
        figure.update_xaxes(title=title, side="top", zeroline=True, showgrid=True, nticks=4, row=1, col=column)
    for index, (title, edge) in enumerate(rows):
        if edge is None:
            figure.add_annotation(
                text=f"<b>{escape(title)}</b>", x=0, xref="paper", xanchor="left", y=index, showarrow=False,
                font={"size": 11, "color": look.muted},
            )  # fmt: skip
    figure.update_yaxes(ticks(at, [" → ".join(pair) for pair in ends], most=40, limit=24), row=1, col=1)
    figure.update_yaxes(range=[len(rows) - 0.4, -0.6])
    figure.update_layout(showlegend=False)
    counts = f"{len(common.edges)} edges of {len(mine)} and {len(theirs)} shared, Jaccard index {common.jaccard:.2f}"
    nodes = f"{len(common.nodes)} nodes of {len(mine.nodes)} and {len(theirs.nodes)} shared, {common.node_jaccard:.2f}"
    signs = {end: result.sign for end, result in results.items() if result.sign}
    notes = [nodes, *(f"{end}: {sign}" for end, sign in signs.items())]
    about = f"{name} and {other}"
    if not one_measure([*results.values()], "score"):
        notes.insert(0, in_two_measures([*results.values()], "score"))
    signless = replace(result := next(iter(results.values())), data=result.data.assign_attrs(sign=""))
    sides = [result.supports("score") for result in results.values()]
    notes += [f"{end}: {SIDES[side]}" for end, side in zip(results, sides, strict=True) if side]
    return dress(figure, signless, look, title=counts, about=about, notes=notes, plot_height=19 * len(rows))


def _head(name: str, result: EdgeScores | FoundCircuit) -> str:
    """What stands over a column: whose it is, the method, what its numbers are, and their unit."""
    lines = dict.fromkeys([shorten(name, 18), result.provenance.engine or "by hand"])
    return "<br>".join([*map(escape, lines), f"score ({unit(result, 'score') or 'no unit'})"])


def _ranks(circuit: Circuit) -> np.ndarray:
    """Of each edge's score, by size; 1 is the largest."""
    return ranks_by_size(np.array([edge.score for edge in circuit.edges], dtype=float))


def shared_table(
    results: Mapping[str, EdgeScores | FoundCircuit],
    *,
    edges: int | Sequence[int | None] | None = 200,
    extraction: Extraction | Sequence[Extraction] = "top",
) -> pd.DataFrame:
    """The edges of the circuits that `shared_edges` compares, with their scores, units and ranks in both."""
    mine, theirs = (
        circuit.to_frame().assign(unit=unit(result, "score"), rank=_ranks(circuit))
        for circuit, result in zip(circuits_of(results, edges, extraction).values(), results.values(), strict=True)
    )
    return mine.merge(theirs, how="outer", on=["sender", "receiver"], suffixes=("", "_there"))


def circuits_of(
    results: Mapping[str, EdgeScores | FoundCircuit],
    edges: int | Sequence[int | None] | None = 200,
    extraction: Extraction | Sequence[Extraction] = "top",
) -> dict[str, Circuit]:
    """The circuit of each result, of one size or each of its own; None is all that was found."""
    sizes = edges if isinstance(edges, Sequence) else [edges] * len(results)
    ways: Any = [extraction] * len(results) if isinstance(extraction, str) else extraction
    choices = zip(results.items(), sizes, ways, strict=True)
    return {name: Circuit.of(result, size, extraction=way) for (name, result), size, way in choices}


def _lists(
    mine: Circuit, theirs: Circuit, common: Shared, names: tuple[str, str]
) -> list[tuple[str, list[tuple[str, str]]]]:
    """What both have and what each has alone, the strongest of each first."""
    both = {edge.ends for edge in common.edges}
    alone = [[edge for edge in circuit.edges if edge.ends not in both] for circuit in (mine, theirs)]
    count = f"shared by both: {len(both)} of {len(mine)} and {len(theirs)}"
    titles = (count, f"only {names[0]}: {len(alone[0])}", f"only {names[1]}: {len(alone[1])}")
    lists = []
    for title, some in zip(titles, (common.edges, *alone), strict=True):
        strongest = sorted(some, key=lambda edge: -abs(edge.score))[:LIST_LENGTH]
        lists.append((title, [edge[:2] for edge in strongest]))
    return lists

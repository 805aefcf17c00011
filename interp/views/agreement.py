"""Several methods' relevance of the same prompt, side by side, and how far they agree."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from interp.core.errors import ResultError
from interp.core.ranking import rank_correlation
from interp.kinds import Relevance
from interp.views.chart import ZERO, about_prompt, cells, choose_row, dress, limit_of, places
from interp.views.labels import escape, quoted, shorten, ticks
from interp.views.relevance import accounts
from interp.views.theme import Theme, colorscale, theme_named

MEASURED = "relevance of each token by method; every row in parts of its own largest value; rank correlation at right"


def compare_relevance(
    results: Mapping[str, Relevance] | Sequence[Relevance], *, prompt: int | None = None, theme: str = "light"
) -> go.Figure:
    """Methods down, tokens across, and the methods' rank correlation (Spearman's ρ over the prompt's tokens).

    Methods differ in scale, so the colours of each row run to its own largest |relevance|; hovers give the numbers.
    Raises: ResultError for fewer than two results, or results of different prompts.
    """
    look = theme_named(theme)
    methods = results if isinstance(results, Mapping) else _named(results)
    first = _first_of(methods)
    row = choose_row(first, "batch", prompt)
    at = places(first, "pos", row)
    values = np.stack([result.values("relevance").values[row, at.at] for result in methods.values()])
    names = [shorten(name, 24) for name in methods]
    figure = make_subplots(
        rows=1, cols=2, shared_yaxes=True, column_widths=[1 - _share(len(names)), _share(len(names))],
        horizontal_spacing=0.02,
    )  # fmt: skip
    figure.add_trace(_rows(values, at.at, at.labels, names, look), row=1, col=1)
    figure.add_trace(_correlations(values, names, look), row=1, col=2)
    numbers = list(range(len(names)))
    figure.update_xaxes(ticks(*at), title="token", tickangle=-45, row=1, col=1)
    figure.update_xaxes(ticks(numbers, names, limit=24), title="rank correlation", tickangle=-45, row=1, col=2)
    figure.update_yaxes(ticks(numbers, names, limit=24), autorange="reversed", title="method", row=1, col=1)
    asked = f"; for {first.provenance.metric}" if first.provenance.metric else ""
    shown = replace(first, data=first.data.assign_attrs(measured=MEASURED + asked))
    return dress(
        figure,
        shown,
        look,
        title=f"{len(names)} methods, token by token",
        about=about_prompt(first, row),
        notes=[f"{name}: {accounts(result, row)}" for name, result in methods.items()],
        plot_height=int(np.clip(44 * len(names), 100, 500)),
    )


def _named(results: Sequence[Relevance]) -> dict[str, Relevance]:
    """Results by their engine's name, numbered where a name comes twice."""
    found: dict[str, Relevance] = {}
    for result in results:
        name = engine = result.provenance.engine or "relevance"
        number = 1
        while name in found:
            number += 1
            name = f"{engine} ({number})"
        found[name] = result
    return found


def _first_of(methods: Mapping[str, Relevance]) -> Relevance:
    if len(methods) < 2:
        raise ResultError("one method has nothing to be compared with; give the results of two or more")
    first, *others = methods.values()
    for result in others:
        if not np.array_equal(result.data["token"].values, first.data["token"].values):
            raise ResultError("these results are of different prompts; compare methods on the same ones")
    return first


def _share(count: int) -> float:
    """How much of the width the square of correlations takes."""
    return min(0.12 + 0.05 * count, 0.45)


def _rows(values: np.ndarray, at: np.ndarray, labels: Sequence[str], names: Sequence[str], theme: Theme) -> go.Heatmap:
    scaled = np.stack([row / max(limit_of(row), ZERO) for row in values])
    tokens = np.array([quoted(label) for label in labels], dtype=object)
    methods = np.array([escape(name) for name in names], dtype=object)
    across, down = np.broadcast_arrays(tokens[None, :], methods[:, None])
    return cells(
        scaled,
        theme,
        signed=True,
        hover="%{customdata[0]}<br>%{customdata[1]} at %{x}<br>relevance %{customdata[2]:+.4g}",
        x=at,
        y=list(range(len(names))),
        customdata=np.stack([down, across, values.astype(object)], axis=-1),
        zmin=-1,
        zmax=1,
        showscale=False,
    )


def _correlations(values: np.ndarray, names: Sequence[str], theme: Theme) -> go.Heatmap:
    numbers = list(range(len(names)))
    rho = rank_correlation(values)
    return go.Heatmap(
        z=rho,
        x=numbers,
        y=numbers,
        zmin=-1,
        zmid=0,
        zmax=1,
        colorscale=colorscale(theme.diverging),
        showscale=False,
        xgap=1,
        ygap=1,
        hoverongaps=False,
        texttemplate="%{z:.2f}" if len(names) <= 8 else "",
        customdata=[[f"{escape(one)} and {escape(other)}" for other in names] for one in names],
        hovertemplate="%{customdata}<br>rank correlation %{z:+.3f}<extra></extra>",
    )

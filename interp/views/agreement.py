"""Several methods' relevance of the same prompt, side by side, and how far they agree."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from jaxtyping import Float
from plotly.subplots import make_subplots

from interp.core.errors import ResultError
from interp.core.ranking import rank_correlation
from interp.core.variables import FOR
from interp.kinds import Relevance
from interp.views.chart import dress
from interp.views.choosing import Places, about_prompt, choose_row, places
from interp.views.labels import escape, quoted, shorten, ticks
from interp.views.marks import EXTRA, ZERO, bars, cells, column_hover, height, limit_of, name_pairs, token_axis
from interp.views.relevance import FEW, accounts
from interp.views.theme import Theme, colorscale, theme_named

CAPTION = "relevance of each token by method, each row relative to its own maximum; rank correlation on the right"
APART = "range of the share of relevance, r / Σ|r|, a signed share from −1 to 1, so that a range is from 0 to 2"


def compare_relevance(
    results: Mapping[str, Relevance] | Sequence[Relevance], *, prompt: int | None = None, theme: str = "light"
) -> go.Figure:
    """Methods down, tokens across, and the methods' rank correlation (Spearman's ρ over the prompt's tokens), where
    there are two or more.

    Methods differ in scale, so the colours of each row run to its own largest |relevance|; hovers give the numbers.
    Raises: ResultError for no results, or results of different prompts.
    """
    look, methods = theme_named(theme), _Methods.of(results, prompt)
    names = methods.names
    rows = _rows(methods, look)
    if len(names) > 1:
        figure = _with_correlations(rows, methods, look, shared_yaxes=True, horizontal_spacing=0.02)
        figure.update_yaxes(title="method", row=1, col=1)
    else:
        figure = go.Figure(rows)
        token_axis(figure, methods.at, "token")
        figure.update_yaxes(ticks([0], names, limit=24), title="method")
    return dress(
        figure,
        methods.saying(CAPTION),
        look,
        title=f"{len(names)} method{'s' if len(names) > 1 else ''}, token by token",
        about=about_prompt(methods.first, methods.row),
        notes=[
            *(f"{name}: {accounts(result, methods.row)}" for name, result in methods.methods.items()),
            *(
                f"{name}: {result.sign}"
                for name, result in methods.methods.items()
                if result.sign != methods.first.sign
            ),
        ],
        supports=FOR,
        plot_height=height(len(names), 44, 100, 500),
    )


def disagreement(
    results: Mapping[str, Relevance] | Sequence[Relevance], *, prompt: int | None = None, theme: str = "light"
) -> go.Figure:
    """How far apart the methods are on each token, and their rank correlation.

    A token's bar is the distance between the largest and the smallest of its shares r / Σ|r|, which have no scale.
    Raises: ResultError as `compare_relevance`, and for one result alone.
    """
    look, methods = theme_named(theme), _Methods.of(results, prompt)
    names, at = methods.names, methods.at
    if len(names) < 2:
        raise ResultError("a disagreement needs at least two methods; give the results of two or more")
    shares = methods.shares
    words = [
        "<br>".join([f"{quoted(label)} at {pos}", *(f"{escape(n)} {x:+.2f}" for n, x in zip(names, some, strict=True))])
        for label, pos, some in zip(at.labels, at.at, shares.T, strict=True)
    ]
    width = 0.7 if len(at.at) <= FEW else 1
    gaps = bars(look.accent, "%{customdata}", x=at.at, y=np.ptp(shares, axis=0), width=width, customdata=words)
    figure = _with_correlations(gaps, methods, look, horizontal_spacing=0.16)
    figure.update_yaxes(title="range of signed shares", showgrid=True, row=1, col=1)
    figure.update_layout(showlegend=False)
    about = about_prompt(methods.first, methods.row)
    result = methods.saying(APART, sign="")
    return dress(figure, result, look, title="Where the methods disagree most", about=about, plot_height=220)


def disagreement_table(
    results: Mapping[str, Relevance] | Sequence[Relevance], *, prompt: int | None = None
) -> pd.DataFrame:
    """What `disagreement` draws: each token's range of shares and its shares, then every two methods' correlation."""
    methods = _Methods.of(results, prompt)
    names, at = [*methods.methods], methods.at
    columns = {"pos": at.at, "token": at.labels, "range": np.ptp(methods.shares, axis=0)}
    shares = {f"share, {name}": share for name, share in zip(names, methods.shares, strict=True)}
    rho = rank_correlation(methods.values)
    pairs = [(one, other, rho[i, j]) for i, one in enumerate(names) for j, other in enumerate(names) if i < j]
    correlations = pd.DataFrame(pairs, columns=["method", "other_method", "rank_correlation"])
    return pd.concat([pd.DataFrame(columns | shares), correlations], ignore_index=True)


@dataclass(frozen=True)
class _Methods:
    """Several methods on one prompt."""

    methods: Mapping[str, Relevance]
    first: Relevance
    row: int
    at: Places
    values: Float[np.ndarray, "method pos"]

    @classmethod
    def of(cls, results: Mapping[str, Relevance] | Sequence[Relevance], prompt: int | None) -> "_Methods":
        methods = results if isinstance(results, Mapping) else _by_name(results)
        first = _first_of(methods)
        row = choose_row(first, "batch", prompt)
        at = places(first, "pos", row)
        values = np.stack([result.values("relevance").values[row, at.at] for result in methods.values()])
        return cls(methods, first, row, at, values)

    @property
    def names(self) -> list[str]:
        return [shorten(name, 24) for name in self.methods]

    @property
    def shares(self) -> Float[np.ndarray, "method pos"]:
        """r / Σ|r| of every method."""
        return self.values / np.maximum(np.abs(self.values).sum(1, keepdims=True), ZERO)

    def saying(self, caption: str, **more: str) -> Relevance:
        """The first result, with what the figure measures."""
        target = f"; for {self.first.provenance.metric}" if self.first.provenance.metric else ""
        return replace(self.first, data=self.first.data.assign_attrs(measured=caption + target, **more))


def _with_correlations(tokens: Any, methods: _Methods, theme: Theme, **layout: Any) -> go.Figure:
    """A trace over the tokens at the left, and the methods' rank correlations at the right."""
    names, share = methods.names, _share(len(methods.names))
    figure = make_subplots(rows=1, cols=2, column_widths=[1 - share, share], **layout)
    figure.add_trace(tokens, row=1, col=1)
    figure.add_trace(_correlations(methods.values, names, theme), row=1, col=2)
    token_axis(figure, methods.at, "token")
    figure.update_xaxes(ticks(range(len(names)), names, limit=24), title="rank correlation", row=1, col=2)
    column = 1 if layout.get("shared_yaxes") else 2
    figure.update_yaxes(ticks(range(len(names)), names, limit=24), autorange="reversed", row=1, col=column)
    return figure


def _by_name(results: Sequence[Relevance]) -> dict[str, Relevance]:
    """Results by their engine's name, numbered where a name comes twice."""
    by_name: dict[str, Relevance] = {}
    for result in results:
        name = engine = result.provenance.engine or "relevance"
        number = 1
        while name in by_name:
            number += 1
            name = f"{engine} ({number})"
        by_name[name] = result
    return by_name


def _first_of(methods: Mapping[str, Relevance]) -> Relevance:
    if not methods:
        raise ResultError("there is no method to show; give the results of one or more")
    first, *others = methods.values()
    for result in others:
        if not np.array_equal(result.data["token"].values, first.data["token"].values):
            raise ResultError("these results are of different prompts; compare methods on the same ones")
    return first


def _share(count: int) -> float:
    """How much of the width the square of correlations takes."""
    return min(0.12 + 0.05 * count, 0.45)


def _rows(methods: _Methods, theme: Theme) -> go.Heatmap:
    values, names, at = methods.values, methods.names, methods.at
    z = np.stack([row / max(limit_of(row), ZERO) for row in values])
    down = np.broadcast_to(np.array([[escape(name)] for name in names], dtype=object), z.shape)
    words = np.stack([down, column_hover(at.labels, z.shape), values.astype(object)], axis=-1)
    hover = "%{customdata[0]}<br>%{customdata[1]} at %{x}<br>relevance %{customdata[2]:+.4g}"
    place = {"x": at.at, "y": list(range(len(names))), "customdata": words}
    return cells(z, theme, signed=True, hover=hover, zmin=-1, zmax=1, showscale=False, **place)


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
        customdata=name_pairs(names),
        hovertemplate=f"%{{customdata}}<br>rank correlation %{{z:+.3f}}{EXTRA}",
    )

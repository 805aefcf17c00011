"""Composition: which heads write into what later heads read, compared with random rotations and impossible pairs."""

import re
from typing import Any, Literal

import numpy as np
import plotly.graph_objects as go

from interp.core.errors import OptionError
from interp.kinds import HeadComposition
from interp.views.chart import LEGEND, dress
from interp.views.choosing import choices_made, choose_one
from interp.views.figures import view
from interp.views.labels import TICKS, escape, ticks
from interp.views.marks import AT_LEFT, cells, height, list_bars, name_rows
from interp.views.theme import Theme, colorscale

INPUTS = {"q": "queries", "k": "keys", "v": "values"}
CHOICES = {"matrix": ("composition",), "channels": ("composition", "top")}
USUAL = 0.05  # a pair that this share of backward pairs reaches is nothing special


@view.register
def composition(
    result: HeadComposition,
    theme: Theme,
    *,
    show: Literal["matrix", "channels"] = "matrix",
    composition: Literal["q", "k", "v"] | None = None,
    top: int | None = None,
) -> go.Figure:
    """Senders down and receivers across, coloured by how far the score exceeds its null, for one `composition` ("q",
    "k" or "v"); or the `top` channels as bars alongside their null, of one composition or of all.

    Grey: as strong as the strongest twentieth of pairs that cannot compose, or weaker.
    """
    choices = choices_made(show, CHOICES[show], composition=composition, top=top)
    if composition is not None:
        axis = "receiver" if show == "matrix" else "channel_receiver"
        choose_one("composition", composition, [kind for kind in INPUTS if _of_kind(result, axis, kind).any()])
    return {"matrix": _matrix, "channels": _channels}[show](result, theme, **choices)


def _of_kind(result: HeadComposition, axis: str, kind: str) -> np.ndarray:
    return np.array([str(name).startswith(kind) for name in result.data[axis].values], dtype=bool)


def _above(score: np.ndarray, null: np.ndarray) -> np.ndarray:
    """How many times the null a score is, as log₂."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.log2(score / null)


def _matrix(result: HeadComposition, theme: Theme, composition: str = "q") -> go.Figure:
    data = result.data.isel(edge=_of_kind(result, "receiver", composition))
    senders, receivers = (sorted(set(map(str, data[end].values)), key=_place) for end in ("sender", "receiver"))
    row, column = (
        np.array([names.index(str(name)) for name in data[end].values], dtype=int)
        for end, names in (("sender", senders), ("receiver", receivers))
    )

    def spread(values: Any) -> np.ndarray:
        grid = np.full((len(senders), len(receivers)), np.nan, dtype=np.float32)
        grid[row, column] = values
        return grid

    score, null, sd, backward = (spread(data[name].values) for name in ("score", "null_mean", "null_sd", "backward"))
    above, usual = _above(score, null), backward > USUAL
    down, across = [escape(name) for name in senders], [escape(name) for name in receivers]
    layout = {"x": across, "y": down, "xgap": 0, "ygap": 0}
    with np.errstate(divide="ignore", invalid="ignore"):
        about = np.stack([score, null, (score - null) / sd, backward], -1)
    hover = (
        "%{y} → %{x}<br>score %{customdata[0]:.4f}, null %{customdata[1]:.4f} (z "
        "%{customdata[2]:+.1f})<br>%{customdata[3]:.1%} of backward pairs score at least as high"
    )
    bright = cells(np.where(usual, np.nan, above), theme, signed=False, hover=hover, customdata=about, **layout)
    bright.update(zmin=0, colorscale=colorscale(theme.sequential[2:]), colorbar=AT_LEFT)
    grey_hover = "%{y} → %{x}<br>score %{z:.4f}<br>not above pairs that cannot compose"
    grey = cells(np.where(usual, score, np.nan), theme, signed=False, hover=grey_hover, showscale=False, **layout)
    grey.update(colorscale=[[0, theme.line], [1, theme.line]])
    figure = go.Figure([grey, bright])
    figure.update_xaxes(_layer_ticks(receivers), title="receiver, by layer", type="category")
    figure.update_yaxes(_layer_ticks(senders), title="sender, by layer", type="category", autorange="reversed")
    count = int((backward <= USUAL).sum())
    notes = [
        f"coloured: {count:,} of {len(row):,} pairs score above 95 % of the impossible pairs, whose receiver comes "
        "before their sender; grey: all others"
    ]
    title = f"Which heads write into the {INPUTS[composition]} of later heads"
    tall = height(max(len(senders), len(receivers)), 4, 220, 640)
    return dress(figure, result, theme, title=title, notes=notes, plot_height=tall, bar="log₂(score ÷ null)")


def _place(name: str) -> tuple[int, int, str]:
    """Heads by layer and number; any other name after them."""
    numbers = re.fullmatch(r"[a-z]*(\d+)\.(\d+)", name)
    return (int(numbers[1]), int(numbers[2]), name) if numbers else (1 << 30, 0, name)


def _layer_ticks(names: list[str]) -> dict[str, Any]:
    """A tick at each layer's first head, or at every head where they are few."""
    if len(names) <= TICKS // 2:
        return ticks(range(len(names)), names)
    first = [at for at, name in enumerate(names) if at == 0 or _place(name)[0] != _place(names[at - 1])[0]]
    return ticks(first, [_place(names[at])[0] for at in first], most=32)


def _channels(result: HeadComposition, theme: Theme, composition: str | None = None, top: int = 24) -> go.Figure:
    if not isinstance(top, int) or top < 1:
        raise OptionError(f"top = {top!r}; give a whole number of channels, at least 1")
    of = slice(None) if composition is None else _of_kind(result, "channel_receiver", composition)
    data = result.data.isel(channel=of).isel(channel=slice(top))
    score, null, sd, backward = (
        data[f"channel_{name}"].values for name in ("score", "null_mean", "null_sd", "backward")
    )
    ends = [data[f"channel_{name}"].values for name in ("sender", "component", "receiver")]
    names = [f"{sender} ({component}) → {receiver}" for sender, component, receiver in zip(*ends, strict=True)]
    channels = [f"{escape(sender)}>{escape(to)}~{component}" for sender, component, to in zip(*ends, strict=True)]
    at = np.arange(len(names))
    hover = (
        "score %{x:.4f}, null %{customdata[1]:.4f}<br>%{customdata[2]:.1%} of backward channels score at least as high"
    )
    colours = [theme.muted if usual else theme.accent for usual in backward > USUAL]
    words = list(zip(map(escape, names), null, backward, channels, strict=True))
    figure = go.Figure(list_bars(score, colours, f"%{{customdata[0]}}<br>{hover}", name="score", customdata=words))
    figure.add_scatter(
        x=null, y=at, mode="markers", name="null, ± 2 sd", hoverinfo="skip",
        marker={"color": theme.ink, "symbol": "line-ns-open", "size": 12, "line": {"width": 2}},
        error_x={"array": 2 * sd, "color": theme.ink, "thickness": 1.5, "width": 0},
    )  # fmt: skip
    figure.update_xaxes(title="composition score", zeroline=True, showgrid=True, rangemode="tozero")
    name_rows(figure, names, "sender (direction) → receiver", limit=32)
    figure.update_layout(showlegend=True, legend=LEGEND)
    into = "" if composition is None else f" into the {INPUTS[composition]} of later heads"
    notes = [
        "channel: one singular direction of the sender's output (0 is the strongest); marker: score under a random "
        "rotation, ± 2 standard deviations"
    ]
    title = f"The {len(names)} strongest channels{into}"
    return dress(figure, result, theme, title=title, notes=notes, plot_height=20 * len(names) + 20)

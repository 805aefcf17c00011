"""What the stream holds, by layer and position: probes beside their controls, and what changes do."""

from typing import Any, Literal

import numpy as np
import plotly.graph_objects as go

from interp.kinds import DepthRanking, Disentanglement, Inversion, Probes, Recoverability
from interp.views.chart import LEGEND, dress
from interp.views.choosing import about_prompt, choose_one, choose_row, names_of, places, unit
from interp.views.figures import view
from interp.views.labels import escape, ticks, token
from interp.views.layers import stream_labels, stream_name
from interp.views.marks import AT_LEFT, band, bars, cells, curve, dotted, height, list_bars, name_rows, points, whiskers
from interp.views.theme import Theme

_WORDS = {
    "accuracy": "probe",
    "shuffled": "labels shuffled",
    "by_type": "labels by token",
    "selectivity": "selectivity",
    "untrained": "untrained model",
    "erased_accuracy": "last stream after change",
    "codelength": "codelength",
    "divergence": "change of the label",
    "random_divergence": "random directions",
    "effect": "effect on the metric",
}
Value = Literal[
    "accuracy", "shuffled", "by_type", "selectivity", "untrained", "erased_accuracy", "codelength", "divergence",
    "random_divergence", "effect",
]  # fmt: skip


@view.register
def probes(
    result: Probes,
    theme: Theme,
    *,
    show: Literal["layers", "map", "changes", "cell"] = "layers",
    value: Value = "accuracy",
    pos: int | None = None,
    layer: int | None = None,
) -> go.Figure:
    """Accuracies by layer at one `pos`, a `map` of one `value`, the answers after `changes`, or one `cell`."""
    if show == "map":
        return _map(result, theme, value)
    place = choose_row(result, "pos", pos if pos is not None else int(result.data["pos"].values[-1]))
    if show == "cell":
        return _cell(result, theme, place, choose_row(result, "layer", layer))
    return (_changes if show == "changes" else _layers)(result, theme, place)


def _about(result: Probes, place: int) -> str:
    offset = int(result.data["pos"].values[place])
    return (
        "at the labelled token" if offset == 0 else f"at offset {offset:+d} from the labelled token".replace("-", "−")
    )


def _lines(figure: go.Figure, result: Probes, place: int, looks: dict[str, tuple[str, str | None]], words: str) -> None:
    names, layers = stream_labels(result), np.arange(result.data.sizes["layer"])
    for name, (colour, dash) in looks.items():
        if name not in result.data or result.data[name].isel(pos=place).isnull().all():
            continue
        hover = f"stream %{{customdata}}<br>{_WORDS[name]}: {words} %{{y:.3f}}"
        more = {"name": _WORDS[name], "customdata": names, "mode": "lines+markers", "marker": {"size": 5}}
        figure.add_trace(curve(layers, result.values(name).values[:, place], colour, hover, dash=dash, **more))
    figure.update_xaxes(ticks(layers, names, most=16), title="stream into layer")
    figure.update_layout(showlegend=True, legend=LEGEND)


def _layers(result: Probes, theme: Theme, place: int) -> go.Figure:
    figure, layers = go.Figure(), np.arange(result.data.sizes["layer"])
    low, high = result.data["accuracy_interval"].values[:, place].T
    figure.add_traces(band(layers, low, high))
    looks = {
        "accuracy": (theme.accent, None), "untrained": (theme.against, "dash"), "by_type": (theme.diverging[2], "dot"),
        "shuffled": (theme.muted, "dot"), "erased_accuracy": (theme.ink, "dash"),
    }  # fmt: skip
    _lines(figure, result, place, looks, "balanced accuracy")
    bag = float(result.values("bag_of_tokens").values[place])
    notes = ["band: 95 % interval of the probe over groups", "dotted line: chance"]
    figure.add_hline(y=float(result.data.attrs["chance"]), line=dotted(theme))
    if not np.isnan(bag):
        notes.append(f"a probe of the bag of tokens: {bag:.3f}")
    figure.update_yaxes(title="balanced accuracy", range=[0, 1.03], showgrid=True)
    title, note = "Probes of each layer's stream", "; ".join(notes)
    return dress(figure, result, theme, title=title, about=_about(result, place), notes=[note], plot_height=320)


def _changes(result: Probes, theme: Theme, place: int) -> go.Figure:
    """Raises: ResultError where nothing was changed."""
    figure = go.Figure()
    result.values("divergence")
    looks = {"divergence": (theme.accent, None), "random_divergence": (theme.muted, "dot")}
    _lines(figure, result, place, looks, "divergence")
    figure.update_yaxes(title=f"divergence of the answers ({unit(result, 'divergence')})", showgrid=True)
    title = "Answers after a change of each layer's stream"
    return dress(figure, result, theme, title=title, about=_about(result, place), plot_height=320)


def _cell(result: Probes, theme: Theme, place: int, layer: int) -> go.Figure:
    """Every accuracy of one layer and position, with its interval; what the change does is in the notes."""
    at = {"layer": layer, "pos": place}
    names = ["accuracy", *(name for name in ("untrained", "by_type", "shuffled") if name in result.data)]
    names = [name for name in names if name == "accuracy" or result.data[name].isel(at).notnull()]
    values = [float(result.data[name].isel(at)) for name in names]
    ends = [result.data[f"{name}_interval"].isel(at).values for name in names]
    values.append(float(result.values("bag_of_tokens").values[place]))
    ends.append(result.data["bag_of_tokens_interval"].isel(pos=place).values)
    words = [*(_WORDS[name] for name in names), "bag of tokens"]
    low, high = np.array(ends).T
    notes = ["dotted line: chance; whiskers: 95 % intervals over groups"]
    if "divergence" in result.data:
        erased, moved, random = (
            float(result.values(name).isel(at)) for name in ("erased_accuracy", "divergence", "random_divergence")
        )
        values, words = [*values, erased], [*words, _WORDS["erased_accuracy"]]
        low, high = np.append(low, erased), np.append(high, erased)
        notes.append(f"the change moves the answers by {moved:.3g} nats, random directions by {random:.3g}")
    colours = [theme.accent, *[theme.muted] * (len(values) - 1)]
    shown = np.array(values)
    error = whiskers("x", shown, np.fmin(low, shown), np.fmax(high, shown), theme.ink)
    figure = go.Figure(list_bars(shown, colours, "%{y}: %{x:.3f}", **error))
    name_rows(figure, words)
    figure.add_vline(x=float(result.data.attrs["chance"]), line=dotted(theme))
    figure.update_xaxes(title="balanced accuracy", range=[0, 1.03], showgrid=True)
    figure.update_yaxes(title="probe")
    about, title = f"{stream_name(result, layer)}, {_about(result, place)}", "One layer and position"
    return dress(figure, result, theme, title=title, about=about, notes=notes, plot_height=28 * len(values))


def _map(result: Probes, theme: Theme, value: Value) -> go.Figure:
    """Raises: OptionError for a value that this result does not hold."""
    choose_one("value", value, [name for name in _WORDS if name in result.data])
    z, offsets = result.values(value).values, result.data["pos"].values
    down = stream_labels(result)
    signed = value in ("selectivity", "effect")
    hover = f"stream %{{customdata}}<br>offset %{{x}}<br>{_WORDS[value]} %{{z:.3f}}"
    words = np.broadcast_to(np.array(down, dtype=object)[:, None], z.shape)
    more: dict[str, Any] = {} if signed or unit(result, value) != "fraction" else {"zmin": 0, "zmax": 1}
    at = np.arange(len(offsets))
    figure = go.Figure(
        cells(
            z,
            theme,
            signed=signed,
            hover=hover,
            customdata=words,
            colorbar=AT_LEFT,
            x=at,
            y=np.arange(len(down)),
            **more,
        )
    )
    figure.update_xaxes(ticks(at, [f"{offset:+d}" if offset else "0" for offset in offsets]), title="offset")
    name_rows(figure, down, "stream into layer")
    tall, bar = height(len(down), 18, 160, 620), f"{_WORDS[value]} ({unit(result, value)})"
    title = "Probes by layer and position"
    return dress(figure, result, theme, title=title, plot_height=tall, bar=escape(bar))


@view.register
def inversion(result: Inversion, theme: Theme, *, prompt: int | None = None) -> go.Figure:
    """Distance and margin of every recovered token, on a logarithmic axis; wrong ones are named."""
    row = choose_row(result, "batch", prompt)
    at, labels = places(result, "pos", row)
    figure = go.Figure()
    values = {name: result.values(name).values[row, at] for name in ("distance", "margin", "tried", "correct")}
    words = [token(word) for word in result.values("recovered_token").values[row, at]]
    about = np.stack([np.array(words, dtype=object), values["tried"].astype(object)], -1)
    for name, colour in (("margin", theme.accent), ("distance", theme.against)):
        hover = f"“%{{customdata[0]}}”<br>{name} %{{y:.3g}}<br>%{{customdata[1]:.0f}} tokens tried"
        more = {"name": name, "mode": "lines+markers", "marker": {"size": 5}, "customdata": about}
        figure.add_trace(curve(at, np.where(values[name] > 0, values[name], np.nan), colour, hover, **more))
    for place in np.flatnonzero(values["correct"] == 0):
        figure.add_annotation(x=int(at[place]), y=1, yref="paper", text=f"“{words[place]}”", showarrow=False)
    figure.update_xaxes(ticks(at, labels), title="token", tickangle=-45)
    figure.update_yaxes(title=f"distance ({unit(result, 'distance')})", type="log", showgrid=True)
    figure.update_layout(showlegend=True, legend=LEGEND)
    right, reached = int(np.nansum(values["correct"])), int(np.isfinite(values["correct"]).sum())
    notes = [f"{right} of {len(at)} tokens recovered; {len(at) - reached} refused for too small a margin"]
    title = "The prompt from its states"
    return dress(figure, result, theme, title=title, about=about_prompt(result, row), notes=notes, plot_height=300)


@view.register
def depth_ranking(
    result: DepthRanking,
    theme: Theme,
    *,
    show: Literal["depth", "standardised_depth", "distances"] = "standardised_depth",
    layer: int | None = None,
) -> go.Figure:
    """The texts from the deepest to the last, in one `layer` (the middle one by default); or least `distances`."""
    if show == "distances":
        return _least_distances(result, theme)
    layers = result.data["layer"].values
    place = choose_row(result, "layer", int(layers[len(layers) // 2]) if layer is None else layer)
    depth = result.values(show).values[place]
    order = np.argsort(-np.nan_to_num(depth), kind="stable")
    documents = [token(text, 60) for text in result.data["document"].values[order]]
    hover = "%{customdata}<br>rank %{x}, depth %{y:.4f}"
    line = curve(
        np.arange(1, len(order) + 1), depth[order], theme.accent, hover, mode="lines+markers", marker={"size": 5},
        customdata=documents,
    )  # fmt: skip
    figure = go.Figure(line)
    figure.update_xaxes(title="rank of the text", showgrid=True)
    figure.update_yaxes(title="depth", showgrid=True)
    notes = [f"deepest: “{documents[0]}”; last: “{documents[-1]}”"]
    name = show.replace("_depth", "_q") if show != "depth" else "q"
    if name in result.data:
        p = float(result.values(name.replace("q", "p_value")).values[place])
        notes.append(f"Q of the other corpus {float(result.values(name).values[place]):.3f}, p = {p:.2g}")
    about, title = stream_name(result, place), "Texts by statistical depth"
    return dress(figure, result, theme, title=title, about=about, notes=notes, plot_height=300)


def _least_distances(result: DepthRanking, theme: Theme) -> go.Figure:
    """By layer, the least distance of two texts' states, beside that of texts with a token changed."""
    figure, names = go.Figure(), stream_labels(result)
    layers, looks = np.arange(len(names)), {"two texts": (theme.accent, None), "a token changed": (theme.muted, "dash")}
    for variable, (words, (colour, dash)) in zip(("nearest", "changed"), looks.items(), strict=True):
        least = result.values(f"{variable}_distance").values.min(1)
        hover = f"stream %{{customdata}}<br>{words}: at least %{{y:.3g}}"
        more = {"name": words, "customdata": names, "mode": "lines+markers", "marker": {"size": 5}}
        figure.add_trace(curve(layers, least, colour, hover, dash=dash, **more))
    figure.update_xaxes(ticks(layers, names, most=16), title="stream into layer")
    figure.update_yaxes(title="least distance (norm of the stream)", type="log", showgrid=True)
    figure.update_layout(showlegend=True, legend=LEGEND)
    title = "How near two last states come"
    return dress(figure, result, theme, title=title, about="", plot_height=300)


@view.register
def disentanglement(result: Disentanglement, theme: Theme, *, show: Literal["mig", "sap"] = "mig") -> go.Figure:
    """A gap of every factor with its interval, beside its null."""
    names, values = names_of(result, "target"), result.values(show).values
    low, high = result.data[f"{show}_interval"].values.T
    best = result.values("best").values
    hover = f"{show.upper()} %{{y:.3f}}<br>best latent %{{customdata}}"
    at = np.arange(len(names))
    ends = whiskers("y", values, low, high, theme.ink)
    figure = go.Figure(bars(theme.accent, hover, x=at, y=values, customdata=best, name=show.upper(), **ends))
    marker = {"symbol": "line-ew-open", "size": 26, "color": theme.against, "line": {"width": 2}}
    null = result.values(f"{show}_null").values
    figure.add_trace(points(at, null, marker, "95 % of permutations: %{y:.3f}", name="null"))
    figure.update_xaxes(ticks(at, names, most=64), title="factor")
    figure.update_yaxes(title=show.upper(), showgrid=True, rangemode="tozero")
    figure.update_layout(showlegend=True, legend=LEGEND)
    notes = ["1: one latent tells all of the factor, and no other anything; the null is the 95th percentile"]
    return dress(figure, result, theme, title="Disentanglement of each factor", notes=notes, plot_height=280)


@view.register
def recoverability(result: Recoverability, theme: Theme) -> go.Figure:
    """The share of tokens found again by each way, layer by layer, with the interval of the linear map."""
    names, layers, figure = stream_labels(result), np.arange(result.data.sizes["layer"]), go.Figure()
    figure.add_traces(band(layers, *result.data["linear_interval"].values.T))
    looks = {
        "linear": ("linear map", theme.accent, None), "descent": ("gradient descent", theme.against, "dash"),
        "state": ("the state itself", theme.muted, "dot"),
    }  # fmt: skip
    for name, (words, colour, dash) in looks.items():
        more = {"name": words, "customdata": names, "mode": "lines+markers", "marker": {"size": 5}}
        hover = f"stream %{{customdata}}<br>{words}: %{{y:.3f}}"
        figure.add_trace(curve(layers, result.values(name).values, colour, hover, dash=dash, **more))
    figure.update_xaxes(ticks(layers, names, most=16), title="stream into layer")
    figure.update_yaxes(title="share of the tokens found", range=[0, 1.03], showgrid=True)
    figure.update_layout(showlegend=True, legend=LEGEND)
    notes = ["band: 95 % interval of the linear map over tokens"]
    return dress(figure, result, theme, title="Tokens found again from their states", notes=notes, plot_height=300)

"""What weights store, in figures: the neurons behind an answer."""

from typing import Any, Literal

import numpy as np
import plotly.graph_objects as go

from interp.core.errors import OptionError
from interp.core.variables import FOR
from interp.kinds import BilinearReading, CausalTrace, LossCurvature, MLPMemory, RankOneEdit
from interp.views.chart import LEGEND, dress
from interp.views.choosing import about_prompt, choose_row, names_of, places, unit
from interp.views.figures import view
from interp.views.labels import escape, ticks, token
from interp.views.layers import shades
from interp.views.marks import (
    bars,
    cells,
    curve,
    dotted,
    height,
    limit_of,
    list_bars,
    name_rows,
    number_axes,
    sign_colours,
)
from interp.views.theme import Theme


@view.register
def mlp_memory(
    result: MLPMemory, theme: Theme, *, show: Literal["neurons", "totals"] = "neurons", prompt: int | None = None
) -> go.Figure:
    """The neurons that contribute most, with the tokens that they write for; or every MLP's contribution."""
    row = choose_row(result, "batch", prompt)
    data, about = result.data.isel(batch=row), about_prompt(result, row)
    remainder = f"remainder at most {limit_of(data['remainder'].values):.2g} logits"
    if show == "totals":
        return _totals(result, theme, data, about, remainder)
    values, names = data["contribution"].values, [str(name) for name in data["node"].values]
    columns = (data[name].values for name in ("activation", "promoted", "suppressed", "key_value_cosine", "twin"))
    words = [
        f"{name}, activation {activation:+.3g}<br>for {token(up, 90)}<br>against {token(down, 90)}"
        f"<br>key·value {cosine:+.2f}, twin {token(twin)}<br>{token(context, 110)}"
        for name, activation, up, down, cosine, twin, context in zip(
            map(token, names), *columns, data["context"].values[:, 0], strict=True
        )
    ]
    colours = sign_colours(values, theme, FOR)
    figure = go.Figure(list_bars(values, colours, "%{customdata}<br>%{x:+.3f} logits", customdata=words))
    first = [str(up).partition(" | ")[0] for up in data["promoted"].values]
    name_rows(figure, [f"{name} → {word}" for name, word in zip(names, first, strict=True)], "neuron", limit=32)
    number_axes(figure, x="contribution (logits)")
    title, tall = "Neurons behind the answer", 20 * max(4, len(names))
    return dress(figure, result, theme, title=title, about=about, notes=[remainder], plot_height=tall, supports=FOR)


def _totals(result: MLPMemory, theme: Theme, data: Any, about: str, remainder: str) -> go.Figure:
    layers, figure = data["layer"].values, go.Figure()
    for name, words, colour in (("total", "MLP", theme.accent), ("listed", "neurons listed", theme.muted)):
        values = data[name].values
        hover = f"layer %{{x}}<br>{words} %{{y:+.3f}} logits"
        figure.add_trace(bars(colour, hover, x=layers, y=values, name=words))
    number_axes(figure, x="layer", y="contribution (logits)")
    figure.update_layout(barmode="group", showlegend=True, legend=LEGEND)
    title = "Direct contribution of every MLP"
    return dress(figure, result, theme, title=title, about=about, notes=[remainder], plot_height=300)


@view.register
def causal_trace(result: CausalTrace, theme: Theme, *, prompt: int | None = None) -> go.Figure:
    """What restoring each state brings back: tokens down, the subject's marked, and layers across."""
    row = choose_row(result, "batch", prompt)
    data, where = result.data.isel(batch=row), places(result, "pos", row)
    values = data["effect"].values[:, where.at].T
    low, high = np.moveaxis(data["effect_interval"].values[:, where.at], -1, 0)
    subject = data["subject"].values[where.at] > 0
    labels = [f"{label} *" if inside else label for label, inside in zip(where.labels, subject, strict=True)]
    about = np.stack([low.T, high.T], -1)
    hover = "layer %{x}, position %{y}<br>%{z:+.3f}<br>95 % over draws [%{customdata[0]:+.3f}, %{customdata[1]:+.3f}]"
    more: dict[str, Any] = {"x": data["layer"].values, "y": where.at, "customdata": about}
    figure = go.Figure(cells(values, theme, signed=True, hover=hover, supports=FOR, **more))
    figure.update_xaxes(ticks(data["layer"].values, data["layer"].values, most=32), title="layer")
    figure.update_yaxes(ticks(where.at, labels), title="position", autorange="reversed")
    notes = [
        f"* noise: the subject. Clean {float(data['clean']):.3f}, corrupted {float(data['corrupted']):.3f} "
        f"{result.data['clean'].attrs.get('unit', '')}"
    ]
    parts = {"attn_out": "attention", "mlp_out": "MLPs"}
    title = parts.get(str(result.data.attrs.get("site")), "the stream")
    if severed := parts.get(str(result.data.attrs.get("severed"))):
        notes.append(f"severed: at that position, later {severed} as the noise has them")
    return dress(
        figure, result, theme, title=f"Restoring {escape(title)} at one position", about=about_prompt(result, row),
        notes=notes, plot_height=height(len(where.at), 22, 160, 900), bar=unit(result, "effect"), supports=FOR,
    )  # fmt: skip


RUNS = {"before": "before", "after": "after the edit", "plain": "after the plain edit"}


@view.register
def rank_one_edit(result: RankOneEdit, theme: Theme, *, prompt: int | None = None) -> go.Figure:
    """Log-odds of the new answer before and after the edit: of the prompt, its paraphrases and its neighbours."""
    row = choose_row(result, "batch", prompt)
    data, figure = result.data.isel(batch=row), go.Figure()
    groups = [("", "prompt", ["the prompt itself"])]
    groups += [
        (f"{of}_", of, [str(text) for text in data[axis].values])
        for of, axis in (("paraphrase", "entry"), ("neighbour", "rank"))
        if f"{of}_before" in data
    ]
    names = [f"{of}: {text}" if prefix else text for prefix, of, texts in groups for text in texts]
    colours = (theme.muted, theme.accent, theme.against)
    for (run, words), colour in zip(RUNS.items(), colours, strict=True):
        values = np.concatenate([np.atleast_1d(data[f"{prefix}{run}"].values) for prefix, _, _ in groups])
        about = [token(name, 90) for name in names]
        hover = f"%{{customdata}}<br>{words}: %{{x:+.3f}} nats"
        place: dict[str, Any] = {"y": np.arange(len(names)), "orientation": "h", "name": words, "customdata": about}
        figure.add_trace(bars(colour, hover, x=values, **place))
    name_rows(figure, names, "prompt", limit=44)
    number_axes(figure, x="log p(new) − log p(old) (nats)")
    figure.update_layout(barmode="group", showlegend=True, legend=LEGEND)
    notes = [f"the edit changes the matrix by {float(data['weight_change']):.2%} of its norm"]
    title, tall = f"Rank-one edit of MLP {result.data.attrs.get('layer', '')}", 52 * max(2, len(names))
    return dress(figure, result, theme, title=title, about=about_prompt(result, row), notes=notes, plot_height=tall)


@view.register
def bilinear_reading(result: BilinearReading, theme: Theme, *, prompt: int | None = None) -> go.Figure:
    """What each eigenvector of the form contributes, strongest first."""
    row = choose_row(result, "batch", prompt)
    data = result.data.isel(batch=row)
    values, names = data["contribution"].values, [f"eigenvector {rank}" for rank in data["rank"].values]
    about = np.stack([data["eigenvalue"].values, data["reading"].values], -1)
    hover = "%{x:+.3f} logits<br>eigenvalue %{customdata[0]:+.3g}, reading %{customdata[1]:.3g}"
    figure = go.Figure(list_bars(values, sign_colours(values, theme, FOR), hover, customdata=about))
    name_rows(figure, names, "direction read")
    number_axes(figure, x="contribution (logits)")
    parts = ", ".join(f"{name} {float(data[name]):+.3f}" for name in ("quadratic", "linear", "bias", "missed"))
    notes = [
        f"{parts}, together {float(data['total']):+.3f} logits",
        f"the affine fits explain {float(data['fit']):.1%} of the nonlinearity's variance",
    ]
    title, tall = f"MLP {result.data.attrs.get('layer', '')} as a quadratic form", 20 * max(4, len(names))
    return dress(
        figure, result, theme, title=title, about=about_prompt(result, row), notes=notes, plot_height=tall,
        supports=FOR,
    )  # fmt: skip


KEPT = {"highest": "highest curvature kept", "random": "as many at random", "lowest": "as many of the lowest"}


@view.register
def loss_curvature(
    result: LossCurvature, theme: Theme, *, show: Literal["losses", "recitation", "spectrum"] = "losses"
) -> go.Figure:
    """The loss against the share of curvature that is kept, with its controls; of every example; or the spectra."""
    if show != "losses":
        return (_spectrum if show == "spectrum" else _recitation)(result, theme)
    data, figure = result.data, go.Figure()
    colours = (theme.accent, theme.muted, theme.against)
    for (name, words), colour in zip(KEPT.items(), colours, strict=True):
        row = data.sel(arrangement=name)
        low, high = np.moveaxis(row["loss_interval"].values, -1, 0)
        hover = f"{words}<br>ρ = %{{x}}: loss %{{y:.4f}} nats<br>95 % [%{{customdata[0]:.4f}}, %{{customdata[1]:.4f}}]"
        more = {"mode": "lines+markers", "name": words, "customdata": np.stack([low, high], -1)}
        figure.add_trace(curve(data["fraction"].values, row["loss"].values, colour, hover, **more))
    figure.add_hline(y=float(data["clean_loss"]), line=dotted(theme))
    figure.update_xaxes(title="share of the curvature kept, ρ", showgrid=True)
    figure.update_yaxes(title="loss (nats)", showgrid=True)
    figure.update_layout(showlegend=True, legend=LEGEND)
    notes = ["dotted: the model as it is"]
    title = f"Low curvature dropped from MLP {result.data.attrs.get('layer', '')}"
    return dress(figure, result, theme, title=title, notes=notes, plot_height=320)


def _recitation(result: LossCurvature, theme: Theme) -> go.Figure:
    """The loss of every example, as the model is and with ever more of the curvature kept."""
    if "example_after" not in result.data:
        raise OptionError("this result has no examples; run loss-curvature again with the texts as `examples`")
    after = result.data.sel(arrangement="highest").transpose("entry", "fraction", ...)
    order = np.argsort(-after["fraction"].values, kind="stable")

    def columns(name: str) -> np.ndarray:
        return np.column_stack([after[f"{name}_before"].values, after[f"{name}_after"].values[:, order]])

    names, texts = ["as it is", *(f"ρ = {after['fraction'].values[at]:g}" for at in order)], names_of(result, "entry")
    about = np.stack(np.broadcast_arrays([[token(text, 90)] for text in texts], columns("recited").round(3)), -1)
    hover = "%{customdata[0]}<br>%{x}: %{z:.4f} nats<br>share of its tokens ranked first: %{customdata[1]}"
    figure = go.Figure(cells(columns("example"), theme, signed=False, hover=hover, x=names, customdata=about))
    name_rows(figure, texts, "example", limit=44)
    title = f"Examples without the low curvature of MLP {result.data.attrs.get('layer', '')}"
    tall, notes = height(len(texts), 22, 110, 900), [f"{KEPT['highest']}; ρ is the share of the curvature kept"]
    return dress(figure, result, theme, title=title, notes=notes, plot_height=tall, bar="loss (nats)")


def _spectrum(result: LossCurvature, theme: Theme) -> go.Figure:
    data, figure = result.data, go.Figure()
    names = [str(name) for name in data["component"].values]
    for row, (name, colour) in enumerate(zip(names, shades(theme, len(names)), strict=True)):
        for side, dash in (("input", "solid"), ("output", "dot")):
            values = data[f"{side}_eigenvalue"].values[row]
            label = f"{token(name)}, {side}s"
            hover = f"{label}<br>eigenvalue %{{x}}: %{{y:.3g}}"
            figure.add_trace(curve(data["rank"].values + 1, values, colour, hover, dash=dash, name=label))
    figure.update_xaxes(title="number of the eigenvalue", type="log", showgrid=True)
    figure.update_yaxes(title="eigenvalue", type="log", exponentformat="power", showgrid=True)
    figure.update_layout(showlegend=True, legend=LEGEND)
    title = f"Spectra of the factors of MLP {result.data.attrs.get('layer', '')}"
    return dress(figure, result, theme, title=title, plot_height=320)

"""What layers, parts and tokens pass on, and the loss without them: one measure at a time, along one axis."""

from typing import Literal

import numpy as np
import plotly.graph_objects as go

from interp.kinds import (
    BlockReplacement,
    InformationPathways,
    LayerRedundancy,
    LayerRemoval,
    PathLengths,
    RepresentationalCollapse,
    SegmentFusion,
    TokenSensitivity,
)
from interp.views.chart import dress
from interp.views.choosing import about_prompt, choose_row, of_prompt, places, row_or_mean, unit
from interp.views.figures import view
from interp.views.labels import ticks
from interp.views.lines import Line, interval_of, lines
from interp.views.marks import bars, number_axes, sign_colours, token_axis
from interp.views.theme import Theme


@view.register
def redundancy(
    result: LayerRedundancy,
    theme: Theme,
    *,
    measure: Literal[
        "influence", "influence_without_massive", "angle", "entropy_change", "neighbour_entropy_change", "linearity",
        "linearity_without_massive", "update_linearity", "loss_skipped", "loss_mean", "loss_replaced",
        "loss_replaced_fitted", "loss_parallel",
    ] = "influence",
) -> go.Figure:  # fmt: skip
    """One measure of every layer's block, attention and MLP."""
    values, interval = result.values(measure), interval_of(result, measure)
    curves = [
        Line(str(part), values.sel(part=part).values, None if interval is None else interval.sel(part=part).values)
        for part in values["part"].values
    ]
    meaning = result.variables[measure].meaning
    layers = result.data["layer"].values
    figure = lines(
        result,
        theme,
        layers,
        curves,
        across="layer",
        up=unit(result, measure),
        title="Layer redundancy",
        notes=[meaning],
    )
    figure.update_xaxes(ticks(layers, layers, most=16))
    return figure


@view.register
def removal(result: LayerRemoval, theme: Theme) -> go.Figure:
    """The loss against the number of layers left out, in every order; the span of random orders in grey."""
    random = result.values("random_loss").values
    span = np.stack([random.min(0), random.max(0)], -1)
    curves = [Line("random (mean, span)", random.mean(0), span)]
    curves += [Line(str(order), result.values("loss").sel(order=order).values) for order in result.data["order"].values]
    counts, more = result.data["count"].values, {"across": "layers left out", "up": unit(result, "loss")}
    return lines(result, theme, counts, curves, title="Loss without layers", **more)


@view.register
def replacement(result: BlockReplacement, theme: Theme, *, show: Literal["losses", "distance"] = "losses") -> go.Figure:
    """The loss without the blocks after each layer and with the map instead, or how far blocks carry the stream."""
    layers, best = result.data["layer"].values, result.data.attrs.get("best", "?")
    if show == "distance":
        values = result.values("distance")
        counts = [at for at in values["count"].values if np.isfinite(values.sel(count=at)).sum() > 1][:6]
        curves = [Line(f"{at} blocks", values.sel(count=at).values) for at in counts]
        up = unit(result, "distance")
        return lines(
            result, theme, layers, curves, across="after layer", up=up, title="How far blocks carry the stream"
        )
    names = ("loss_removed", "loss_mapped", "loss_mapped_fitted", "loss_shuffled")
    curves = [Line(name.removeprefix("loss_").replace("_", ", "), result.values(name).values) for name in names]
    up, notes = unit(result, "loss_removed"), [f"the stream is carried least far after layer {best}"]
    return lines(result, theme, layers, curves, across="after layer", up=up, title="Loss without blocks", notes=notes)


@view.register
def sensitivity(result: TokenSensitivity, theme: Theme, *, prompt: int | None = None) -> go.Figure:
    """The sensitivity to every token of a prompt, compared with that of random directions."""
    row = choose_row(result, "batch", prompt)
    at = places(result, "pos", row)
    curves = [
        Line(words, result.values(name).values[row][at.at])
        for words, name in (("sensitivity", "sensitivity"), ("random directions", "control"))
    ]
    about, up = about_prompt(result, row), unit(result, "sensitivity")
    figure = lines(result, theme, at.at, curves, across="", up=up, title="Sensitivity to each token", about=about)
    token_axis(figure, at)
    return figure


@view.register
def collapse(
    result: RepresentationalCollapse,
    theme: Theme,
    *,
    measure: Literal["distance", "distance_l2", "bfloat16_distance", "equal_share", "counting", "copying"] = "distance",
    prompt: int | None = None,
) -> go.Figure:
    """One measure of every family against the number of elements, both axes of distances logarithmic."""
    row, counts = row_or_mean(result, prompt), result.data["count"].values
    values, _, _ = of_prompt(result.values(measure).values, row)
    curves = [Line(str(name), line) for name, line in zip(result.data["family"].values, values, strict=True)]
    if measure in ("distance", "bfloat16_distance"):
        spacing, _, _ = of_prompt(result.values("spacing").values, row)
        curves.append(Line("spacing of bfloat16", spacing[0]))
    about, up, notes = about_prompt(result, row), unit(result, measure), [result.variables[measure].meaning]
    title = "Collapse of the last state"
    figure = lines(result, theme, counts, curves, across="elements", up=up, title=title, about=about, notes=notes)
    figure.update_xaxes(type="log")
    if "distance" in measure:
        figure.update_yaxes(type="log", exponentformat="power")
    return figure


@view.register
def lengths(
    result: PathLengths, theme: Theme, *, show: Literal["lengths", "sublayers"] = "lengths", prompt: int | None = None
) -> go.Figure:
    """What paths of every length contribute to the answer, or the effects of every sub-layer's paths."""
    row = row_or_mean(result, prompt)
    about, up = about_prompt(result, row), unit(result, "contribution")
    if show == "sublayers":
        layers, curves = result.data["layer"].values, []
        for name in ("direct_effect", "total_effect"):
            values, _, _ = of_prompt(result.values(name).values, row)
            words = name.replace("_", " ")
            curves += [Line(f"{part}, {words}", values[:, at]) for at, part in enumerate(result.data["part"].values)]
        title = "Sub-layers left out"
        return lines(result, theme, layers, curves, across="layer", up=up, title=title, about=about)
    (values, _, _), mean = of_prompt(result.values("contribution").values, row), result.values("mean_length").values
    colours = sign_colours(values, theme, result.supports("contribution"))
    figure = go.Figure(bars(colours, "%{x} sub-layers<br>%{y:.4g}", x=result.data["count"].values, y=values))
    number_axes(figure, "sub-layers passed", up)
    length = float(mean.mean() if row is None else mean[row])
    notes = [f"mean length, weighted by absolute contribution: {length:.2f} sub-layers"]
    title, sides = "Contribution by length of path", result.supports("contribution")
    return dress(figure, result, theme, title=title, about=about, notes=notes, plot_height=320, supports=sides)


@view.register
def pathways(result: InformationPathways, theme: Theme) -> go.Figure:
    """The loss against the share of keys that heads keep: the mean of draws, and their ensemble."""
    curves = [
        Line(words, result.values(name).values, result.values(f"{name}_interval").values)
        for words, name in (("mean over draws", "mean_loss"), ("ensemble of the draws", "ensemble_loss"))
    ]
    fractions, up = result.data["fraction"].values, unit(result, "mean_loss")
    notes = [f"standard deviation over draws at most {float(result.values('sd').max()):.3g}"]
    title = "Loss with a share of the keys"
    return lines(result, theme, fractions, curves, across="share of keys kept", up=up, title=title, notes=notes)


@view.register
def fusion(
    result: SegmentFusion, theme: Theme, *, measure: Literal["loss", "effect"] | None = None, prompt: int | None = None
) -> go.Figure:
    """The loss, or the answer if one was asked for, against the number of layers in which the segments are apart."""
    measure = measure or ("effect" if "effect" in result.data else "loss")
    row, curves = row_or_mean(result, prompt), []
    for words, name in (("first layers", ""), ("last layers", "late_"), ("first layers, random keys", "control_")):
        values, low, high = of_prompt(result.values(f"{name}{measure}").values, row)
        curves.append(Line(words, values, None if low is None or high is None else np.stack([low, high], -1)))
    counts, about, up = result.data["count"].values, about_prompt(result, row), unit(result, measure)
    title, across = "Two segments apart", "layers in which the segments are apart"
    return lines(result, theme, counts, curves, across=across, up=up, title=title, about=about)

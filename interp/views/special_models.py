"""What is measured of the small models that read no text: curves over steps, examples and layers."""

from typing import Any, Literal

import numpy as np
import plotly.graph_objects as go

from interp.core.result import Result
from interp.kinds import (
    ComputationErrors,
    ConnectivityLearning,
    GradientStepLearning,
    InContextAlgorithms,
    InformationGain,
    KnownNumbers,
    OptimisationCourse,
    SoftmaxHeadLearning,
    WeightProbes,
)
from interp.views.chart import dress
from interp.views.choosing import choose_one, unit
from interp.views.figures import view
from interp.views.labels import ticks
from interp.views.lines import Line, lines, named_line
from interp.views.marks import cells, height, name_rows, number_axes, points, whiskers
from interp.views.theme import Theme


def _over_steps(result: Result, theme: Theme, curves: list[Line], *, up: str, title: str, **more: Any) -> go.Figure:
    """Curves over steps, whose axis is logarithmic from step 0 on."""
    steps = result.data["step"].values
    figure = lines(result, theme, steps + 1, curves, across="step + 1", up=up, title=title, **more)
    return figure.update_xaxes(type="log")


def _by(result: Result, variable: str, axis: str) -> list[Line]:
    """A curve for each label of an axis."""
    values = result.values(variable)
    return [Line(str(each), values.sel({axis: each}).values) for each in values[axis].values]


@view.register
def known_numbers(result: KnownNumbers, theme: Theme) -> go.Figure:
    """Every quantity as its ratio to the closed form, or to what was published; the numbers in the hover."""
    values, ends = result.values("measured_value").values, result.values("measured_value_interval").values
    closed, published = result.values("closed_form").values, result.values("published").values
    reference = np.where(np.isfinite(closed), closed, published)
    ratio, low, high = values / reference, ends[:, 0] / reference, ends[:, 1] / reference
    names = [str(name) for name in result.data["quantity"].values]
    rows = np.arange(len(names))
    words = np.stack([values, closed, published], -1)
    hover = "measured %{customdata[0]:.4g}<br>closed form %{customdata[1]:.4g}<br>published %{customdata[2]:.4g}"
    figure = go.Figure(
        points(ratio, rows, {"color": theme.accent, "size": 9}, hover, customdata=words,
               **whiskers("x", ratio, low, high, theme.muted))
    )  # fmt: skip
    figure.add_vline(x=1, line={"color": theme.muted, "width": 1, "dash": "dot"})
    number_axes(figure, "measured / known")
    name_rows(figure, names, "quantity", limit=40)
    return dress(figure, result, theme, title="Measured and known", plot_height=height(len(names), 30, 120, 600))


@view.register
def gradient_step(
    result: GradientStepLearning,
    theme: Theme,
    *,
    show: Literal["loss", "rate", "distances", "sensitivity", "product", "shifts"] = "loss",
) -> go.Figure:
    """The layer compared with one gradient step: losses, rate, distances, its product, or shifted prompts."""
    if show == "product":
        figure = go.Figure(cells(result.values("product").values[-1], theme, signed=True, hover="%{z:.3f}"))
        figure.update_yaxes(autorange="reversed", scaleanchor="x", constrain="domain")
        return dress(figure, result, theme, title="KᵀQ over inputs after the last step", plot_height=360, supports=None)
    if show == "shifts":
        layer, step = result.values("shifted_loss"), result.values("shifted_step_loss")
        curves = [
            Line(f"{shift}, {words}", values.sel(shift=shift).values)
            for shift in layer["shift"].values
            for words, values in (("layer", layer), ("step", step))
        ]
        factors, up = result.data["factor"].values, unit(result, "shifted_loss")
        figure = lines(result, theme, factors, curves, across="factor", up=up, title="Out of distribution")
        figure.update_yaxes(type="log")
        return figure
    names = {
        "loss": ("loss", "step_loss", "interpolated_loss"),
        "rate": ("rate",),
        "distances": ("prediction_distance", "sensitivity_distance"),
        "sensitivity": ("sensitivity_cosine",),
    }[show]
    curves = [named_line(result, name, name.replace("_", " ")) for name in names]
    return _over_steps(result, theme, curves, up=unit(result, names[0]), title="Linear attention and a gradient step")


@view.register
def softmax_heads(
    result: SoftmaxHeadLearning, theme: Theme, *, show: Literal["loss", "omega", "mu", "off_pattern"] = "loss"
) -> go.Figure:
    """The loss and what the loss model predicts, or a number of every head, over steps."""
    if show == "loss":
        names = ("loss", "predicted_loss", "constructed_loss")
        curves = [named_line(result, name, name.replace("_", " ")) for name in names]
    else:
        curves = [Line(f"head {line.name}", line.values) for line in _by(result, show, "head")]
    return _over_steps(result, theme, curves, up=unit(result, show) or show, title="Softmax heads on regression")


@view.register
def algorithms(
    result: InContextAlgorithms,
    theme: Theme,
    *,
    show: Literal["loss", "linearity", "prediction_distance", "weight_distance"] = "loss",
    method: str | None = None,
) -> go.Figure:
    """A measure of every predictor by number of examples, or the distance of every other from one, the first."""
    counts, values = result.data["count"].values, result.values(show)
    methods = [str(each) for each in result.data["method"].values]
    if "other_method" in values.dims:
        of = choose_one("method", methods[0] if method is None else method, methods)
        values = values.sel({"method": of})  # by a dictionary: xarray has an argument of this name
        curves = [Line(str(each), values.sel(other_method=each).values) for each in methods if each != of]
        title = f"Distance from {of}"
    else:
        curves, title = _by(result, show, "method"), "Predictors of regression in context"
    figure = lines(result, theme, counts, curves, across="examples", up=unit(result, show), title=title)
    if show != "linearity":
        figure.update_yaxes(type="log", exponentformat="power")
    return figure


@view.register
def weight_probes(result: WeightProbes, theme: Theme) -> go.Figure:
    """R² of the probe of every target by layer, and its control."""
    curves = []
    for name in result.data["variable"].values:
        own = result.data.sel(variable=name)
        curves.append(Line(str(name), own["score"].values, own["score_interval"].values))
        curves.append(Line(f"{name}, control", own["control"].values))
    layers = result.data["layer"].values
    figure = lines(result, theme, layers, curves, across="layer", up="R²", title="Weights read from the stream")
    figure.update_xaxes(ticks(layers, layers, most=16))
    return figure


@view.register
def connectivity(
    result: ConnectivityLearning,
    theme: Theme,
    *,
    show: Literal["families", "diameters", "heuristic", "explained", "identity_weight", "constant_weight"] = "families",
) -> go.Figure:
    """Which graphs are solved, by family or diameter, or the channels of every block of weights, over steps."""
    variable, axis = {"families": ("solved", "family"), "diameters": ("solved_by_diameter", "distance")}.get(
        show, (show, "block")
    )
    curves = _by(result, variable, axis)
    if axis == "distance":
        curves = [Line(f"diameter {line.name}", line.values) for line in curves if np.isfinite(line.values).any()]
    return _over_steps(result, theme, curves, up=unit(result, variable), title="Graph connectivity")


@view.register
def optimisation(
    result: OptimisationCourse,
    theme: Theme,
    *,
    show: Literal[
        "loss", "gradient_norm", "sharpness", "robust_condition", "directional_smoothness", "noise_kurtosis"
    ] = "loss",
) -> go.Figure:
    """One measure of the course of every optimiser over steps."""
    title = result.variables[show].meaning
    up = show.replace("_", " ")
    return _over_steps(result, theme, _by(result, show, "method"), up=up, title="Optimisers", about=title)


@view.register
def computation_errors(result: ComputationErrors, theme: Theme) -> go.Figure:
    """The share of every kind of node by depth of the computation."""
    layers = result.data["layer"].values
    title, curves = "Errors of a computation", _by(result, "share", "predicate")
    figure = lines(result, theme, layers, curves, across="depth", up=unit(result, "share"), title=title)
    figure.update_xaxes(ticks(layers, layers, most=16))
    return figure


@view.register
def information_gain(result: InformationGain, theme: Theme) -> go.Figure:
    """What every part of the input tells of every part of the output."""
    gain = result.values("gain")
    figure = go.Figure(cells(gain.values, theme, signed=False, hover="%{z:.3f}"))
    outputs = [str(each) for each in gain["target"].values]
    figure.update_xaxes(ticks(range(len(outputs)), outputs, most=40), title="part of the output")
    name_rows(figure, [str(each) for each in gain["part"].values], "part of the input")
    return dress(figure, result, theme, title="Relative information gain", plot_height=320, bar="share")

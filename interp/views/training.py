"""Curves of a training."""

from typing import Literal

import numpy as np
import plotly.graph_objects as go

from interp.kinds.training import LearningCurves
from interp.views.figures import view
from interp.views.lines import Line, lines
from interp.views.theme import Theme

Shown = Literal["loss", "accuracy", "classes", "class accuracy", "gradient norm", "sharpness", "entropy"]


@view.register
def learning_curves(
    result: LearningCurves, theme: Theme, *, show: Shown = "loss", marked: int | None = None
) -> go.Figure:
    """The loss on test inputs and on batches, or what else was logged, by step; a line at one that is marked."""
    steps, curves = curves_of(result, show)
    up = {"loss": "loss", "classes": "loss"}.get(show, show)
    figure = lines(result, theme, steps, curves, across="step", up=up, title=f"Training: {show}")
    if marked is not None:
        figure.add_vline(marked, line={"color": theme.accent, "width": 1.5, "dash": "dot"})
    return figure


def curves_of(result: LearningCurves, show: str) -> tuple[np.ndarray, list[Line]]:
    """The steps and the curves that are shown."""
    data, steps = result.data, result.data["step"].values
    match show:
        case "loss":
            names = {"loss": "test inputs", "training_loss": "batches"}
            curves = [Line(words, data[name].values) for name, words in names.items()]
            curves += [
                Line(str(method), np.full(len(steps), float(value)))
                for method, value in zip(data["method"].values, data["predictor_loss"].values, strict=True)
            ]
        case "classes" | "class accuracy":
            name = "class_loss" if show == "classes" else "class_accuracy"
            curves = [
                Line(str(kind), data[name].sel({"class": kind}).values) for kind in data["class"].values if name in data
            ]
        case "entropy":
            heads = data.get("attention_entropy")
            curves = (
                []
                if heads is None
                else [
                    Line(f"a{layer}.{head}", heads.sel(layer=layer, head=head).values)
                    for layer in data["layer"].values
                    for head in data["head"].values
                ]
            )
        case _:
            name = show.replace(" ", "_")
            values = data[name].values if name in data else np.full(len(steps), np.nan)
            known = np.isfinite(values)
            steps, curves = steps[known], [Line(show, values[known])]
    return steps, curves

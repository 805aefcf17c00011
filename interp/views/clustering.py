"""The Clustering Head at one step: its vectors in the plane, what they decide, and its course over all steps."""

from typing import Literal

import numpy as np
import plotly.graph_objects as go

from interp.kinds import ClusterStates
from interp.views.chart import LEGEND, dress
from interp.views.choosing import choose_row
from interp.views.figures import view
from interp.views.lines import Line, lines
from interp.views.marks import EXTRA, number_axes, points
from interp.views.theme import Theme, colorscale

Panel = Literal[
    "course", "tokens", "positions", "sums", "normalised", "values", "attention", "embeddings", "mlp_inputs", "neurons",
    "outputs",
]  # fmt: skip
OF_SUMS = {"sums": "sum_vector", "normalised": "normalised_vector", "values": "value_vector"}
OF_SEQUENCES = {"embeddings": "embedding", "mlp_inputs": "mlp_input", "outputs": "output"}
GRIDS = {"embeddings": "probability", "outputs": "output_probability"}
TITLES = {
    "tokens": "Token vectors and the query",
    "positions": "Position vectors and the query",
    "sums": "Token + position",
    "normalised": "Normalised sums",
    "values": "Values",
    "embeddings": "Sequence embeddings ξ and p(y | ξ)",
    "mlp_inputs": "Normalised inputs of the MLP",
    "neurons": "Receptors and assemblers of the MLP",
    "outputs": "Outputs with p(y | output)",
}
COURSE = ("accuracy", "train_accuracy", "cluster_quality", "attention_off_support", "attention_evenness")


@view.register
def clustering(result: ClusterStates, theme: Theme, *, show: Panel = "course", step: int | None = None) -> go.Figure:
    """The course of all measures over training, or one panel of the head at a step, by default the last."""
    if show == "course":
        curves = [Line(name.replace("_", " "), result.values(name).values) for name in COURSE]
        steps = result.data["step"].values
        more = {"across": "step + 1", "up": "share", "title": "Course of the training"}
        return lines(result, theme, steps + 1, curves, **more).update_xaxes(type="log")
    at = choose_row(result, "step", int(result.data["step"].values[-1]) if step is None else step)
    about = f"after step {int(result.data['step'].values[at]):,}"
    if show == "attention":
        attention = result.values("attention").values
        curves = [Line("attention", attention[at]), Line("before training", attention[0])]
        places = result.data["pos"].values
        more = {"across": "position", "up": "share", "title": "Mean attention", "about": about}
        return lines(result, theme, places, curves, **more)
    figure = go.Figure([*_level_lines(result, theme, show, at), *_marks(result, theme, show, at)])
    number_axes(figure, "first coordinate", "second coordinate")
    figure.update_layout(showlegend=True, legend=LEGEND)
    figure.update_yaxes(scaleanchor="x")
    return dress(figure, result, theme, title=TITLES[show], about=about, plot_height=420)


def _marks(result: ClusterStates, theme: Theme, show: str, at: int) -> list[go.Scatter]:
    if show in OF_SEQUENCES:
        return _of_sequences(result, theme, OF_SEQUENCES[show], at)
    if show in OF_SUMS:
        vectors = result.values(OF_SUMS[show]).values[at]
        return [
            _cloud(f"token {token}", each, _hue(theme, token), [f"position {pos}" for pos in range(len(each))])
            for token, each in enumerate(vectors)
        ]
    if show == "neurons":
        return [
            _cloud(name, result.values(variable).values[at], _hue(theme, hue), [])
            for hue, (name, variable) in enumerate((("receptors", "receptor"), ("assemblers", "assembler")))
        ]
    name, variable = ("token", "token_vector") if show == "tokens" else ("position", "position_vector")
    vectors = result.values(variable).values[at]
    query = _cloud("query", result.values("query_vector").values[at][None], theme.against, [])
    return [_cloud(f"{name}s", vectors, theme.accent, [f"{name} {each}" for each in range(len(vectors))]), query]


def _of_sequences(result: ClusterStates, theme: Theme, variable: str, at: int) -> list[go.Scatter]:
    vectors, answers = result.values(variable).values[at], result.values("answer").values
    clusters = result.values("cluster").values
    return [
        _cloud(f"sum {answer}", vectors[answers == answer], _hue(theme, int(answer)),
               [f"cluster {each}" for each in clusters[answers == answer]])
        for answer in np.unique(answers)
    ]  # fmt: skip


def _cloud(name: str, vectors: np.ndarray, colour: str, words: list[str]) -> go.Scatter:
    hover = "%{text}<br>%{x:.3g}, %{y:.3g}" if words else f"{name}<br>%{{x:.3g}}, %{{y:.3g}}"
    trace = points(vectors[:, 0], vectors[:, 1], {"color": colour, "size": 7, "opacity": 0.75}, hover, name=name)
    return trace.update(text=words) if words else trace


def _level_lines(result: ClusterStates, theme: Theme, show: str, at: int) -> list[go.Contour]:
    """The probability of the sum 1, over the plane."""
    if show not in GRIDS:
        return []
    levels = result.values(GRIDS[show])[at, 1]
    return [
        go.Contour(
            x=levels["grid_column"].values,
            y=levels["grid_row"].values,
            z=levels.values,
            zmin=0,
            zmax=1,
            contours={"start": 0.1, "end": 0.9, "size": 0.2},
            colorscale=colorscale(theme.sequential),
            opacity=0.45,
            showscale=False,
            hovertemplate="p(1) = %{z:.3f}" + EXTRA,
        )
    ]


def _hue(theme: Theme, number: int) -> str:
    return (theme.accent, theme.against, theme.support, theme.muted)[number % 4]

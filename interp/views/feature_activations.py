"""A prompt's features, position by position."""

import numpy as np
import plotly.graph_objects as go

from interp.kinds import FeatureActivations
from interp.views.chart import about_prompt, cells, choose_row, dress, places, unit
from interp.views.figures import view
from interp.views.labels import quoted, ticks
from interp.views.theme import Theme

SHOWN = 24  # features, those that are strongest anywhere in the prompt


@view.register
def feature_activations(result: FeatureActivations, theme: Theme, *, prompt: int | None = None) -> go.Figure:
    """The prompt's strongest features down, its tokens across; a blank cell is a feature that is not told there."""
    row = choose_row(result, "batch", prompt)
    at = places(result, "pos", row)
    names, z = strongest(result, row, at.at)
    here = np.array([quoted(label) for label in at.labels], dtype=object)
    trace = cells(
        z,
        theme,
        signed=bool((z < 0).any()),
        hover="feature %{y} on %{customdata} at %{x}<br>activation %{z:.3f}",
        x=at.at,
        y=np.arange(len(names)),
        customdata=np.broadcast_to(here, z.shape),
    )
    figure = go.Figure(trace)
    figure.update_xaxes(ticks(*at), title="position", tickangle=-45)
    figure.update_yaxes(ticks(range(len(names)), [str(name) for name in names], most=SHOWN), title="feature")
    figure.update_yaxes(autorange="reversed")
    return dress(
        figure,
        result,
        theme,
        title="Features of the prompt",
        about=about_prompt(result, row),
        plot_height=int(np.clip(19 * len(names), 120, 480)),
        bar=unit(result, "activation"),
    )


def strongest(result: FeatureActivations, row: int, at: np.ndarray) -> tuple[list[int], np.ndarray]:
    """The features that are strongest anywhere at these positions, and their activations there (`feature pos`)."""
    told, sizes = (result.values(name).values[row][at] for name in ("feature", "activation"))
    largest: dict[int, float] = {}
    for feature, size in zip(told[told >= 0], np.abs(sizes[told >= 0]), strict=True):
        largest[int(feature)] = max(largest.get(int(feature), 0.0), float(size))
    names = sorted(largest, key=lambda feature: (-largest[feature], feature))[:SHOWN]
    z = np.full((len(names), len(at)), np.nan)
    for number, feature in enumerate(names):
        positions, ranks = np.nonzero(told == feature)
        z[number, positions] = sizes[positions, ranks]
    return names, z

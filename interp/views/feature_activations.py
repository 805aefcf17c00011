"""A prompt's features, position by position."""

import numpy as np
import plotly.graph_objects as go

from interp.kinds import FeatureActivations
from interp.views.chart import dress
from interp.views.choosing import about_prompt, choose_row, places, unit
from interp.views.figures import view
from interp.views.labels import ticks
from interp.views.marks import cells, column_hover, height, token_axis
from interp.views.theme import Theme

MOST = 24  # features, those that are strongest anywhere in the prompt


@view.register
def feature_activations(result: FeatureActivations, theme: Theme, *, prompt: int | None = None) -> go.Figure:
    """The prompt's strongest features down, its tokens across; a blank cell is a feature not listed there."""
    row = choose_row(result, "batch", prompt)
    at = places(result, "pos", row)
    names, z = strongest(result, row, at.at)
    hover = "feature %{y} on %{customdata} at %{x}<br>activation %{z:.3f}"
    words, signed = column_hover(at.labels, z.shape), bool((z < 0).any())
    figure = go.Figure(cells(z, theme, signed=signed, hover=hover, x=at.at, y=np.arange(len(names)), customdata=words))
    token_axis(figure, at)
    figure.update_yaxes(ticks(range(len(names)), names, most=MOST), title="feature", autorange="reversed")
    about, bar, tall = about_prompt(result, row), unit(result, "activation"), height(len(names), 19, 120, 480)
    more = {"plot_height": tall, "bar": bar, "supports": "" if signed else None}
    return dress(figure, result, theme, title="Features of the prompt", about=about, **more)


def strongest(result: FeatureActivations, row: int, at: np.ndarray) -> tuple[list[int], np.ndarray]:
    """The features that are strongest anywhere at these positions, and their activations there (`feature pos`)."""
    features, sizes = (result.values(name).values[row][at] for name in ("feature", "activation"))
    largest: dict[int, float] = {}
    for feature, size in zip(features[features >= 0], np.abs(sizes[features >= 0]), strict=True):
        largest[int(feature)] = max(largest.get(int(feature), 0.0), float(size))
    names = sorted(largest, key=lambda feature: (-largest[feature], feature))[:MOST]
    z = np.full((len(names), len(at)), np.nan)
    for number, feature in enumerate(names):
        positions, ranks = np.nonzero(features == feature)
        z[number, positions] = sizes[positions, ranks]
    return names, z

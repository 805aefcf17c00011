"""Streams and layers along an axis or in a legend: their names, some of many, and a colour for each."""

import numpy as np
from plotly.colors import sample_colorscale

from interp.core.result import Result
from interp.views.theme import Theme, colorscale


def stream_labels(result: Result, axis: str = "layer") -> list[str]:
    """Labels of the streams into every layer and out of the last."""
    return [*map(str, result.data[axis].values[:-1]), "out"]


def stream_name(result: Result, at: int) -> str:
    """One of these streams, in words."""
    layers = result.data["layer"].values
    return f"the stream into layer {layers[at]}" if at < len(layers) - 1 else "the stream out of the last layer"


def some_of(count: int, most: int = 5) -> list[int]:
    """At most so many places out of `count`, evenly spread, the first and the last among them."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(int)).tolist()


def shades(theme: Theme, count: int) -> list[str]:
    """Colours that grow stronger from the first to the last, all of them clear of the page's own."""
    stops = colorscale(theme.sequential[2:])
    places = np.linspace(0, 1, count).tolist() if count > 1 else [1.0]
    return [str(colour) for colour in sample_colorscale(stops, places)]

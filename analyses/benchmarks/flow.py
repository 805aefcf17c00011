"""Flow's row: every measure and loss of `layer-redundancy`, against the plain model's forward over the same windows."""

from collections.abc import Iterator

import interp
from analyses.benchmarks.geometry import forward
from analyses.benchmarks.timing import Row, ratio
from analyses.benchmarks.yardsticks import plain_model
from interp.corpus import Windows
from interp.models import HookedModel

WINDOWS, LENGTH = 64, 256


def rows(model: HookedModel) -> Iterator[Row]:
    """Every row of this file, on the default model."""
    body, windows = plain_model(model), Windows.cut(model, windows=WINDOWS, length=LENGTH)
    forward(body, windows[:8])
    yield ratio(
        f"layer-redundancy, {WINDOWS} windows × {LENGTH} tokens, against a forward over them",
        lambda: interp.flow.layer_redundancy(model, windows),
        lambda: forward(body, windows),
        target=35,
        repeats=1,
        warm_up=False,
    )

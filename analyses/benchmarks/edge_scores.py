"""Scores of all edges: time and memory against the plain model's forward + backward, IOI on the default model."""

from collections.abc import Callable, Iterator

import interp
from analyses.benchmarks.timing import Row, ratio
from analyses.benchmarks.yardsticks import forward_and_backward, memory_ratio, plain_model
from interp.models import HookedModel
from interp.models.writes import graph_of

PAIRS = 8


def rows(model: HookedModel) -> Iterator[Row]:
    """Every row of this file."""
    pairs = interp.tasks.ioi(model, n=PAIRS)
    yardstick = forward_and_backward(plain_model(model), pairs)
    edges = graph_of(model).edge_count
    yield ratio(
        f"EAP over all {edges:,} edges, IOI, {PAIRS} pairs, against forward + backward",
        lambda: interp.circuits.eap(model, pairs),
        yardstick,
        target=2.0,
        repeats=7,
    )
    yield ratio(
        f"EAP-IG (inputs), 5 steps, IOI, {PAIRS} pairs, against forward + backward",
        lambda: interp.circuits.eap_ig(model, pairs),
        yardstick,
        target=6.2,
        repeats=5,
    )
    name = f"memory of EAP above the loaded model, IOI, {PAIRS} pairs, against forward + backward"
    yield memory_ratio(name, __name__, target=1.25)


def memory_side(side: str) -> tuple[Callable[[], object], Callable[[], object]]:
    """EAP, or forward + backward, on one pair and on all."""
    model = interp.load()
    pairs = interp.tasks.ioi(model, n=PAIRS)
    if side == "plain":
        plain = plain_model(model)
        return forward_and_backward(plain, pairs[[0]]), forward_and_backward(plain, pairs)
    return lambda: interp.circuits.eap(model, pairs[[0]]), lambda: interp.circuits.eap(model, pairs)

"""Geometry's rows: statistics over windows of text against the plain model's forward, and all pairs of heads."""

from collections.abc import Callable, Iterator
from typing import Any

import torch

import interp
from analyses.benchmarks.timing import Row, ratio, seconds
from analyses.benchmarks.yardsticks import memory_ratio, memory_use, plain_model, single_ratio
from interp.core.prompts import Prompts
from interp.corpus import Windows
from interp.corpus.batches import TOKENS
from interp.models import HookedModel

WINDOWS, LENGTH = 512, 256
FEW = 64  # windows of the memory rows, two shards
SHORT = 32  # tokens of the windows, so many and eight times as many, that show that memory stays flat


def rows(model: HookedModel) -> Iterator[Row]:
    """Every row of this file, on the default model."""
    body = plain_model(model)
    many = Windows.cut(model, windows=WINDOWS, length=LENGTH)
    one = many[: TOKENS // LENGTH]
    interp.geometry.position_context(model, one)
    forward(body, one)
    yield ratio(
        f"position-context, {WINDOWS} windows × {LENGTH} tokens, against a forward over them",
        lambda: interp.geometry.position_context(model, many),
        lambda: forward(body, many),
        target=1.15,
        repeats=2,
        warm_up=False,
    )
    name = f"memory of position-context above the loaded model, {FEW} windows, against a forward"
    yield memory_ratio(name, __name__, target=1.2)
    once, eightfold = (memory_use(__name__, side) for side in ("few", "many"))
    name = f"memory of position-context over {8 * FEW} windows × {SHORT} tokens, against over {FEW}"
    yield single_ratio(name, eightfold / once, target=1.1)
    yield seconds(
        "head-composition, every pair of heads", lambda: interp.geometry.head_composition(model), target=5.0, repeats=3
    )


@torch.no_grad()
def forward(plain: Any, windows: Prompts) -> None:
    """The plain model over the same windows, in batches of the same size."""
    step = TOKENS // windows.width
    for first in range(0, len(windows), step):
        plain(windows.tokens[first : first + step], use_cache=False)


def memory_side(side: str) -> tuple[Callable[[], object], Callable[[], object]]:
    """The engine or the plain forward on some windows, or the engine on few and many short ones; first on one batch."""
    model = interp.load()
    length = SHORT if side in ("few", "many") else LENGTH
    windows = Windows.cut(model, windows=8 * FEW if side == "many" else FEW, length=length)
    one = windows[: TOKENS // length]
    if side == "plain":
        plain = plain_model(model)
        return lambda: forward(plain, one[:1]), lambda: forward(plain, windows)
    engine = interp.geometry.position_context
    return lambda: engine(model, one[:1]), lambda: engine(model, windows)

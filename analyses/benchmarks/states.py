"""Rows of what heads and states carry: head cards against a forward, a sweep of probes, a prompt read back."""

from collections.abc import Iterator

import interp
from analyses.benchmarks.geometry import forward
from analyses.benchmarks.timing import Row, ratio, seconds
from analyses.benchmarks.yardsticks import plain_model
from interp.core.prompts import Prompts
from interp.corpus import Windows
from interp.models import HookedModel

WINDOWS, LENGTH = 64, 256
ITEMS = 2000
INVERTED = 20  # tokens


def rows(model: HookedModel) -> Iterator[Row]:
    """Every row of this file, on the default model."""
    body, windows = plain_model(model), Windows.cut(model, windows=WINDOWS, length=LENGTH)
    yield ratio(
        f"head-cards, {WINDOWS} windows × {LENGTH} tokens, against a forward over them",
        lambda: interp.patterns.head_cards(model, windows),
        lambda: forward(body, windows),
        target=1.5,
        repeats=2,
        warm_up=False,
    )
    sweep = {"items": ITEMS, "control": "none", "change": "none"}
    yield seconds(
        f"probe, every layer, {ITEMS:,} items with their control labels, harvest included",
        lambda: interp.probing.probe(model, **sweep),
        target=60,
        repeats=1,
    )
    prompt = Prompts.of_tokens(model, windows.tokens[:1, :INVERTED].tolist())
    yield seconds(
        f"invert, {INVERTED} tokens from a middle layer",
        lambda: interp.probing.invert(model, prompt),
        target=60,
        repeats=1,
    )

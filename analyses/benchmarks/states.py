"""Rows of what heads and states carry: head cards against a forward, a sweep of probes, a prompt read back."""

from collections.abc import Callable, Iterator

import interp
from analyses.benchmarks.geometry import forward
from analyses.benchmarks.timing import Row, ratio, seconds
from analyses.benchmarks.yardsticks import plain_model
from interp.core.labelled import LabelledPrompts
from interp.core.prompts import Prompts
from interp.corpus import Windows
from interp.corpus.harvest import States
from interp.corpus.labels import labelled, labelled_prompts
from interp.models import HookedModel
from interp.probing import probe
from interp.probing.columns import Column
from interp.probing.probe import swept

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
    sweep, over_items = after_harvest(model)
    name = f"probe, every layer, {ITEMS:,} items with their control labels, after the harvest"
    yield seconds(name, sweep, target=60, repeats=1)
    yield ratio(
        f"{name}, against a forward", sweep, lambda: forward(body, over_items), target=8, repeats=2, warm_up=False
    )
    prompt = Prompts.of_tokens(model, windows.tokens[:1, :INVERTED].tolist())
    yield seconds(
        f"invert, {INVERTED} tokens from a middle layer",
        lambda: interp.probing.invert(model, prompt),
        target=60,
        repeats=1,
    )


def after_harvest(model: HookedModel) -> tuple[Callable[[], object], LabelledPrompts]:
    """What a sweep of probes does once it has the states, and the prompts that these are of."""
    options = probe.parse_options({"items": ITEMS})
    items = labelled(labelled_prompts(model, options), options)
    column = Column.of(items, 0, options.folds, options.seed)
    states = {"trained": States(model, items, column.places)}
    return lambda: swept(model, states, column, len(items.classes), options), items

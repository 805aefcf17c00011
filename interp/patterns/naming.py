"""Heads by the names that people type."""

from collections.abc import Sequence
from itertools import product

from interp.core.errors import OptionError
from interp.models.hooked import HookedModel

Head = tuple[int, int]


def heads_named(engine: str, model: HookedModel, names: Sequence[str]) -> list[Head]:
    """Layer and head of each, all heads where none is named. Raises: OptionError for one that the model lacks."""
    heads = list(product(range(model.dims.layers), range(model.dims.heads)))
    known = {f"{layer}.{head}": (layer, head) for layer, head in heads}
    for name in names:
        if name.removeprefix("a") not in known:
            raise OptionError(f"{engine}, heads = {name!r}: {model.name} has heads 0.0 to {list(known)[-1]}")
    return [known[name.removeprefix("a")] for name in names] or heads

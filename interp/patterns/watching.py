"""Every layer's attention pattern as it is made, so that no run holds them all."""

from collections.abc import Callable, Iterable
from functools import partial

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from interp.core.prompts import Prompts
from interp.models.attention import visible
from interp.models.edits import Edit
from interp.models.hooked import HookedModel
from interp.models.sites import Site

Pattern = Float[Tensor, "window head query_pos key_pos"]
Seen = Bool[Tensor, "window query_pos key_pos"]
See = Callable[[int, Pattern, Seen], None]


def pattern_obstacle(model: HookedModel) -> str | None:
    """Why a model's attention patterns cannot be read; None if they can."""
    return model.site_obstacle(Site("pattern", 0))


def read_patterns(model: HookedModel, windows: Prompts, see: See, edits: Iterable[Edit] = ()) -> None:
    """Run windows, and show `see` each layer's number, its patterns in float64 and what its queries see.

    A padded query sees nothing, and its pattern is 0. `edits` are in force too.
    """
    real = windows.mask.to(model.device)
    pairs = real[:, :, None] & real[:, None, :]
    seen: dict[int, Seen] = {}

    def hear(layer: int, scores: Tensor) -> None:
        seen[layer] = visible(scores[:, 0])

    def look(layer: int, pattern: Tensor) -> None:
        there = pairs & seen.pop(layer) if layer in seen else pairs
        see(layer, pattern.double() * pairs[:, None], there)

    scores, sites = model.sites("scores") if model.has("scores") else [], model.sites("pattern")
    watch = [*edits, *(Edit.through(site, partial(hear, site.layer or 0)) for site in scores)]
    if model.edit_obstacle(sites[0]) is None:
        model.record(windows, edits=[*watch, *(Edit.through(site, partial(look, site.layer or 0)) for site in sites)])
        return
    trace = model.record(windows, sites, edits=watch)  # a pattern that is only told when all is over
    for layer, site in enumerate(sites):
        look(layer, trace.pop(site))


def mean_over_queries(
    values: Float[Tensor, "window *head query_pos"], queries: Bool[Tensor, "window query_pos"]
) -> np.ndarray:
    """Mean over these queries, whatever the others hold; NaN of a window without one."""
    shape = (len(queries), *[1] * (values.dim() - 2))
    total = torch.where(queries.view(*shape, -1), values, 0).sum(-1)
    return (total / queries.sum(-1).view(shape)).cpu().numpy()


def queries_from(seen: Seen, first: int, *, keys: int = 1) -> Bool[Tensor, "window query_pos"]:
    """The real queries from number `first` on that see so many keys or more."""
    queries = seen.sum(-1) >= keys
    queries[:, :first] = False
    return queries

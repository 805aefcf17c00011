"""Which keys each query of a run sees, and its patterns."""

from collections.abc import Callable, Mapping
from functools import partial

from jaxtyping import Bool
from torch import Tensor

from interp.core.prompts import Prompts
from interp.models.attention import visible
from interp.models.edits import Edit
from interp.models.hooked import HookedModel
from interp.models.sites import Site


def patterns_obstacle(model: HookedModel) -> str | None:
    """Why patterns cannot be read with the keys that queries see: by scores, or in the encoders that load, all."""
    scores = model.site_obstacle(Site("scores", 0)) if model.is_causal else None
    return model.site_obstacle(Site("pattern", 0)) or scores


def seen(
    store: Mapping[int, Bool[Tensor, "query_pos key_pos"]], layer: int, mask: Bool[Tensor, "batch pos"]
) -> Bool[Tensor, "batch query_pos key_pos"]:
    """The keys that each query of a layer sees, by what `watch_visible` stored; all that are no padding without it."""
    keys = mask[:, None, :].expand(-1, mask.shape[1], -1)
    return store[layer] & keys if layer in store else keys


def watch_visible(model: HookedModel, store: dict[int, Bool[Tensor, "query_pos key_pos"]]) -> list[Edit]:
    """Edits that change nothing and store what queries see in each layer, alike in all prompts; none without scores."""

    def look(layer: int, scores: Tensor) -> None:  # the mask alone: scores of every head would take the most memory
        store[layer] = visible(scores[0, 0])

    sites = model.sites("scores") if model.has("scores") else []
    return [Edit.through(site, partial(look, site.layer or 0)) for site in sites]


def run_watching_patterns(
    model: HookedModel, prompts: Prompts, see: Callable[[int, Tensor, Bool[Tensor, "batch query_pos key_pos"]], None]
) -> None:
    """Run prompts and show `see` every layer's pattern with the keys that its queries see, one layer at a time.

    Where patterns can only be read, all are recorded first.
    """
    store: dict[int, Tensor] = {}
    sites, mask = model.sites("pattern"), prompts.mask.to(model.device)

    def look(layer: int, pattern: Tensor) -> None:
        see(layer, pattern.detach(), seen(store, layer, mask))

    looks = watch_visible(model, store)
    if model.edit_obstacle(sites[0]) is None:
        model.record(prompts, edits=[*looks, *(Edit.through(site, partial(look, site.layer or 0)) for site in sites)])
        return
    trace = model.record(prompts, sites, edits=looks)
    for layer, site in enumerate(sites):
        look(layer, trace[site])

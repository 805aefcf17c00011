"""Which keys each query of a run sees."""

from functools import partial

from jaxtyping import Bool
from torch import Tensor

from interp.models.attention import visible
from interp.models.edits import Edit
from interp.models.hooked import HookedModel


def watch_visible(model: HookedModel, store: dict[int, Bool[Tensor, "query_pos key_pos"]]) -> list[Edit]:
    """Edits that change nothing and store what queries see in each layer, alike in all prompts; none without scores."""

    def look(layer: int, scores: Tensor) -> None:  # the mask alone: scores of every head would take the most memory
        store[layer] = visible(scores[0, 0])

    sites = model.sites("scores") if model.has("scores") else []
    return [Edit.through(site, partial(look, site.layer or 0)) for site in sites]

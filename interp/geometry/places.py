"""Where the stream is read, layer by layer."""

from interp.models.hooked import HookedModel
from interp.models.sites import Site


def stream_places(model: HookedModel) -> list[Site]:
    """The stream into every layer, and out of the last one."""
    return [*model.sites("resid_pre"), Site("resid_post", model.dims.layers - 1)]

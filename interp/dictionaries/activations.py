"""What a site holds while a model reads windows of text."""

import torch
from jaxtyping import Float
from torch import Tensor

from interp.core.prompts import Prompts
from interp.models.hooked import HookedModel
from interp.models.sites import Site


def held(model: HookedModel, windows: Prompts, site: Site) -> Float[Tensor, "window pos width"]:
    """What the site holds there, heads side by side; layers above it are not run."""
    with torch.no_grad():
        return model.record(windows, [site])[site].flatten(2)

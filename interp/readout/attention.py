"""Attention patterns: where each head of each layer attends."""

import torch
from pydantic import Field
from pydantic.dataclasses import dataclass

from interp.core.engine import engine
from interp.core.errors import OptionError
from interp.core.options import Index
from interp.core.prompts import Prompts
from interp.kinds import Patterns
from interp.models.hooked import HookedModel
from interp.models.sites import Site


@dataclass(frozen=True)
class AttentionOptions:
    """Which layers; all if none is given."""

    layers: tuple[Index, ...] = Field((), description="layers to return; all if none is given")


@engine(obstacle=lambda model: model.site_obstacle(Site("pattern", 0)))
def attention(model: HookedModel, prompts: Prompts, options: AttentionOptions) -> Patterns:
    """Attention patterns of every head.

    Attention probabilities `batch layer head query_pos key_pos` as the model computes them; NaN at padded places.

    Unit: probability.
    Conserves: every row over the keys sums to one.
    Raises: OptionError if the model has no such layer.
    Source: Vaswani et al. 2017, section 3.2.
    """
    layers = sorted(set(options.layers)) or list(range(model.dims.layers))
    if not 0 <= layers[0] <= layers[-1] < model.dims.layers:
        wrong = layers[-1] if layers[0] >= 0 else layers[0]
        raise OptionError(f"attention, layers: {model.name} has layers 0 to {model.dims.layers - 1}, not {wrong}")
    sites = [Site("pattern", layer) for layer in layers]
    with torch.no_grad():
        trace = model.record(prompts, sites)
    patterns = torch.stack([trace.pop(site) for site in sites], dim=1)
    mask = prompts.mask.to(patterns.device)
    real = mask[:, :, None] & mask[:, None, :]
    return Patterns.of(
        prompts,
        {"attention": patterns.masked_fill(~real[:, None, None], torch.nan)},
        measured="attention probability from each query to each key; every row sums to one",
        layer=layers,
    )

"""What to put in the place of an activation: another prompt's value, zero, or the prompt's mean."""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from interp.core.prompts import Prompts
from interp.models.edits import mean_over_positions
from interp.models.hooked import HookedModel
from interp.models.sites import Site

How = Literal["resample", "zero", "mean"]


def recorded_replacement(model: HookedModel, source: Prompts, sites: Sequence[Site], how: How) -> list[Tensor]:
    """For each site what to put there, to be spread to its shape: the value on `source`, its mean, or zero."""
    if how == "zero":
        return [torch.zeros(())] * len(sites)
    trace = model.record(source, sites)
    values = [trace[site] for site in sites]
    if how == "mean":
        return [mean_over_positions(value, source.mask) for value in values]
    return values

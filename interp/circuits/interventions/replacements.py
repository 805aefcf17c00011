"""Replacement values of activations: another prompt's, zero, or the prompt's mean."""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from interp.core.errors import OptionError
from interp.core.metric import Metric
from interp.core.prompts import PromptPairs, Prompts
from interp.models.edits import mean_over_positions
from interp.models.hooked import HookedModel
from interp.models.sites import SITES, Site

How = Literal["resample", "zero", "mean"]
DENOISING_SIGN = "effect = metric(patched) − metric(corrupted); positive: the clean value restores the answer"


def recorded_replacement(model: HookedModel, source: Prompts, sites: Sequence[Site], how: How) -> list[Tensor]:
    """For each site what to put there, to be spread to its shape: the value on `source`, its mean, or zero."""
    if how == "zero":
        return [torch.zeros(())] * len(sites)
    trace = model.record(source, sites)
    values = [trace[site] for site in sites]
    if how == "mean":
        return [mean_over_positions(value, source.mask) for value in values]
    return values


def base_and_source(
    engine: str, prompts: Prompts | PromptPairs, how: How, direction: str = "noising"
) -> tuple[Prompts, Prompts]:
    """The prompts that are run, and those that the replacement values come from.

    Raises: OptionError if resampling or denoising is asked for without corrupted prompts.
    """
    if isinstance(prompts, Prompts):
        if how == "resample" or direction == "denoising":
            raise OptionError(
                f"{engine}, how={how!r}, direction={direction!r} needs a corrupted prompt; give one, or use how='zero' "
                "or 'mean'"
            )
        return prompts, prompts
    if direction == "denoising":
        return prompts.corrupted, prompts.clean
    return prompts.clean, prompts.corrupted if how == "resample" else prompts.clean


def describe_patch(metric: Metric, site: str, how: How, direction: str) -> str:
    """What a patching effect is, in words."""
    value = {"resample": "its value in the other run", "zero": "zero", "mean": "its mean over the prompt"}[how]
    return f"change of {metric.label} when {SITES[site].meaning} is replaced by {value} ({direction})"

"""Activation patching: the effect on the answer of replacing one activation."""

from collections.abc import Sequence
from dataclasses import dataclass as plain_dataclass
from itertools import product
from typing import Literal, NamedTuple

import torch
from jaxtyping import Float
from pydantic import Field
from pydantic.dataclasses import dataclass
from torch import Tensor

from interp.circuits.interventions.replacements import (
    DENOISING_SIGN,
    How,
    base_and_source,
    describe_patch,
    recorded_replacement,
)
from interp.core.engine import engine
from interp.core.metric import Metric
from interp.core.options import BatchTokens
from interp.core.progress import track
from interp.core.prompts import PromptPairs, Prompts
from interp.core.result import SIGN
from interp.core.variables import AGAINST, FOR
from interp.kinds import Effects
from interp.models.edits import Edit
from interp.models.hooked import HookedModel
from interp.models.sites import SITES, Site

PatchSite = Literal[
    "z", "q", "k", "v", "head_out", "attn_out", "mlp_out", "mlp_post", "expert_write", "resid_pre", "resid_mid",
    "resid_post",
]  # fmt: skip

_PARTS = {"head": "head", "kv_head": "head", "expert": "expert"}  # axes of sites, and of effects


@dataclass(frozen=True)
class ActivationPatchingOptions:
    """What to patch, and with which value."""

    site: PatchSite = Field("z", description="site to patch: z is every head's output, resid_pre the stream")
    how: How = Field("resample", description="replacement value: the other prompt's, zero, or the prompt's mean")
    direction: Literal["noising", "denoising"] = Field(
        "noising",
        description="noising patches corrupted values into the clean run; denoising patches clean values "
        "into the corrupted run",
    )
    by_position: bool | None = Field(
        None, description="one effect per position instead of one for all; by default for the residual stream only"
    )
    batch_tokens: BatchTokens = Field(1024, description="tokens per forward pass: several patches share a pass")


class _Patch(NamedTuple):
    """One cell of the result."""

    layer: int
    part: int | None  # of the head or expert
    pos: int | None


@engine
def activation_patching(
    model: HookedModel, prompts: Prompts | PromptPairs, metric: Metric, options: ActivationPatchingOptions
) -> Effects:
    """Effect on the answer of replacing each head, MLP, expert or stream position.

    Replace one place at a time (a head, an MLP, an expert, a layer, each at all positions or one) and read the metric.

    Returns the effect, axes `batch layer [head] [expert] [pos]`. Many patches share a forward pass: row r of a
    batch carries patch r. Denoising starts from the corrupted run: effect = metric(patched) − metric(corrupted).

    Unit: that of the metric (logits).
    Raises: OptionError if resampling or denoising is asked for without corrupted prompts; SiteError for a site that
    the model lacks.
    Source: Vig et al. 2020; Heimersheim & Nanda 2024, "How to use and interpret activation patching".
    Differs: "mean" is each prompt's own mean over its positions, not a mean over a data set.
    """
    base, source = base_and_source("activation-patching", prompts, options.how, options.direction)
    sites = model.sites(options.site)
    axes = SITES[options.site].axes.split()
    parts = next((model.dims.axes[axis] for axis in axes if axis in _PARTS), None)
    by_position = options.site.startswith("resid") if options.by_position is None else options.by_position
    width = base.width if by_position else None

    effects = torch.full((len(base), len(sites), parts or 1, width or 1), torch.nan, dtype=torch.float64)
    patches = [
        _Patch(layer, part, pos)
        for layer in range(len(sites))
        for part in (range(parts) if parts else [None])
        for pos in (range(width) if width else [None])
    ]
    chunk = max(1, options.batch_tokens // base.width)
    groups = [patches[first : first + chunk] for first in range(0, len(patches), chunk)]
    start: _Start | None = None
    for row, group in track(product(range(len(base)), groups), len(base) * len(groups), f"patching {options.site}"):
        if group is groups[0]:
            start = _starting_from(model, base[[row]], source[[row]], metric.select([row]), options)
        assert start is not None
        inside = [patch for patch in group if patch.pos is None or patch.pos < start.prompt.width]
        if inside:
            values = _patched_metric(model, start, sites, inside)
            for patch, value in zip(inside, values, strict=True):
                effects[row, patch.layer, patch.part or 0, patch.pos or 0] = value - start.value
    keep = ["batch", "layer", *(_PARTS[axis] for axis in axes if axis in _PARTS), *(["pos"] if width else [])]
    shape = [len(base), len(sites), *([parts] if parts else []), *([width] if width else [])]
    return Effects.of(
        base,
        {"effect": effects.reshape(shape)},
        " ".join(keep),
        unit=metric.unit,
        measured=describe_patch(metric, options.site, options.how, options.direction),
        sign=SIGN if options.direction == "noising" else DENOISING_SIGN,
        supports=AGAINST if options.direction == "noising" else FOR,
    )


@plain_dataclass(frozen=True)
class _Start:
    """One prompt before any patch: what to put where, the stream into each layer, and the metric."""

    prompt: Prompts
    metric: Metric
    replacement: list[Tensor]
    streams: list[Tensor]
    value: float


def _starting_from(
    model: HookedModel, prompt: Prompts, source: Prompts, metric: Metric, options: ActivationPatchingOptions
) -> _Start:
    replacement = recorded_replacement(model, source, model.sites(options.site), options.how)
    layers = model.sites("resid_pre")
    trace = model.run(prompt, record=layers, answer=metric)
    return _Start(prompt, metric, replacement, [trace[site] for site in layers], metric.of_rows(trace.logits).item())


def _patched_metric(
    model: HookedModel, start: _Start, sites: Sequence[Site], group: Sequence[_Patch]
) -> Float[Tensor, "patch"]:
    """The metric of one prompt under each patch of `group`, in one forward pass over the layers they can change."""
    first = min(patch.layer for patch in group)
    rows = [0] * len(group)
    many = start.metric.select(rows)
    of = "expert" if "expert" in SITES[sites[0].name].axes.split() else "head"
    edits = [
        Edit.resample(sites[patch.layer], start.replacement[patch.layer], **{of: patch.part}, pos=patch.pos, row=row)
        for row, patch in enumerate(group)
    ]
    trace = model.run(start.prompt[rows], edits=edits, answer=many, start=(first, start.streams[first]))
    return many.of_rows(trace.logits).double()

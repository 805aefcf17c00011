"""Causal tracing: which states carry a fact, by restoring them where the subject is drowned in noise."""

from dataclasses import dataclass as plain_dataclass
from dataclasses import replace
from functools import partial
from typing import Literal

import numpy as np
import torch
from jaxtyping import Bool, Float
from pydantic import Field
from pydantic.dataclasses import dataclass
from torch import Tensor

from interp.core.engine import engine
from interp.core.intervals import bootstrap_mean
from interp.core.metric import Metric
from interp.core.options import BatchTokens, Count, Repeats, Seed
from interp.core.progress import track
from interp.core.prompts import PromptPairs, Prompts
from interp.kinds import CausalTrace
from interp.knowledge.subjects import subject_positions
from interp.models.edits import Edit
from interp.models.hooked import HookedModel
from interp.models.sites import Site

PARTS = 10  # layers of attention or MLPs that are restored together, as the paper does
Cell = tuple[int, int]  # layer and position


@dataclass(frozen=True)
class CausalTracingOptions:
    """What is restored, and the noise."""

    site: Literal["resid_post", "attn_out", "mlp_out"] = Field(
        "resid_post", description="state that is restored: the stream out of a layer, or an output of its parts"
    )
    window: Count | None = Field(
        None, description=f"layers restored together; by default 1 of the stream, {PARTS} of attention or MLPs"
    )
    severed: Literal["mlp_out", "attn_out"] | None = Field(
        None, description="outputs at the restored position that stay as the noise has them, in all later layers"
    )
    subject: str = Field("", description="the subject; by default where prompt and corrupted prompt differ")
    noise: float = Field(
        3.0, ge=0, le=1e6, description="standard deviation of the noise, in that of the subject's embeddings"
    )
    draws: Repeats = Field(5, description="draws of the noise")
    seed: Seed = Field(0, description="seed of the noise")
    batch_tokens: BatchTokens = Field(1024, description="tokens per forward pass: several restorations share a pass")


def _obstacle(model: HookedModel) -> str | None:
    return model.edit_obstacle(Site("embed"))


@engine(obstacle=_obstacle)
def causal_tracing(
    model: HookedModel, prompts: Prompts | PromptPairs, metric: Metric, options: CausalTracingOptions
) -> CausalTrace:
    """Which states carry a fact: noise on the subject's embeddings, and one state restored at a time.

    Gaussian noise on the subject's embeddings takes the answer away; the state at a layer and position (or at a window
    of layers around it) is set to what it was in the clean run: `batch layer pos`.

    With a contrast the logit difference comes back, without one the answer's probability: noise may raise all logits.
    With `severed`, MLPs (or attention) of later layers do not see at that position what was restored. Of a pair, the
    subject is where the two prompts differ. Every draw of the noise is the same for all states, and, but for its size,
    for all prompts.
    Unit: that of the metric.
    Raises: PromptError without a subject; OptionError for one that is not in the prompt; SiteError for a state that
    the model lacks.
    Source: Meng et al. 2022, "Locating and Editing Factual Associations in GPT", section 2.
    Differs: the noise is measured in the standard deviation of the prompt's own subject, not of many subjects.
    """
    if metric.contrasts is None and metric.scale == "logit":
        metric = replace(metric, scale="prob")
    positions = subject_positions("causal-tracing", prompts, options.subject)
    clean, dims = prompts.clean, model.dims
    shape = (len(clean), dims.layers, clean.width)
    effects, ends = np.full(shape, np.nan), np.full((*shape, 2), np.nan)
    runs, subject = np.full((len(clean), 2), np.nan), np.zeros((len(clean), clean.width))
    run_ends = np.full((len(clean), 2), np.nan)
    for row, places in enumerate(positions):
        traced = _Traced.of(model, clean[[row]], metric.select([row]), places, options)
        cells = [(layer, pos) for layer in range(dims.layers) for pos in range(traced.prompt.width)]
        values = traced.restored(cells)  # cell draw
        mean, low, high = bootstrap_mean(values - traced.corrupted, axis=1, seed=options.seed)
        area = (row, slice(None), slice(traced.prompt.width))
        effects[area] = mean.reshape(dims.layers, -1)
        ends[area] = np.stack([low, high], -1).reshape(dims.layers, -1, 2)
        corrupted = bootstrap_mean(traced.corrupted, seed=options.seed)
        runs[row], run_ends[row] = (traced.clean, corrupted[0]), corrupted[1:]
        subject[row, places] = 1
    window = options.window or (1 if options.site == "resid_post" else PARTS)
    severed = f"{options.severed} of later layers severed, " if options.severed else ""
    return CausalTrace.of(
        clean,
        {"effect": effects, "effect_interval": ends, "clean": runs[:, 0], "corrupted": runs[:, 1],
         "corrupted_interval": run_ends, "subject": subject},
        unit=metric.unit,
        measured=f"{metric.label}: {options.site} restored in {window} layers, {severed}noise of {options.noise:g} "
        f"standard deviations on the subject, {options.draws} draws",
        sign="effect = metric(restored) − metric(corrupted); positive: the state carries the answer",
        facts={"site": options.site, "window": str(window), "severed": options.severed or ""},
    )  # fmt: skip


@plain_dataclass(frozen=True)
class _Traced:
    """One prompt: its clean states, every draw's streams into the layers and outputs to sever, the metric of both."""

    model: HookedModel
    prompt: Prompts
    metric: Metric
    options: CausalTracingOptions
    states: list[Float[Tensor, "one pos d_model"]]
    streams: list[Float[Tensor, "draw pos d_model"]]
    severed: list[Float[Tensor, "draw pos d_model"]]
    clean: float
    corrupted: Float[np.ndarray, "draw"]

    @classmethod
    def of(
        cls, model: HookedModel, prompt: Prompts, metric: Metric, places: list[int], options: CausalTracingOptions
    ) -> "_Traced":
        """Run it as it is, and once with every draw."""
        states, layers, embedded = model.sites(options.site), model.sites("resid_pre"), Site("embed")
        severed = model.sites(options.severed) if options.severed else []
        many = [0] * options.draws
        with torch.no_grad():
            clean = model.run(prompt, record=[*states, embedded], answer=metric)
            noise = Edit.add(embedded, _noise(clean[embedded][0, places], options), pos=places)
            noisy = model.run(prompt[many], record=[*layers, *severed], edits=[noise], answer=metric.select(many))
        return cls(
            model, prompt, metric, options, [clean[site] for site in states], [noisy[site] for site in layers],
            [noisy[site] for site in severed],
            metric.of_rows(clean.logits).item(), metric.select(many).of_rows(noisy.logits).double().cpu().numpy(),
        )  # fmt: skip

    def restored(self, cells: list[Cell]) -> Float[np.ndarray, "cell draw"]:
        """The metric of every draw with each cell restored; cells share forward passes."""
        each = max(1, self.options.batch_tokens // self.prompt.width // self.options.draws)
        groups = [cells[first : first + each] for first in range(0, len(cells), each)]
        label = f"restoring {self.options.site}"
        return np.concatenate([self._together(group) for group in track(groups, len(groups), label)])

    def _together(self, cells: list[Cell]) -> Float[np.ndarray, "cell draw"]:
        draws, layers = self.options.draws, len(self.streams)
        keep = torch.zeros(layers, len(cells) * draws, self.prompt.width, dtype=torch.bool)
        later = torch.zeros_like(keep)
        for at, (layer, pos) in enumerate(cells):
            window = self._window(layer)
            keep[window, at * draws : (at + 1) * draws, pos] = True
            later[window.stop :, at * draws : (at + 1) * draws, pos] = True
        first = int(keep.flatten(1).any(1).nonzero()[0])
        held = [each.repeat(len(cells), 1, 1) for each in self.severed]
        edits = [
            Edit.through(sites[layer], partial(_put, mask[layer].to(self.model.device), states[layer]))
            for sites, mask, states in (
                (self.model.sites(self.options.site), keep, self.states),
                (self.model.sites(self.options.severed) if self.options.severed else [], later, held),
            )
            for layer in range(first, len(sites))
            if mask[layer].any()
        ]
        many = self.metric.select([0] * keep.shape[1])
        with torch.no_grad():
            start = (first, self.streams[first].repeat(len(cells), 1, 1))
            trace = self.model.run(self.prompt[[0] * keep.shape[1]], edits=edits, answer=many, start=start)
        return many.of_rows(trace.logits).double().cpu().numpy().reshape(len(cells), draws)

    def _window(self, layer: int) -> slice:
        """The layers around it that are restored together."""
        width = self.options.window or (1 if self.options.site == "resid_post" else PARTS)
        return slice(max(0, layer - width // 2), layer + (width + 1) // 2)


def _noise(
    embedded: Float[Tensor, "place d_model"], options: CausalTracingOptions
) -> Float[Tensor, "draw place d_model"]:
    """Of the subject's own spread; but for that the same for every prompt: the first places of one long draw."""
    places, width = embedded.shape
    random = np.random.default_rng(options.seed)
    normal = np.stack([random.normal(size=(options.draws, width)) for _ in range(places)], 1)
    return torch.from_numpy(options.noise * float(embedded.double().std()) * normal).to(embedded)


def _put(keep: Bool[Tensor, "row pos"], state: Tensor, value: Tensor) -> Tensor:
    return torch.where(keep[:, :, None], state, value)

"""Dose curves: what steering does to the answer at every strength, and what it costs on neutral text."""

from dataclasses import fields, replace
from typing import Annotated, Any

import numpy as np
import torch
from pydantic import Field
from pydantic.dataclasses import dataclass
from torch import Tensor

from interp.core.engine import engine
from interp.core.errors import OptionError, PromptError
from interp.core.intervals import bootstrap_ratio, with_interval
from interp.core.metric import Metric
from interp.core.options import Count, Repeats
from interp.core.progress import track
from interp.core.prompts import Prompts
from interp.core.result import SIGN
from interp.corpus.losses import predicting, predicts_next
from interp.corpus.options import CorpusOptions, windows_of
from interp.directions.steering.changes import (
    SteeringOptions,
    along,
    chosen_direction,
    counted_positions,
    random_vectors,
    steering,
    steering_obstacle,
    units,
)
from interp.kinds import DoseCurve
from interp.models.directions import Direction
from interp.models.hooked import HookedModel
from interp.models.sites import Site

Strength = Annotated[float, Field(ge=-1e3, le=1e3, allow_inf_nan=False)]


@dataclass(frozen=True)
class DoseCurveOptions(SteeringOptions):
    """The strengths, the random directions beside them, the neutral text, and a prompt that asks for the same."""

    strengths: tuple[Strength, ...] = Field(
        (-0.5, -0.25, -0.1, -0.05, 0.0, 0.05, 0.1, 0.25, 0.5),
        min_length=1,
        max_length=100,
        description="how far the stream is pushed, in that unit",
    )
    draws: Repeats = Field(20, description="random directions of the same norm, as a control")
    corpus: str = Field("stdlib", description="neutral text: stdlib, a file, a folder, or hf:NAME")
    windows: Count = Field(4, description="windows of neutral text")
    length: Count = Field(64, description="tokens per window")
    instruction: str = Field("", description="text put before every prompt instead of steering, as a baseline")


class _Steered:
    """Some prompts, run onward from the direction's layer with their stream pushed."""

    def __init__(self, model: HookedModel, prompts: Prompts, direction: Direction, reading: Metric | None,
                 options: SteeringOptions) -> None:  # fmt: skip
        self.model, self.prompts, self.reading = model, prompts, reading
        start = min(direction.site.layer or 0, model.dims.layers - 1)
        sites = {direction.site, Site("resid_pre", start)}
        with torch.no_grad():
            trace = model.record(prompts, sites)
        self.start = (start, trace[Site("resid_pre", start)])
        self.units = units(direction, trace[direction.site], prompts, options)
        self.counted = counted_positions(prompts, options.skip)

    def logits(self, direction: Direction, strength: float) -> Tensor:
        """Of the answers, or of every position where nothing is read. Raises: OptionError where they are not finite."""
        edits = [steering(direction, strength * self.units, self.counted)] if strength else []
        with torch.no_grad():
            logits = self.model.run(self.prompts, edits=edits, answer=self.reading, start=self.start).logits
        if not logits.isfinite().all():
            raise OptionError(f"strengths: {strength:g} makes the logits not finite; give a smaller one")
        return logits


@engine(obstacle=steering_obstacle)
def dose_curve(model: HookedModel, prompts: Prompts, metric: Metric, options: DoseCurveOptions) -> DoseCurve:
    """What pushing the stream along a direction does to the answer at every strength, and what it costs elsewhere.

    `effect` (`strength`): metric(steered) − metric(clean), mean over prompts; beside it that of random directions of
    the same norm (`draw strength`). The cost, on windows of neutral text: the Kullback-Leibler divergence of the
    next-token distributions, and the rise of the loss; NaN of a model that predicts no next token.
    `instructed_effect`: that of the prompts with an instruction before them, unsteered.
    Cost: strengths × (1 + draws) forwards of prompts and text, from the direction's layer on.
    Unit: that of the metric; nats a token.
    Raises: OptionError where no direction is named, or a strength makes the logits not finite; PromptError where the
    instruction makes a prompt too long.
    Source: Turner et al. 2023, "Activation Addition"; Wu et al. 2025, "AxBench" (prompts as a baseline).
    """
    direction = chosen_direction(model, options)
    rng = np.random.default_rng(options.seed)
    controls = [along(direction, vector) for vector in random_vectors(model, options.draws, rng)]
    asked = _Steered(model, prompts, direction, metric, options)
    clean = metric.of_rows(asked.logits(direction, 0)).double().cpu().numpy()
    text = None
    if predicts_next(model):
        names = {field.name for field in fields(CorpusOptions)}
        neutral = CorpusOptions(**{name: getattr(options, name) for name in names})
        text = _Text(model, windows_of(model, neutral), direction, options)
    effects, divergences, rises = [], [], []
    every = [(each, strength) for each in (direction, *controls) for strength in options.strengths]
    for each, strength in track(every, len(every), "steering"):
        effects.append(metric.of_rows(asked.logits(each, strength)).double().cpu().numpy() - clean)
        divergence, rise = text.cost(each, strength) if text else (np.full(1, np.nan), np.full(1, np.nan))
        divergences.append(divergence)
        rises.append(rise)
    shape = (1 + options.draws, len(options.strengths), -1)
    effect, divergence, rise = (np.stack(some).reshape(shape) for some in (effects, divergences, rises))
    counts = text.counts if text else np.ones(1)
    values: dict[str, Any] = with_interval("effect", effect[0].T) | {"random_effect": effect[1:].mean(-1)}
    for name, sums in (("divergence", divergence), ("loss_rise", rise)):
        values[name], values[f"{name}_interval"] = bootstrap_ratio(sums[0].T, counts)
        values[f"random_{name}"] = sums[1:].sum(-1) / counts.sum()
    if options.instruction:
        values |= with_interval("instructed_effect", _instructed(model, prompts, metric, options.instruction) - clean)
    return DoseCurve.of(
        prompts,
        values,
        unit=metric.unit,
        measured=f"change of {metric.label} when {direction.node} is added, beside {options.draws} random directions",
        sign=SIGN,
        facts={"direction": str(direction.node), "made": direction.made, "unit_of_strength": options.unit},
        strength=np.array(options.strengths),
    )


class _Text:
    """Neutral windows, and what the model says of them unsteered."""

    def __init__(self, model: HookedModel, windows: Prompts, direction: Direction, options: SteeringOptions) -> None:
        self.runs = _Steered(model, windows, direction, None, options)
        self.counted = predicting(windows, options.skip)
        self.counts = self.counted.sum(1).double().numpy()
        if not self.counts.sum():
            raise OptionError("length leaves no token of the neutral text to predict; give a larger one, or less skip")
        self.nexts = windows.tokens[:, 1:, None].to(model.device)
        self.clean = self._logprobs(direction, 0)

    def _logprobs(self, direction: Direction, strength: float) -> Tensor:
        return self.runs.logits(direction, strength)[:, :-1].float().log_softmax(-1)

    def cost(self, direction: Direction, strength: float) -> tuple[np.ndarray, np.ndarray]:
        """Σ of the divergences, and of the rise of the loss, of each window."""
        steered = self._logprobs(direction, strength)
        divergence = (self.clean.exp() * (self.clean - steered)).sum(-1)
        rise = (self.clean - steered).gather(-1, self.nexts)[..., 0]
        counted = self.counted.to(rise.device)
        sums = (torch.where(counted, each, 0).sum(1).double().cpu().numpy() for each in (divergence, rise))
        return next(sums), next(sums)


def _instructed(model: HookedModel, prompts: Prompts, metric: Metric, instruction: str) -> np.ndarray:
    """The metric of every prompt with the instruction before it, which moves the answers' positions."""
    texts = [f"{instruction.rstrip()} {text}" for text in prompts.texts]
    longer, reading = Prompts.of(model, texts), metric
    if metric.positions is not None:
        if tuple(metric.positions) != tuple(prompts.answer_positions(model)):
            raise PromptError("an instruction needs answers that are read at the ends of the prompts; leave it out")
        reading = replace(metric, positions=tuple(longer.answer_positions(model)))
    with torch.no_grad():
        return reading.of_rows(model.run(longer, answer=reading).logits).double().cpu().numpy()

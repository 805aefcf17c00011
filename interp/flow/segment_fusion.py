"""Segment fusion: how late two halves of a text may meet, attention between them blocked in the layers before."""

from collections.abc import Iterable
from functools import partial

import numpy as np
import torch
from jaxtyping import Bool, Float
from pydantic import Field
from pydantic.dataclasses import dataclass
from torch import Tensor

from interp.core.engine import engine
from interp.core.errors import OptionError
from interp.core.metric import Metric
from interp.core.options import Count, Index
from interp.core.progress import track
from interp.core.prompts import Prompts
from interp.corpus.losses import loss_obstacle, loss_sums, predictions
from interp.corpus.options import CorpusOptions, windows_of
from interp.flow.paths.keys import generator_of, renormalised
from interp.kinds import SegmentFusion
from interp.models.edits import Edit
from interp.models.hooked import HookedModel
from interp.models.sites import Site

_WAYS = ("", "late_", "control_")  # what variables begin with
Blocked = Bool[Tensor, "query_pos key_pos"]


@dataclass(frozen=True)
class SegmentFusionOptions(CorpusOptions):
    """The text, where its second segment begins, and what every position may always see."""

    windows: Count = Field(8, description="number of windows taken from the corpus")
    boundary: Index = Field(0, description="number of tokens in the first segment; 0 is half of the prompt")
    first: Index = Field(1, description="initial positions that both segments see in every layer: the attention sink")


def _obstacle(model: HookedModel) -> str | None:
    return model.edit_obstacle(Site("pattern", 0)) or model.site_obstacle(Site("resid_pre", 0))


@engine(obstacle=_obstacle, default_prompts=windows_of)
def segment_fusion(
    model: HookedModel, prompts: Prompts, metric: Metric | None, options: SegmentFusionOptions
) -> SegmentFusion:
    """How late two segments of a text may meet: the loss and the answer with attention between them blocked in layers.

    A prompt is cut in two, and no position of one segment attends to the other, but to the `first` positions, in some
    layers; patterns are renormalised.

    `loss` (`batch count`): the rise of the loss on the second segment where the first `count` layers are blocked, so
    that the segments meet late; `late_loss`: where the last `count` are, so that what has not been moved by then stays
    where it is. `control_loss`: the first layers, with as many earlier keys of each position of the second segment
    blocked as the first segment has, but chosen at random. `effect`, `late_effect` and `control_effect` are the same of
    the metric, if a target is given: metric(blocked) − metric(clean). With all layers blocked early and late are one.
    Cost: three halves of a forward for each layer.
    Unit: nats a token; that of the metric.
    Raises: OptionError for a boundary outside a prompt.
    Source: Izacard & Grave 2021, "Leveraging Passage Retrieval with Generative Models for Open Domain Question
    Answering", where passages meet in the decoder alone.
    Differs: measured by layer, on a model that was not trained for it.
    """
    layers, has_loss = model.dims.layers, loss_obstacle(model) is None
    shape = (len(_WAYS), len(prompts), layers + 1)
    losses, effects = np.full(shape, np.nan), np.full(shape, np.nan)
    with torch.no_grad():
        for row in track(range(len(prompts)), len(prompts), "segment-fusion"):
            prompt = prompts[[row]]
            boundary = options.boundary or max(1, prompt.width // 2)
            if boundary >= prompt.width:
                length = "1 token" if prompt.width == 1 else f"{prompt.width} tokens"
                raise OptionError(
                    f"segment-fusion, boundary = {boundary}: prompt {row} has {length}; "
                    f"{'give a longer one' if prompt.width == 1 else 'choose fewer'}"
                )
            tokens = predictions(prompt, boundary)[0]
            for way, rows in enumerate(_runs(model, prompt, _masks(prompt, boundary, options))):
                if has_loss and tokens:
                    sums = np.array([loss_sums(logits, prompt, boundary)[0] for logits in rows])
                    losses[way, row] = (sums - sums[0]) / tokens
                if metric is not None:
                    values = np.array([metric.select([row])(logits).double().item() for logits in rows])
                    effects[way, row] = values - values[0]
    measures = {"loss": losses} if metric is None else {"loss": losses, "effect": effects}
    values = {f"{way}{name}": of[at] for name, of in measures.items() for at, way in enumerate(_WAYS)}
    return SegmentFusion.of(
        prompts,
        values,
        unit="" if metric is None else metric.unit,
        measured="loss on the second segment"
        + ("" if metric is None else f" and {metric.label}")
        + ", attention between two segments blocked in some layers, less that of the plain run",
        sign="a loss above 0, an effect below: what passed between the segments had helped",
    )


def _masks(prompt: Prompts, boundary: int, options: SegmentFusionOptions) -> tuple[Blocked, Blocked]:
    """What is blocked between the segments, and as much of it at random."""
    width, place = prompt.width, torch.arange(prompt.width)
    second = place >= boundary
    between = second[:, None] != second[None, :]
    between[:, : options.first] = False
    chance = torch.rand(width, width, generator=generator_of(prompt, options.seed))
    chance[:, : options.first] = 2
    chance[place[:, None] <= place] = 2  # itself and later ones
    order = chance.argsort(-1).argsort(-1)
    return between, second[:, None] & (order < max(0, boundary - options.first)) & (chance < 2)


def _runs(model: HookedModel, prompt: Prompts, masks: tuple[Blocked, Blocked]) -> Iterable[list[Tensor]]:
    """Logits with 0, 1, … layers blocked: the first ones, the last ones, and the first ones at random."""
    streams, layers = model.sites("resid_pre"), model.dims.layers
    clean = model.run(prompt, record=streams)
    between, random = (_edits(model, mask) for mask in masks)

    def early(edits: list[Edit]) -> list[Tensor]:
        blocked = model.run(prompt, record=streams, edits=edits)
        some = [model.run(prompt, start=(layer, blocked[streams[layer]])).logits for layer in range(1, layers)]
        return [clean.logits, *some, blocked.logits]

    yield early(between)
    late = [layers - count for count in range(1, layers + 1)]
    runs = (model.run(prompt, start=(layer, clean[streams[layer]]), edits=between[layer:]) for layer in late)
    yield [clean.logits, *(run.logits for run in runs)]
    yield early(random)


def _edits(model: HookedModel, blocked: Blocked) -> list[Edit]:
    """Every layer's pattern without what is blocked."""

    def block(keep: Blocked, pattern: Float[Tensor, "batch head query_pos key_pos"]) -> Tensor:
        return renormalised(pattern, keep[None, None])

    keep = ~blocked.to(model.device)
    return [Edit.through(site, partial(block, keep)) for site in model.sites("pattern")]

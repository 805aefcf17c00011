"""Layer ablation: the answer and the loss with layers skipped, or replaced by the affine map of their input."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from pydantic import Field
from pydantic.dataclasses import dataclass
from torch import Tensor

from interp.core.engine import engine
from interp.core.errors import OptionError
from interp.core.intervals import bootstrap_ratio
from interp.core.metric import Metric
from interp.core.options import Count, Index
from interp.core.prompts import Prompts
from interp.corpus.batches import batches
from interp.corpus.enough import require_predictions
from interp.corpus.losses import loss_obstacle, loss_sums, predictions
from interp.corpus.options import CorpusOptions, windows_of
from interp.flow.depth.layer_maps import Map, fitted_maps, opened_maps
from interp.kinds import LayerAblation
from interp.models.comparison import compared
from interp.models.edits import Edit
from interp.models.hooked import HookedModel
from interp.models.sites import Site


@dataclass(frozen=True)
class LayerAblationOptions(CorpusOptions):
    """Which layers, and the text that maps are fitted on and losses measured on."""

    windows: Count = Field(16, description="number of windows of the corpus that maps are fitted on")
    tested: Count = Field(8, description="number of windows after these, on which the loss is measured")
    skip: Index = Field(1, description="initial positions of every window to skip; the first is often an outlier")
    skipped: tuple[Index, ...] = Field((), description="layers that pass their input on")
    linearised: tuple[Index, ...] = Field((), description="layers replaced by the affine map nearest to them")
    maps: str = Field("", description="file of affine maps from `layer_maps`; without it they are fitted")
    top: Count = Field(10, description="top tokens listed before and after")


def _obstacle(model: HookedModel) -> str | None:
    sites = [*model.sites("resid_pre"), *model.sites("resid_post")]
    return next(filter(None, (*map(model.site_obstacle, sites), model.edit_obstacle(Site("resid_post", 0)))), None)


@engine(obstacle=_obstacle)
def layer_ablation(
    model: HookedModel, prompts: Prompts, metric: Metric | None, options: LayerAblationOptions
) -> LayerAblation:
    """The answer and the loss on text with any set of layers skipped, or replaced by affine maps of their input.

    A skipped layer passes the stream x on; a linearised one gives x + xA + b, where xA + b is nearest to what the layer
    adds, on the unchanged streams of `windows` windows. Axes `batch` and `batch rank` as those of `ablation`; the loss
    is of the `tested` windows that follow, before and after, with the interval of its increase over windows.
    Unit: that of the metric (logits); probabilities for the tokens; nats a token for the loss.
    Raises: OptionError for a layer that the model lacks or that is changed both ways; CorpusError where too little is
    left of the text.
    Source: Razzhigaev et al. 2024, "Your Transformer is Secretly Linear", section 5; Men et al. 2024, "ShortGPT".
    Differs: maps have a shift, and are fitted without the first position.
    """
    _require_layers(model, options)
    maps = _maps(model, options) if options.linearised else {}
    edits = layer_edits(options.skipped, {layer: maps[layer] for layer in options.linearised})
    answer = compared(model, prompts, edits, metric, top=options.top, changed=_words(options))
    loss = _losses(model, edits, options)
    data = answer.data
    values = {
        str(name): (" ".join(map(str, array.dims)), array.values, array.attrs["unit"])
        for name, array in data.data_vars.items()
    }
    return LayerAblation.of(prompts, values | loss, measured=f"{answer.measured}{_told(loss)}", sign=answer.sign)


def _maps(model: HookedModel, options: LayerAblationOptions) -> dict[int, Map]:
    if options.maps:
        return opened_maps(model, options.maps)
    return fitted_maps(model, windows_of(model, options), options.skip)


def _losses(model: HookedModel, edits: Sequence[Edit], options: LayerAblationOptions) -> dict[str, Any]:
    """Loss before and after and its increase, on the windows after those that are fitted; NaN without a next token."""
    if loss_obstacle(model):
        nothing = dict.fromkeys(("loss", "edited_loss", "loss_increase"), float("nan"))
        return {**nothing, "loss_increase_interval": np.full(2, np.nan)}
    both = windows_of(model, replace(options, windows=options.windows + options.tested))
    windows = both[-options.tested :] if len(both) > options.tested else both
    tokens, sums = predictions(windows, options.skip), np.zeros((2, len(windows)))
    require_predictions(tokens.sum(), options.skip)
    with torch.no_grad():
        for first, some in batches(windows, "layer-ablation: losses"):
            rows = slice(first, first + len(some))
            for at, changes in enumerate(((), edits)):
                sums[at, rows] = loss_sums(model.run(some, edits=changes).logits, some, options.skip)
    increase, interval = bootstrap_ratio(sums[1] - sums[0], tokens)
    before, after = sums.sum(1) / tokens.sum()
    return {"loss": before, "edited_loss": after, "loss_increase": increase, "loss_increase_interval": interval}


def _told(loss: dict[str, Any]) -> str:
    if np.isnan(loss["loss"]):
        return ""
    low, high = loss["loss_increase_interval"]
    increase = f"{loss['loss_increase']:+.3f}, 95 % {low:+.3f} to {high:+.3f}".replace("-", "−")
    return f"; loss on text {loss['loss']:.3f} → {loss['edited_loss']:.3f} nats a token ({increase})"


def layer_edits(skipped: Sequence[int], maps: Mapping[int, Map]) -> list[Edit]:
    """The edits of a run in which layers pass their input on, or add an affine map of it."""
    streams: dict[int, Float[Tensor, "batch pos d_model"]] = {}

    def after(layer: int) -> Float[Tensor, "batch pos d_model"]:
        stream = streams.pop(layer)
        if layer not in maps:
            return stream
        matrix, shift = (torch.as_tensor(value, device=stream.device, dtype=torch.double) for value in maps[layer])
        return (stream.double() @ matrix + shift).to(stream.dtype) + stream

    def remember(layer: int, stream: Float[Tensor, "batch pos d_model"]) -> None:
        streams[layer] = stream

    return [
        edit
        for layer in sorted({*skipped, *maps})
        for edit in (
            Edit.through(Site("resid_pre", layer), partial(remember, layer)),
            Edit.through(Site("resid_post", layer), lambda _, layer=layer: after(layer)),
        )
    ]


def _require_layers(model: HookedModel, options: LayerAblationOptions) -> None:
    layers = (*options.skipped, *options.linearised)
    beyond = [layer for layer in layers if layer >= model.dims.layers]
    if beyond:
        raise OptionError(f"layer-ablation: {model.name} has layers 0 to {model.dims.layers - 1}, not {beyond[0]}")
    both = {*options.skipped} & {*options.linearised}
    if both:
        raise OptionError(f"layer-ablation: layer {min(both)} is both skipped and linearised; choose one")


def _words(options: LayerAblationOptions) -> str:
    ways = (("skipping", options.skipped), ("linearising", options.linearised))
    words = [f"{way} {', '.join(map(str, sorted(layers)))}" for way, layers in ways if layers]
    return " and ".join(words) or "nothing"

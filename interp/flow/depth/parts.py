"""A layer and its two parts: what each reads and adds to the stream, and a run in which it adds something else."""

from collections.abc import Callable
from typing import Any, NamedTuple

from jaxtyping import Float
from torch import Tensor

from interp.corpus.losses import loss_obstacle
from interp.models.edits import Edit
from interp.models.hooked import HookedModel, Trace
from interp.models.sites import Site

PARTS = ("block", "attention", "mlp")
Stream = Float[Tensor, "window pos d_model"]


class Addition(NamedTuple):
    """The stream that a part reads, and what it adds to that."""

    before: Stream
    update: Stream


def parts_obstacle(model: HookedModel) -> str | None:
    """Why a part of a layer cannot be told from the others, or has no loss; None if it can."""
    sites = [site for name in _names(model) for site in model.sites(name)]
    reasons = (loss_obstacle(model), *map(model.site_obstacle, sites), model.edit_obstacle(_written(model, 0)))
    return next(filter(None, reasons), None)


def part_sites(model: HookedModel) -> list[Site]:
    """The sites of a run that `addition` reads."""
    return list(
        dict.fromkeys([*model.stream_sites(), *(site for name in _names(model)[2:] for site in model.sites(name))])
    )


def addition(model: HookedModel, trace: Trace, layer: int, part: str) -> Addition:
    """What a part read and added in a run that recorded `part_sites`."""
    before, after = stream_into(model, trace, layer), stream_into(model, trace, layer + 1)
    if part == "block":
        return Addition(before, after - before)
    if model.layer_map.parallel:
        return Addition(before, trace[Site({"attention": "attn_write", "mlp": "mlp_write"}[part], layer)])
    middle = trace[Site("resid_mid", layer)]
    return Addition(before, middle - before) if part == "attention" else Addition(middle, after - middle)


def stream_into(model: HookedModel, trace: Trace, layer: int) -> Stream:
    """The stream into a layer, or out of the last one."""
    return trace[Site("resid_pre", layer) if layer < model.dims.layers else Site("resid_post", layer - 1)]


def instead(model: HookedModel, trace: Trace, layer: int, part: str, update: Stream) -> dict[str, Any]:
    """What `model.run` is given for a run in which a part adds `update`, from the first layer that changes."""
    before, own = addition(model, trace, layer, part)
    if part == "attention" and not model.layer_map.parallel:  # the layer's MLP reads it
        site = _written(model, layer)
        value = before + update if site.name == "resid_mid" else update
        return {"start": (layer, before), "edits": [Edit.through(site, lambda _: value)]}
    after = stream_into(model, trace, layer + 1)
    alone = part == "block" or not model.layer_map.parallel
    return onward(model, layer + 1, before + update if alone else after + (update - own))


def onward(model: HookedModel, layer: int, stream: Stream) -> dict[str, Any]:
    """What `model.run` is given to go on from a stream into a layer, or out of the last one."""
    last = model.dims.layers - 1
    if layer <= last:
        return {"start": (layer, stream)}
    replace: Callable[[Tensor], Tensor] = lambda _: stream  # noqa: E731
    return {"start": (last, stream), "edits": [Edit.through(Site("resid_post", last), replace)]}


def _names(model: HookedModel) -> tuple[str, ...]:
    """The sites that are read in every layer."""
    return ("resid_pre", "resid_post", *(("attn_write", "mlp_write") if model.layer_map.parallel else ("resid_mid",)))


def _written(model: HookedModel, layer: int) -> Site:
    """Where what attention adds is edited: where the norm stands on the sum, that sum."""
    return Site("resid_mid" if model.layer_map.attention.norm_on_sum else "attn_write", layer)

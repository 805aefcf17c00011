"""Which layer map a model has, by its numbers: under it, what its layers write adds up to what they return."""

from collections.abc import Iterator
from contextlib import ExitStack, suppress
from math import inf
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor

from interp.models.architectures import EXPERT_SITES, WITHOUT_FINAL_NORM, Architecture
from interp.models.encoders import ENCODERS
from interp.models.experts import mixture_in
from interp.models.layer_map import LAYER_MAPS, Norm, Stream
from interp.models.share import BOUNDS, share

_STREAM = ("hook_in", "hook_out", "attn.o.hook_out")
_WRITTEN, _READ = ("mlp.out.hook_out", "mlp.hook_out"), ("mlp.hook_in", "mlp.in.hook_in")  # the first that fires


@torch.no_grad()
def architecture_of(bridge: Any, tokens: Int[Tensor, "batch pos"]) -> Architecture:
    """What distinguishes the model's layers, seen in one run; without a layer map where none explains every layer."""
    original, cfg = bridge.original_model, bridge.cfg
    name = type(original).__name__
    causal = name not in ENCODERS and getattr(original.config, "is_causal", True)
    values: dict[str, Any] = {}
    hooks = bridge.hook_dict
    with ExitStack() as stack:
        for layer in range(cfg.n_layers):
            for point in (f"blocks.{layer}.{each}" for each in (*_STREAM, *_WRITTEN, *_READ)):
                if point in hooks:
                    hook = hooks[point]
                    keep = _keeping(values, point, hook.hook_conversion)
                    stack.enter_context(hook.register_forward_hook(keep))
        stack.enter_context(bridge.blocks[0].register_forward_hook(_keeping(values, "returned")))
        with suppress(Exception):  # a model that does not run is refused by the check that follows
            bridge(tokens, **({"use_cache": False} if causal else {}))
    fits = {stream: _misfit(bridge, stream, values) for stream in LAYER_MAPS}
    stream = min(LAYER_MAPS, key=fits.__getitem__)
    misfit, bound = fits[stream], BOUNDS[original.dtype]
    why = f"the nearest ({stream}) is off by {misfit:.2g} of its size" if misfit < inf else "no hook shows all parts"
    return Architecture(
        original.config.model_type,
        "rms" if getattr(cfg, "normalization_type", "") == "RMS" else "layer",
        stream if misfit <= bound else None,
        bool(getattr(cfg, "gated_mlp", False)),
        _own_sites(bridge, stream if misfit <= bound else None),
        causal,
        None if misfit <= bound else f"has layers that no known layer map explains: {why}",
        isinstance(values.get("returned"), (tuple, list)),
    )


def _own_sites(bridge: Any, stream: Stream | None) -> dict[str, str]:
    """Those of an encoder's head, of a bare model without a final norm, and of MLPs that are mixtures of experts."""
    encoder = ENCODERS.get(type(bridge.original_model).__name__)
    if encoder:
        return encoder.sites
    if stream == "bare" and "ln_final" not in bridge._modules:
        return WITHOUT_FINAL_NORM
    if mixture_in(bridge.blocks[0]) is None:
        return {}
    as_it_leaves = stream is not None and LAYER_MAPS[stream].mlp.norm_after is None
    return EXPERT_SITES | ({"mlp_write": EXPERT_SITES["mlp_out"]} if as_it_leaves else {})


def _keeping(values: dict[str, Any], name: str, conversion: Any = None) -> Any:
    def keep(module: Any, inputs: Any, output: Any) -> None:
        values[name] = output if conversion is None else conversion.convert(output)

    return keep


def _misfit(bridge: Any, stream: Stream, values: dict[str, Any]) -> float:
    """By how much any layer's sum, or what its MLP reads, differs at most from what the map says."""
    try:
        return max(
            share(said.where(both, 0), there.where(both, 0))
            for layer in range(bridge.cfg.n_layers)
            for said, there in _pairs(bridge.blocks[layer], stream, values, f"blocks.{layer}.")
            for both in [said.isfinite() & there.isfinite()]
        )
    except (
        KeyError,
        AttributeError,
        StopIteration,
        RuntimeError,
    ):  # a hook that does not fire, a norm that is not there
        return inf


def _pairs(block: Any, stream: Stream, values: dict[str, Any], here: str) -> Iterator[tuple[Tensor, Tensor]]:
    """What the map says of a layer, and what is there."""
    attention, mlp, parallel = LAYER_MAPS[stream]
    before, after, attended = (values[here + point] for point in _STREAM)
    written, read = (next(values[here + each] for each in some if here + each in values) for some in (_WRITTEN, _READ))
    middle = _normed(block, attention.norm_on_sum, before + _normed(block, attention.norm_after, attended))
    into_mlp = before if parallel else middle
    yield _normed(block, mlp.norm_before, into_mlp), read
    yield _normed(block, mlp.norm_on_sum, middle + _normed(block, mlp.norm_after, written)), after


def _normed(block: Any, norm: Norm | None, value: Tensor) -> Tensor:
    """Through the block's own norm; where all norms stand after the parts, the bridge calls them `ln1` and `ln2`."""
    if norm is None:
        return value
    module = getattr(block, norm.name, None) or getattr(block, norm.name.removesuffix("_post"))
    return module.original_component(value)

"""The same architecture with weights as they are before training."""

from copy import deepcopy
from typing import Any

import torch

from interp.models.bridging import build_bridge
from interp.models.hooked import HookedModel


def untrained(model: HookedModel, seed: int = 0) -> HookedModel:
    """A model of the same config, tokenizer and precision whose weights are drawn as its family draws them.

    Of a classifier only the stream is to be read: its head may be another.
    """
    original: Any = model.bridge.original_model
    config = deepcopy(original.config)
    with torch.random.fork_rng([]):
        torch.manual_seed(seed)
        fresh = type(original)(config).to(model.dtype).to(model.device)
    bridge = build_bridge(fresh, model.name)
    for module in (bridge, fresh):
        module.eval().requires_grad_(False)
    return HookedModel(bridge, model.tokenizer, model.architecture, name=f"{model.name}, untrained")

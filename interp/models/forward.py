"""What a bridge is called with."""

from typing import Any

import torch
from transformers import Cache

from interp.core.prompts import Prompts
from interp.models.dims import first_position


def inputs_of(prompts: Prompts, bridge: Any, device: torch.device, cache: Cache | None, *, causal: bool) -> Any:
    """The keyword arguments for these prompts; `cache` holds keys and values of what stands before them."""
    inputs: dict[str, Any] = {"use_cache": cache is not None} if causal else {}
    if cache is not None:
        inputs["past_key_values"] = cache
    # A causal model never looks ahead at padding, and a mask would leave padded queries of a sliding window with no
    # key at all: their softmax is 0 / 0 in float64, which spreads to every position.
    if prompts.is_padded and not causal:
        inputs["attention_mask"] = prompts.mask.to(device, torch.long)
        # Said outright: the bridge would count only what the mask keeps, and move what stands after a hole in it.
        positions = torch.arange(prompts.width, device=device) + first_position(bridge)
        inputs["position_ids"] = positions.expand(prompts.tokens.shape)
    return inputs

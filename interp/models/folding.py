"""Numbers that a model multiplies by between its modules, moved into the weights beside them.

What a layer's parts write, and what the unembedding reads, are then what the sites say, in every family.
"""

from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel

from interp.models.experts import mixture_in


@torch.no_grad()
def fold_multipliers(model: PreTrainedModel, bridge: Any) -> None:
    """Fold what is put on attention's and MLP's output (Granite), and on logits (Granite, Cohere), into the weights."""
    config: Any = model.config
    for block in bridge.blocks:
        layer, parts = block.original_component, (getattr(block, "attn", None), getattr(block, "mlp", None))
        outputs: list[Any] = [getattr(part, name, None) for part, name in zip(parts, ("o", "out"), strict=True)]
        factor = getattr(layer, "residual_multiplier", 1.0)
        mixture = mixture_in(block)
        if factor != 1 and outputs[0] and (outputs[1] or mixture):
            for output in filter(None, outputs):
                _multiply(output.original_component, factor)
            if mixture:
                mixture.multiply(factor)
            layer.residual_multiplier = 1.0
    for owner, name, sign in ((config, "logits_scaling", -1), (model, "logit_scale", 1)):
        factor = getattr(owner, name, None) or 1.0
        if factor != 1 and hasattr(bridge, "ln_final") and not _has_bias(bridge.unembed.original_component):
            _multiply(bridge.ln_final.original_component, factor**sign)
            setattr(owner, name, 1.0)
            setattr(bridge.cfg, name, 1.0)


def _has_bias(module: Any) -> bool:
    return module.bias is not None and bool(module.bias.any())


def _multiply(module: Any, factor: float) -> None:
    for parameter in (module.weight, getattr(module, "bias", None)):
        if isinstance(parameter, Tensor):
            parameter.mul_(factor)

"""What the features of a dictionary write, each apart: their rows, and the factor that a place puts on them."""

from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from interp.dictionaries.sae.attached import Attached


class Written(NamedTuple):
    """What is held = factor · features @ rows + constant + error, in float64."""

    features: Float[Tensor, "batch pos feature"]
    rows: Float[Tensor, "feature width"]
    factor: Float[Tensor, "batch pos one"]
    constant: Float[Tensor, "batch pos width"]
    error: Float[Tensor, "batch pos width"]

    def read(self, along: Float[Tensor, "batch pos width"]) -> Float[Tensor, "batch pos feature"]:
        """What a unit of each feature adds to what `along` reads."""
        return self.factor * (along.to(self.rows) @ self.rows.T)


def written(dictionary: Attached, values: Float[Tensor, "batch pos *width"]) -> Written:
    """A dictionary's account of what its site holds.

    A dictionary that rescales what it reads scales its rows back by a factor of the place, and adds the place's mean:
    the first is `factor`, the second is in `constant`.
    """
    sae: Any = dictionary.sae
    with torch.no_grad():
        features = dictionary.encode(values)
        flat = values.flatten(2).double()
        constant = dictionary.reconstruct(values, torch.zeros_like).flatten(2).double()
        rows = decoder_rows(dictionary)
        factor = _factor(sae.cfg.normalize_activations, flat)
        features = features.double()
        error = flat - factor * (features @ rows) - constant
    return Written(features, rows, factor, constant, error)


def decoder_rows(dictionary: Attached) -> Float[Tensor, "feature width"]:
    """What a unit of each feature writes."""
    sae: Any = dictionary.sae
    rows = sae.W_dec.detach().double()
    is_rescaled = getattr(sae.cfg, "rescale_acts_by_decoder_norm", False)
    return rows / rows.norm(dim=-1, keepdim=True) if is_rescaled else rows


def _factor(normalisation: str, flat: Float[Tensor, "batch pos width"]) -> Float[Tensor, "batch pos one"]:
    if normalisation == "layer_norm":
        return flat.std(-1, keepdim=True)
    if normalisation == "constant_norm_rescale":
        return flat.norm(dim=-1, keepdim=True) / flat.shape[-1] ** 0.5
    return torch.ones_like(flat[..., :1])

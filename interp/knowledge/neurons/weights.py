"""What neurons' weights say by themselves: norms, the cosine of key and value, and twins in other layers."""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from interp.knowledge.neurons.contexts import Neuron
from interp.models.hooked import HookedModel


def weight_facts(model: HookedModel, neurons: list[list[Neuron]]) -> dict[str, np.ndarray]:
    """`batch rank` each: norms of key and value, their cosine, the twin and its cosine."""
    shape, flat = (len(neurons), len(neurons[0])), [each for row in neurons for each in row]
    keys = torch.stack([model.weights.mlp_pre(each.layer).matrix[:, each.index] for each in flat]).double()
    values = torch.stack([model.weights.mlp_out(each.layer).matrix[each.index] for each in flat]).double()
    twins, cosines = _twins(model, flat, values)
    facts = {
        "key_norm": keys.norm(dim=-1),
        "value_norm": values.norm(dim=-1),
        "key_value_cosine": (_unit(keys) * _unit(values)).sum(-1),
        "twin_cosine": cosines,
    }
    shaped = {name: value.cpu().numpy().reshape(shape) for name, value in facts.items()}
    return shaped | {"twin": np.array(twins).reshape(shape)}


def _twins(model: HookedModel, flat: list[Neuron], values: Float[Tensor, "neuron d_model"]) -> tuple[list[str], Tensor]:
    best = torch.full((len(flat),), -torch.inf, dtype=torch.float64, device=values.device)
    twins, unit = [""] * len(flat), _unit(values)
    own = torch.tensor([each.layer for each in flat], device=values.device)
    for layer in range(model.dims.layers):
        others = _unit(model.weights.mlp_out(layer).matrix.double())
        cosines = torch.nan_to_num(unit @ others.T, nan=-torch.inf)
        cosine, index = cosines.max(-1)
        cosine[own == layer] = -torch.inf
        for at in (cosine > best).nonzero().flatten().tolist():
            best[at], twins[at] = cosine[at], str(Neuron(layer, int(index[at])))
    return twins, torch.where(best.isfinite(), best, torch.nan)


def _unit(rows: Float[Tensor, "row d_model"]) -> Float[Tensor, "row d_model"]:
    """NaN where there is nothing."""
    return rows / rows.norm(dim=-1, keepdim=True)

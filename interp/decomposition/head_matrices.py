"""What heads write to the stream and read from it, as matrices from the weights alone.

Everything linear around a head is in them: the factors of the norms that it reads through, LayerNorm's subtraction of
the mean (from what is written too: no norm lets it pass), the factor of a norm after attention, and the rotation of
queries against keys. Biases and the norms' divisors are not: a divisor scales all of what a head reads or writes.
"""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from interp.core.prompts import Prompts
from interp.models.attention import repeat_kv
from interp.models.hooked import HookedModel
from interp.models.sites import Site


class Written(NamedTuple):
    """The singular values of every head's W_V W_O, strongest first, and the directions of the stream that belong to
    them: rows, orthonormal for each head."""

    strength: Float[Tensor, "head component"]
    direction: Float[Tensor, "head component d_model"]


def written(model: HookedModel, layer: int) -> Written:
    """What every head of a layer makes of what it attends to."""
    values = _far(_reading(model, layer, "v"))
    basis, outer = torch.linalg.qr(_output(model, layer).mT)
    core = repeat_kv(values, model.dims.heads, 0) @ outer.mT
    _, strength, rotation = torch.linalg.svd(core, full_matrices=False)
    return Written(strength, rotation @ basis.mT)


def attending(
    model: HookedModel, layer: int, turn: Float[Tensor, "*head d_head d_head"]
) -> Float[Tensor, "head component"]:
    """The singular values of every head's W_Q turn W_Kᵀ, strongest first: how it chooses what it attends to."""
    query, key = (_reading(model, layer, name).double() for name in "qk")
    outer, inner = (torch.linalg.qr(each, mode="r").R for each in (query @ turn.double(), key))
    return torch.linalg.svdvals(outer @ repeat_kv(inner, model.dims.heads, 0).mT)


def read(
    model: HookedModel, layer: int, turn: Float[Tensor, "*head d_head d_head"]
) -> Float[Tensor, "receiver d_model rank"]:
    """What the queries of every head, then the keys and the values of every KV head, read of the stream.

    Each is a thin matrix B with the B Bᵀ of the whole one (W_Q turn W_Kᵀ for queries, its transpose for keys, W_V W_O
    for values), and so with the same norm of any product. Heads that share keys and values are read together there:
    the B Bᵀ of a KV head is the sum over its query heads.
    """
    query, key, value = (_reading(model, layer, name) for name in "qkv")
    group = len(query) // len(key)
    by_query = query @ turn @ repeat_kv(_far(key).mT, model.dims.heads, 0)
    by_key = key @ _far(_stack_groups(query @ turn, group)).mT
    by_value = value @ _far(_stack_groups(_output(model, layer).mT, group)).mT
    return torch.cat([by_query, by_key, by_value])


def turns(model: HookedModel, offset: int) -> list[Float[Tensor, "*head d_head d_head"]]:
    """For every layer what stands between a query and a key `offset` positions before it: score = query @ turn @ key.

    The rotation by the model's own cosines and sines, and the factors of norms on queries and keys, each head's where
    these differ.
    """
    layers, one = range(model.dims.layers), torch.eye(model.dims.d_head, device=model.device, dtype=_dtype(model))
    matrices = [one] * len(layers)
    if model.has("rot_cos"):
        prompts = Prompts.of_tokens(model, [[0] * (offset + 1)])
        with torch.no_grad():
            trace = model.record(prompts, [*model.sites("rot_cos"), *model.sites("rot_sin")])
        for layer in layers:
            cos, sin = (trace[Site(name, layer)].to(one) for name in ("rot_cos", "rot_sin"))
            rotations = model.rotated(one.expand(1, offset + 1, -1, -1), cos, sin)[0]
            matrices[layer] = rotations[offset] @ rotations[0].mT
    if model.has("q_norm_out"):
        for layer in layers:
            query, key = (model.weights.norm(name, layer)[0].to(one) for name in ("q_norm", "k_norm"))
            if key.dim() == 2:  # each head has its own
                key = repeat_kv(key, model.dims.heads, 0)
            matrices[layer] = query[..., None] * matrices[layer] * key[..., None, :]
    return matrices


def _reading(model: HookedModel, layer: int, name: str) -> Float[Tensor, "head d_model d_head"]:
    """A projection with the norm before it."""
    matrix, norm = model.weights.projection(name, layer).matrix, model.layer_map.attention.norm_before
    if norm is None:
        return matrix.to(_dtype(model))
    matrix = (model.weights.norm(norm.name, layer)[0][:, None] * matrix).to(_dtype(model))
    return model.centred(matrix.mT).mT


def _output(model: HookedModel, layer: int) -> Float[Tensor, "head d_head d_model"]:
    """W_O with the norm after it, and with what norms that read the stream subtract of it."""
    matrix = model.weights.output(layer).to(_dtype(model))
    after = model.layer_map.attention.norm_after
    if after is not None:
        matrix = matrix * model.weights.norm(after.name, layer)[0].to(matrix)
    return model.centred(matrix)


def _stack_groups(matrices: Float[Tensor, "head row column"], group: int) -> Float[Tensor, "kv_head rows column"]:
    """The matrices of the heads that share keys and values, one above the other."""
    return matrices.unflatten(0, (-1, group)).flatten(1, 2)


def _far(matrices: Float[Tensor, "head row column"]) -> Float[Tensor, "head column column"]:
    """A small R with Rᵀ R = Mᵀ M: all that a norm of a product sees of the matrix M at its end."""
    energy, turn = torch.linalg.eigh((matrices.mT @ matrices).double())  # quicker than QR, whatever the rank
    return (energy.clamp(min=0).sqrt()[:, :, None] * turn.mT).to(matrices)


def _dtype(model: HookedModel) -> torch.dtype:
    return torch.promote_types(model.dtype, torch.float32)

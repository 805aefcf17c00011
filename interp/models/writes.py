"""What every sender writes to the residual stream, so that what is read anywhere is the sum of what was written."""

import torch
from jaxtyping import Float
from torch import Tensor

from interp.core.errors import SiteError
from interp.core.graph import EMBED, Block, ComputationGraph
from interp.core.nodes import Node
from interp.models.hooked import HookedModel, Trace
from interp.models.sites import Site


def require_node(model: HookedModel, node: Node) -> None:
    """Raises: SiteError for a head, MLP or expert that the model lacks."""
    layers, heads, experts = model.dims.layers, model.dims.heads, model.dims.experts
    if node.layer >= layers or node.index >= (experts if node.kind == "E" else heads):
        there = f", experts from 0 to {experts - 1}" if experts else ""
        raise SiteError(
            f"{model.name} has no node {node}; layers run from 0 to {layers - 1}, heads from 0 to {heads - 1}{there}"
        )


def graph_of(model: HookedModel) -> ComputationGraph:
    """The model's computation graph."""
    dims, layers = model.dims, model.layer_map
    joint = layers.attention.norm_after is not None
    return ComputationGraph(
        dims.layers, dims.heads, dims.kv_heads, parallel=layers.parallel, joint=joint, experts=dims.experts
    )


def graph_obstacle(model: HookedModel) -> str | None:
    """Why what a receiver of this model reads is not a sum of what was written; None if it is."""
    if model.layer_map.attention.norm_on_sum:
        return "it normalises the residual stream itself, so receivers do not read a sum over heads and MLPs"
    edited = ("resid_pre", "q", "k", "v", "attn_write", model.layer_map.mlp.reads, "mlp_write", "ln_final_in")
    return model.obstacle("layers", "unembedding") or next(
        filter(None, (model.edit_obstacle(model.sites(name)[0]) for name in edited)), None
    )


def read_site(model: HookedModel, block: Block) -> Site:
    """Where to record what the receivers of a block read."""
    if block.part == "logits":
        return Site("ln_final_in")
    return Site(getattr(model.layer_map, block.part).stream, block.layer)


def write_sites(model: HookedModel) -> list[Site]:
    """The sites to record for `writes`."""
    return [Site("resid_pre", 0), *model.sites("z"), *model.sites(mlp_write(model))]


def writes(model: HookedModel, trace: Trace) -> dict[Block, Float[Tensor, "sender batch pos d_model"]]:
    """What every sender wrote in a run that recorded `write_sites`, block by block in the graph's order."""
    by_block = {EMBED: trace[Site("resid_pre", 0)][None]}
    for layer in range(model.dims.layers):
        by_block[Block("attention", layer)] = head_writes(model, layer, trace[Site("z", layer)])
        by_block[Block("mlp", layer)] = mlp_writes(trace[Site(mlp_write(model), layer)])
    return by_block


def mlp_write(model: HookedModel) -> str:
    """The site of what an MLP's senders write: the MLP itself, or its experts."""
    return "expert_write" if model.dims.experts else "mlp_write"


def mlp_writes(value: Float[Tensor, "batch pos *expert d_model"]) -> Float[Tensor, "sender batch pos d_model"]:
    """What that site holds, a sender a row."""
    return value[None] if value.dim() == 3 else value.movedim(2, 0)


def head_writes(
    model: HookedModel, layer: int, z: Float[Tensor, "batch pos head d_head"]
) -> Float[Tensor, "head batch pos d_model"]:
    """What each head adds to the stream; where attention has a norm of its own, with the divisor of the heads' sum."""
    out = torch.einsum("bphd,hdm->hbpm", z, model.weights.output(layer))
    norm = model.layer_map.attention.norm_after
    if norm is None:
        return out
    total = out.sum(0)
    after = model.weights.normalised(norm, layer, total)
    return out * torch.where(total == 0, 0, after / torch.where(total == 0, 1, total))

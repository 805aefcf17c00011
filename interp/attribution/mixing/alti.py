"""ALTI: how much of each position's state after attention came from each source position."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from interp.attribution.mixing.matrices import row_normalised
from interp.decomposition.linear_readout import FrozenNorm
from interp.models.attention import repeat_kv
from interp.models.hooked import HookedModel, Trace
from interp.models.layer_map import Norm
from interp.models.sites import Site


def layer_mixing(
    model: HookedModel, trace: Trace, layer: int, chunk_numbers: int
) -> Float[Tensor, "batch query_pos key_pos"]:
    """One layer's contributions max(0, ‖y_i‖₁ − ‖y_i − T_i(x_j)‖₁), each row divided by its sum.

    T_i(x_j) is a vector for every pair of positions; queries are taken in chunks of at most `chunk_numbers` numbers.
    Source: Ferrando et al. 2022, section 3.
    """
    block = _Block.of(model, trace, layer)
    batch, _, width, d_model = block.outputs.shape
    chunk = max(1, chunk_numbers // (batch * width * d_model))
    rows = [_contributions(block, slice(first, first + chunk), model.is_causal) for first in range(0, width, chunk)]
    return row_normalised(torch.cat(rows, dim=1))


@dataclass(frozen=True)
class _Block:
    """What one layer's attention sends between positions, and what stands there before and after."""

    pattern: Float[Tensor, "batch head query_pos key_pos"]
    outputs: Float[Tensor, "batch head key_pos d_model"]  # values through W_O, with their share of the value bias
    before: Float[Tensor, "batch pos d_model"]
    after: Float[Tensor, "batch pos d_model"]
    own_norm: FrozenNorm | None  # on attention's output alone
    stream_norm: FrozenNorm | None  # on its sum with the residual

    @classmethod
    def of(cls, model: HookedModel, trace: Trace, layer: int) -> "_Block":
        dtype = torch.promote_types(model.dtype, torch.float32)

        def site(name: str) -> Tensor:
            return trace[Site(name, layer)].to(dtype)

        values = repeat_kv(site("v"), model.dims.heads)
        attention = model.layer_map.attention

        def norm(of: Norm | None) -> FrozenNorm | None:
            return FrozenNorm.of(model, of.name, layer, site(of.scale)) if of else None

        return cls(
            site("pattern"),
            torch.einsum("bkhd,hdm->bhkm", values, model.weights.output(layer).to(dtype)),
            site("resid_pre"),
            site("resid_mid") if attention.norm_on_sum else site("resid_pre") + site("attn_write"),
            norm(attention.norm_after),
            norm(attention.norm_on_sum),
        )


def _contributions(block: _Block, queries: slice, causal: bool) -> Float[Tensor, "batch query_pos key_pos"]:
    width = block.pattern.shape[-1]
    keys = min(queries.stop, width) if causal else width
    messages = torch.einsum("bhqk,bhkm->bqkm", block.pattern[:, :, queries, :keys], block.outputs[:, :, :keys])
    if block.own_norm is not None:
        messages = _at(block.own_norm, queries).sent(messages)
    own = torch.arange(width, device=messages.device)[queries]
    messages[:, own - queries.start, own] += block.before[:, queries]
    if block.stream_norm is not None:
        messages = _at(block.stream_norm, queries).sent(messages)
    after = block.after[:, queries, None]
    contributions = after.abs().sum(-1) - messages.sub_(after).abs_().sum(-1)
    return torch.nn.functional.pad(contributions.clamp(min=0), (0, width - keys))


def _at(norm: FrozenNorm, queries: slice) -> FrozenNorm:
    """The norm of some queries, for what is sent to each from every key."""
    return norm._replace(gain=norm.gain[:, queries, None])

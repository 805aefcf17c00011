"""Running the compiled shape with edges, each row its own, that carry what their senders wrote on another input.

The gradient goes through both runs: only so can a penalty on an edge outside the circuit make its sender write less,
and not merely its receiver look away.
"""

from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from interp.core.graph import ComputationGraph
from interp.models.compiled import CompiledConfig, CompiledForCausalLM


class Run(NamedTuple):
    """What every sender wrote, in the order of the graph's senders, and the logits."""

    wrote: Float[Tensor, "row sender pos d_model"]
    logits: Float[Tensor, "row pos vocab"]

    @property
    def answers(self) -> Int[Tensor, "row pos"]:
        """The tokens of the largest logits."""
        return self.logits.argmax(-1)


def graph_of(config: CompiledConfig) -> ComputationGraph:
    """The senders and receivers of a model of that shape."""
    return ComputationGraph(config.num_hidden_layers, config.num_attention_heads, config.num_attention_heads)


def run(
    model: CompiledForCausalLM,
    tokens: Int[Tensor, "row pos"],
    other: Run | None = None,
    exchanged: Float[Tensor, "row receiver sender"] | None = None,
) -> Run:
    """The model on `tokens`; edges that are 1 in `exchanged` carry what their senders wrote in the run `other`.

    Nobody attends to positions that hold the padding token.
    """
    config, trunk = model.config, model.transformer
    heads, size = config.num_attention_heads, config.head_dim
    stream = trunk.wte(tokens) + trunk.wpe.weight[: tokens.shape[1]]
    wrote, hidden, first = [stream[:, None]], _hidden(config, tokens, stream.dtype), 0

    def read(count: int) -> Tensor:
        """What each of the next `count` receivers reads."""
        nonlocal first
        receivers, first = slice(first, first + count), first + count
        if other is None or exchanged is None:
            return stream[:, None].expand(-1, count, -1, -1)
        now = torch.cat(wrote, 1)
        differences = (other.wrote[:, : now.shape[1]] - now).flatten(2)
        shifts = exchanged[:, receivers, : now.shape[1]] @ differences
        return stream[:, None] + shifts.unflatten(2, stream.shape[1:])

    for block in trunk.h:
        attention: Any = block.attn
        weights = torch.stack([attention.q_proj.weight, attention.k_proj.weight, attention.v_proj.weight])
        projected = torch.einsum("brtd,red->brte", read(3 * heads), weights.view(3 * heads, size, -1))
        q, k, v = projected.unflatten(1, (3, heads)).unbind(1)
        mixed = (q @ k.transpose(-1, -2) + hidden).softmax(-1) @ v
        wrote.append(torch.einsum("bhte,dhe->bhtd", mixed, attention.out_proj.weight.view(-1, heads, size)))
        stream = stream + wrote[-1].sum(1)
        mlp: Any = block.mlp
        wrote.append(mlp(read(1)))
        stream = stream + wrote[-1][:, 0]
    return Run(torch.cat(wrote, 1), model.lm_head(read(1)[:, 0]))


def _hidden(config: CompiledConfig, tokens: Tensor, dtype: torch.dtype) -> Float[Tensor, "row 1 pos pos"]:
    """What is added to scores: next to minus infinity where a position does not see another."""
    width = tokens.shape[1]
    sees = (tokens != config.pad_token_id)[:, None, None].expand(-1, 1, width, -1)
    if config.is_causal:
        sees = sees & torch.ones(width, width, dtype=torch.bool, device=tokens.device).tril()
    return torch.zeros(sees.shape, dtype=dtype, device=tokens.device).masked_fill(~sees, torch.finfo(dtype).min)

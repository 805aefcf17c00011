"""Attention computed in the open where the bridge leaves it to Hugging Face's modules, whose insides no hook sees."""

from typing import Any

import torch
from torch import Tensor
from transformer_lens.hook_points import HookPoint
from transformers.models.codegen.modeling_codegen import CodeGenAttention
from transformers.models.gpt_neo.modeling_gpt_neo import GPTNeoSelfAttention
from transformers.models.gptj.modeling_gptj import GPTJAttention
from transformers.models.opt.modeling_opt import OPTAttention

from interp.models.attention import rotate
from interp.models.small import SmallAttention


def open_up(attention: Any) -> None:
    """Let queries, keys, scores and patterns of such an attention pass through their hooks."""
    plain: Any = getattr(attention, "original_component", None)
    kinds = GPTJAttention | GPTNeoSelfAttention | OPTAttention | CodeGenAttention | SmallAttention
    if not isinstance(plain, kinds):
        return
    inner: Any = plain
    if not hasattr(inner, "scaling"):  # what some divide by, and GPT-Neo not at all
        inner.scaling = 1 / float(getattr(inner, "scale_attn", 1.0))
    if hasattr(plain, "embed_positions") or (isinstance(plain, SmallAttention) and plain.rotates):
        attention.hook_cos, attention.hook_sin = HookPoint(), HookPoint()
    attention.__dict__["forward"] = lambda *args, **kwargs: _attend(attention, *args, **kwargs)


def _attend(
    attention: Any,
    hidden_states: Tensor,
    *args: Any,
    attention_mask: Tensor | None = None,
    position_ids: Tensor | None = None,
    **kwargs: Any,
) -> Any:
    plain, hidden = attention.original_component, attention.hook_in(hidden_states)
    query, key, value = (getattr(attention, name)(hidden).unflatten(-1, (-1, plain.head_dim)) for name in "qkv")
    if isinstance(plain, SmallAttention):
        key, value = plain.shifted(key, "k"), plain.shifted(value, "v")
    if hasattr(attention, "hook_cos"):
        cos, sin = _rotation(plain, position_ids, hidden.dtype)
        cos, sin = attention.hook_cos(cos), attention.hook_sin(sin)
        query, key = rotate(query, cos, sin, "neighbours"), rotate(key, cos, sin, "neighbours")
    query, key, value = (each.transpose(1, 2) for each in (query, key, value))
    if hasattr(attention, "hook_cos"):
        query, key = attention.hook_rot_q(query), attention.hook_rot_k(key)
    wide = torch.promote_types(hidden.dtype, torch.float32)
    scores = query.to(wide) @ key.to(wide).transpose(-1, -2) * plain.scaling
    if isinstance(plain, GPTNeoSelfAttention):  # some of whose layers see a window only
        seen = plain.bias[:, :, : scores.shape[-1], : scores.shape[-1]]
        scores = scores.masked_fill(~seen, torch.finfo(wide).min)
    scores = attention._apply_reconstruct_attention_mask(scores, attention_mask, scores.shape[-1])
    scores = attention.hook_attn_scores(scores)
    pattern = plain.pattern(scores) if isinstance(plain, SmallAttention) else scores.softmax(-1)
    pattern = attention.hook_pattern(pattern.to(value.dtype))
    out = attention.o((pattern @ value).transpose(1, 2).flatten(2))
    return attention.hook_out(out), pattern


def _rotation(plain: Any, positions: Any, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Cosines and sines, every pair's twice, by halves."""
    if isinstance(plain, SmallAttention):
        return plain.rotation(positions, dtype)
    parts = plain.embed_positions.to(positions.device)[positions].to(dtype).chunk(2, -1)
    sin, cos = (torch.cat([part, part], -1) for part in parts)
    return cos, sin

"""Wrapping a loaded Hugging Face model in transformer-lens' bridge, and the places where the bridge needs help."""

import functools
import traceback
import types
from math import isclose
from typing import Any

import torch
from torch import Tensor
from transformer_lens.conversion_utils.conversion_steps import RearrangeTensorConversion
from transformer_lens.conversion_utils.conversion_steps.base_tensor_conversion import BaseTensorConversion
from transformer_lens.factories.architecture_adapter_factory import ArchitectureAdapterFactory
from transformer_lens.model_bridge import TransformerBridge
from transformer_lens.model_bridge.generalized_components import (
    JointQKVAttentionBridge,
    JointQKVPositionEmbeddingsAttentionBridge,
    PositionEmbeddingsAttentionBridge,
)
from transformer_lens.model_bridge.generalized_components.normalization import NormalizationBridge
from transformer_lens.model_bridge.sources import build_bridge_from_module
from transformers import PreTrainedModel
from transformers.models.cohere.modeling_cohere import CohereAttention
from transformers.models.cohere2.modeling_cohere2 import Cohere2Attention
from transformers.models.gemma3.modeling_gemma3 import Gemma3Attention
from transformers.models.gpt_neox.modeling_gpt_neox import GPTNeoXAttention

from interp.core.errors import ModelError, SiteError
from interp.models.adapters import ADAPTERS
from interp.models.attending import open_up
from interp.models.experts import mixtures_of
from interp.models.folding import fold_multipliers


def build_bridge(model: PreTrainedModel, name: str) -> TransformerBridge:
    """The bridge around `model`, whose weights it shares. Raises: ModelError if the architecture is unknown to it."""
    architecture = type(model).__name__
    for module in model.modules():
        if isinstance(module, GPTNeoXAttention) and module.query_key_value.bias is None:  # which the bridge asks for
            fused = module.query_key_value
            fused.bias = torch.nn.Parameter(fused.weight.new_zeros(fused.out_features), requires_grad=False)
    if architecture in ADAPTERS:
        ArchitectureAdapterFactory.register_adapter(architecture, ADAPTERS[architecture])
    try:
        bridge = build_bridge_from_module(model, architecture, hf_config=model.config, model_name=name)
    except Exception as error:  # the bridge raises many kinds for an architecture that it cannot map
        reason = str(error) or f"{type(error).__name__} in {traceback.extract_tb(error.__traceback__)[-1].line}"
        raise ModelError(f"{name} is a {architecture}, which cannot be hooked ({reason})") from error
    for norm in bridge.modules():
        if isinstance(norm, NormalizationBridge):
            _complete_norm(norm)
            _norm_once(norm)
    for block in getattr(bridge, "blocks", ()):
        _complete_attention(getattr(block, "attn", None), model, bridge.cfg)
    _take_experts_apart(bridge)
    bridge.clear_hook_registry()  # which is filled again as it is asked for, with the hooks that were added
    bridge._initialize_hook_registry()
    if not getattr(model.config, "do_layer_norm_before", True):  # OPT-350m norms after it has put positions back
        for block in bridge.blocks:
            for point in (block.ln2.hook_in, block.ln2.hook_scale, block.ln2.hook_out):
                point.hook_conversion = None
    if hasattr(bridge, "blocks"):
        fold_multipliers(model, bridge)
    return bridge


def _take_experts_apart(bridge: Any) -> None:
    """Give every MLP that is a mixture of experts, as its `mixture`, hook points for what the bridge leaves whole."""
    mlps = [getattr(block, "mlp", None) for block in getattr(bridge, "blocks", ())]
    for mlp, mixture in zip(mlps, mixtures_of(mlps), strict=False):
        mlp.__dict__["mixture"] = mixture
        for name, point in mixture.points.items():
            setattr(mlp, f"hook_{name}", point)


def _complete_norm(norm: NormalizationBridge) -> None:
    """The config's number, of which the bridge does not know every name, weights where there are none, and shapes."""
    plain: Any = norm.original_component
    if norm.config is not None and hasattr(plain, "eps"):
        norm.config.eps = plain.eps
    if hasattr(plain, "normalized_shape") and not hasattr(plain, "weight"):  # OLMo
        plain.register_buffer("weight", torch.ones(plain.normalized_shape), persistent=False)
    if norm.hook_scale.hook_conversion is None:
        norm.hook_scale.hook_conversion = norm.hook_in.hook_conversion


def _norm_once(norm: NormalizationBridge) -> None:
    """What the bridge computes beside the Hugging Face norm, it computes for hooks: without any, the norm is all."""
    points, both = (norm.hook_scale, norm.hook_normalized), norm._hf_autograd_forward_with_hooks
    plain: Any = norm.original_component

    def forward(x: Tensor) -> Tensor:
        watched = any(point._forward_hooks or point._backward_hooks for point in points)
        return both(x) if watched else plain(x).to(x.dtype)

    norm.__dict__["_hf_autograd_forward_with_hooks"] = forward


def _complete_attention(attention: Any, model: PreTrainedModel, cfg: Any) -> None:
    plain: Any = getattr(attention, "original_component", None)
    if isinstance(attention, JointQKVPositionEmbeddingsAttentionBridge):
        _complete_fused_attention(attention, model.dtype)
    elif isinstance(attention, JointQKVAttentionBridge) and hasattr(plain, "scaling"):
        _scale_fused_attention(attention, plain.scaling, cfg)
    for point in (getattr(attention, "hook_rot_q", None), getattr(attention, "hook_rot_k", None)):
        if point is not None:  # OLMo's rotation in float32 ends in the model's precision
            point.__dict__["forward"] = lambda rotated: rotated.to(model.dtype)
    if getattr(attention, "rope_optional", False) and not _rotates(attention):
        attention.__dict__["forward"] = functools.partial(_attend_unrotated, attention)
    open_up(attention)
    if isinstance(plain, CohereAttention | Cohere2Attention):  # whose sites say by halves what neighbours turn by
        _pair_neighbours(attention)
    if isinstance(plain, Gemma3Attention):  # its config names a soft cap that only Gemma 2 applies
        plain.attn_logit_softcapping = None
    for which in ("q_norm", "k_norm"):
        _complete_head_norm(getattr(attention, which, None), cfg.d_head)


def _pair_neighbours(attention: Any) -> None:
    fire, attention.config.rotary_adjacent_pairs = attention._apply_position_embedding_hooks, True

    def by_halves(parts: tuple[Tensor, Tensor]) -> Any:
        return fire(tuple(torch.cat([part[..., ::2]] * 2, -1) for part in parts))

    attention._apply_position_embedding_hooks = by_halves


def _complete_head_norm(norm: Any, d_head: int) -> None:
    """Most families that norm queries and keys norm them heads first; OLMo 2 norms all heads at once."""
    plain: Any = getattr(norm, "original_component", None)
    shape = getattr(plain, "weight", torch.empty(())).shape
    if len(shape) == 2 and shape[1] == d_head:  # each head its own (Command R+), where the bridge has positions last
        plain.weight = torch.nn.Parameter(plain.weight.unsqueeze(1), requires_grad=False)
    if len(shape) in (1, 2) and shape[-1] == d_head:
        for point in (norm.hook_in, norm.hook_scale, norm.hook_out):
            point.hook_conversion = RearrangeTensorConversion("batch head pos d -> batch pos head d")
    elif len(shape) == 1 and shape[0] % d_head == 0:
        for point in (norm.hook_in, norm.hook_out):
            point.hook_conversion = RearrangeTensorConversion("batch pos (head d) -> batch pos head d", d=d_head)
        norm.hook_scale.hook_conversion = _OneForAllHeads(shape[0] // d_head)


class _OneForAllHeads(BaseTensorConversion):
    """A number that all heads share, shown with each of them."""

    def __init__(self, heads: int) -> None:
        super().__init__()
        self.heads = heads

    def handle_conversion(self, input_value: Tensor, *full_context: Any) -> Tensor:
        """`batch pos one` with an axis of heads."""
        return input_value.unsqueeze(2).expand(-1, -1, self.heads, -1)

    def revert(self, input_value: Tensor, *full_context: Any) -> Tensor:
        """Without it. Raises: SiteError if the heads' numbers are not the same."""
        if (input_value != input_value[:, :, :1]).any():
            raise SiteError("the divisor of this norm is the same for all heads; edit it for all of them alike")
        return input_value[:, :, 0]


def _rotates(attention: Any) -> bool:
    """Whether an attention of a family that rotates in some layers only is one of those."""
    if hasattr(attention, "_is_nope_layer"):
        return not attention._is_nope_layer()
    return bool(getattr(attention.original_component, "use_rope", True))


def _attend_unrotated(attention: Any, *args: Any, **kwargs: Any) -> Any:
    """Attention that turns nothing, by cosines of 1 and sines of 0, which its sites show."""
    cos, sin = kwargs.pop("position_embeddings")
    parts = torch.ones_like(cos), torch.zeros_like(sin)
    return PositionEmbeddingsAttentionBridge.forward(attention, *args, position_embeddings=parts, **kwargs)


def _scale_fused_attention(attention: Any, scaling: float, cfg: Any) -> None:
    """Scores are scaled as the Hugging Face model scales them; the bridge's rule (GPT-2) knows one setting of two."""
    by_layer = attention._layer_idx + 1 if getattr(cfg, "scale_attn_by_inverse_layer_idx", False) else 1
    factor = scaling * cfg.d_head**0.5 * by_layer
    if isclose(factor, 1):
        return
    reshape = attention._reshape_qkv_to_heads

    def split_and_scale(*args: Any) -> Any:
        query, *rest = reshape(*args)
        return query * factor, *rest

    attention._reshape_qkv_to_heads = split_and_scale


def _complete_fused_attention(attention: Any, dtype: Any) -> None:
    """Two repairs of the bridge's fused-QKV rotary attention (GPT-NeoX).

    Rotated queries and keys pass through their hooks, which it has and does not use; and its softmax runs in float32,
    as the Hugging Face model's does, so that float64 logits are the same.
    """
    rotate = attention._apply_rotary_pos_emb
    softmax = attention._softmax_dropout_pattern
    attention._softmax_dropout_pattern = functools.partial(softmax, upcast_to_fp32=True, target_dtype=dtype)

    def rotate_and_fire(self: Any, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        query, key = rotate(*args, **kwargs)
        return self.hook_rot_q(query), self.hook_rot_k(key)

    attention._apply_rotary_pos_emb = types.MethodType(rotate_and_fire, attention)

"""Wrapping a loaded Hugging Face model in transformer-lens' bridge, and the places where the bridge needs help."""

import functools
import traceback
import types
from math import isclose
from typing import Any

from torch import Tensor
from transformer_lens.conversion_utils.conversion_steps import RearrangeTensorConversion
from transformer_lens.factories.architecture_adapter_factory import ArchitectureAdapterFactory
from transformer_lens.model_bridge import TransformerBridge
from transformer_lens.model_bridge.generalized_components import (
    JointQKVAttentionBridge,
    JointQKVPositionEmbeddingsAttentionBridge,
)
from transformer_lens.model_bridge.generalized_components.normalization import NormalizationBridge
from transformer_lens.model_bridge.generalized_components.unembedding import UnembeddingBridge
from transformer_lens.model_bridge.sources import build_bridge_from_module
from transformer_lens.model_bridge.supported_architectures.bert import BertArchitectureAdapter
from transformers import PreTrainedModel
from transformers.models.gemma3.modeling_gemma3 import Gemma3Attention

from interp.core.errors import ModelError


class BertClassifierAdapter(BertArchitectureAdapter):
    """BERT with a sequence-classification head, which the bridge's own adapter does not know."""

    def prepare_model(self, hf_model: Any) -> None:
        """Put the classifier where the masked-LM head would be."""
        super().prepare_model(hf_model)
        for name in ("mlm_head", "ln_final"):
            self.components.pop(name, None)
        self.components["unembed"] = UnembeddingBridge(name="classifier")


def build_bridge(model: PreTrainedModel, name: str) -> TransformerBridge:
    """The bridge around `model`, whose weights it shares. Raises: ModelError if the architecture is unknown to it."""
    architecture = type(model).__name__
    ArchitectureAdapterFactory.register_adapter("BertForSequenceClassification", BertClassifierAdapter)
    try:
        bridge = build_bridge_from_module(model, architecture, hf_config=model.config, model_name=name)
    except Exception as error:  # the bridge raises many kinds for an architecture that it cannot map
        reason = str(error) or f"{type(error).__name__} in {traceback.extract_tb(error.__traceback__)[-1].line}"
        raise ModelError(f"{name} is a {architecture}, which cannot be hooked ({reason})") from error
    for norm in bridge.modules():  # each with the config's number, of which the bridge does not know every name
        plain: Any = getattr(norm, "original_component", None)
        if isinstance(norm, NormalizationBridge) and norm.config is not None and hasattr(plain, "eps"):
            norm.config.eps = plain.eps
        if isinstance(norm, NormalizationBridge):
            _norm_once(norm)
    for block in getattr(bridge, "blocks", ()):
        _complete_attention(getattr(block, "attn", None), model, bridge.cfg)
    return bridge


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
    if isinstance(plain, Gemma3Attention):  # its config names a soft cap that only Gemma 2 applies
        plain.attn_logit_softcapping = None
    for which in ("q_norm", "k_norm"):  # most families that have them norm queries and keys heads first
        norm = getattr(attention, which, None)
        if norm is not None and norm.original_component.weight.shape == (cfg.d_head,):
            for point in (norm.hook_in, norm.hook_scale, norm.hook_out):
                point.hook_conversion = RearrangeTensorConversion("batch head pos d -> batch pos head d")


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

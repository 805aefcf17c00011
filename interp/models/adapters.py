"""Adapters of the bridge for families that it does not know, or not in all their configurations."""

from typing import Any

import torch
from transformer_lens.model_bridge.generalized_components import (
    NormalizationBridge,
    PositionEmbeddingsAttentionBridge,
)
from transformer_lens.model_bridge.supported_architectures.cohere import CohereArchitectureAdapter
from transformer_lens.model_bridge.supported_architectures.falcon import FalconArchitectureAdapter
from transformer_lens.model_bridge.supported_architectures.llama import LlamaArchitectureAdapter

from interp.models.encoders import ENCODERS


class HeliumAdapter(LlamaArchitectureAdapter):
    """Llama's layers, whose rotation turns neighbours."""

    def __init__(self, cfg: Any) -> None:
        super().__init__(cfg)
        self.cfg.rotary_adjacent_pairs = True


class FalconAdapter(FalconArchitectureAdapter):
    """Also the new decoder: each group's queries stand before its key and value, and one norm may serve both parts."""

    def __init__(self, cfg: Any) -> None:
        new = getattr(cfg, "new_decoder_architecture", False)
        if new:  # which ignores it
            cfg.multi_query = False
        super().__init__(cfg)
        blocks: Any = self.components["blocks"]
        if new and "ln2" not in blocks.submodules:
            blocks.submodules["ln1"] = NormalizationBridge(name="input_layernorm", config=self.cfg)

    def _split_falcon_qkv(self, original_attention_component: Any) -> tuple[torch.nn.Linear, ...]:
        if not self._is_new_arch:
            return super()._split_falcon_qkv(original_attention_component)
        fused, groups = original_attention_component.query_key_value, self.cfg.n_key_value_heads or self.cfg.n_heads
        size, queries = self.cfg.d_model // self.cfg.n_heads, self.cfg.n_heads // groups
        with torch.no_grad():
            weight = fused.weight.unflatten(0, (groups, queries + 2, size)).split([queries, 1, 1], 1)
            bias = fused.bias if fused.bias is None else fused.bias.unflatten(0, (groups, queries + 2, size))
            biases = [None] * 3 if bias is None else bias.split([queries, 1, 1], 1)
            return tuple(map(_linear, weight, biases))


def _linear(weight: torch.Tensor, bias: torch.Tensor | None) -> torch.nn.Linear:
    weight = weight.flatten(0, 2)
    linear = torch.nn.Linear(*weight.shape[::-1], bias=bias is not None, device="meta")
    linear.weight = torch.nn.Parameter(weight.clone())
    if bias is not None:
        linear.bias = torch.nn.Parameter(bias.flatten().clone())
    return linear


class CohereAdapter(CohereArchitectureAdapter):
    """Also with norms of queries and keys (Command R+)."""

    def __init__(self, cfg: Any) -> None:
        super().__init__(cfg)
        if getattr(cfg, "use_qk_norm", False):
            block: Any = self.components["blocks"].submodules
            norms = {name: NormalizationBridge(name=name, config=self.cfg) for name in ("q_norm", "k_norm")}
            block["attn"] = PositionEmbeddingsAttentionBridge(
                name=block["attn"].name,
                config=self.cfg,
                submodules={**block["attn"].submodules, **norms},
                requires_attention_mask=True,
                requires_position_embeddings=True,
            )


# By the class of the model.
ADAPTERS: dict[str, type] = {
    "CohereForCausalLM": CohereAdapter,
    "FalconForCausalLM": FalconAdapter,
    "HeliumForCausalLM": HeliumAdapter,
} | {name: encoder.adapter() for name, encoder in ENCODERS.items()}

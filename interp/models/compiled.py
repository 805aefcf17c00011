"""The shape of compiled programs: a transformer without norms and biases, which sees ahead where its program does.

GPT-2's but for that: learned positions, ReLU, and an unembedding of its own. Its code is this file; a checkpoint
brings weights only.
"""

from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from transformer_lens.factories.architecture_adapter_factory import ArchitectureAdapterFactory
from transformer_lens.model_bridge.architecture_adapter import ArchitectureAdapter
from transformer_lens.model_bridge.generalized_components import (
    AttentionBridge,
    BlockBridge,
    EmbeddingBridge,
    LinearBridge,
    MLPBridge,
    PosEmbedBridge,
    UnembeddingBridge,
)
from transformers import AutoConfig, AutoModelForCausalLM, PretrainedConfig, PreTrainedModel
from transformers.modeling_outputs import CausalLMOutput


class CompiledConfig(PretrainedConfig):
    """The sizes, the `program`, and whether a position sees only what stands before it."""

    model_type = "compiled"

    program: str | dict[str, Any] = ""
    is_causal: bool = True
    vocab_size: int = 8
    max_position_embeddings: int = 8
    hidden_size: int = 8
    num_hidden_layers: int = 1
    num_attention_heads: int = 1
    head_dim: int = 8
    intermediate_size: int = 8
    hidden_act: str = "relu"
    tie_word_embeddings: bool = False


class CompiledAttention(nn.Module):
    """Softmax of queries times keys, which are not scaled: the program's coldness is in its weights."""

    scaling = 1.0

    def __init__(self, config: CompiledConfig) -> None:
        super().__init__()
        self.head_dim = config.head_dim
        width = config.num_attention_heads * config.head_dim
        self.q_proj, self.k_proj, self.v_proj = (nn.Linear(config.hidden_size, width, bias=False) for _ in "qkv")
        self.out_proj = nn.Linear(width, config.hidden_size, bias=False)

    def forward(self, hidden_states: Tensor, attention_mask: Tensor) -> tuple[Tensor, Tensor]:
        """What the heads write together, and their patterns."""
        q, k, v = (
            projection(hidden_states).unflatten(-1, (-1, self.head_dim)).transpose(1, 2)
            for projection in (self.q_proj, self.k_proj, self.v_proj)
        )
        pattern = (q @ k.transpose(-1, -2) * self.scaling + attention_mask).softmax(-1)
        return self.out_proj((pattern @ v).transpose(1, 2).flatten(2)), pattern


class CompiledMLP(nn.Module):
    """ReLU between two maps."""

    def __init__(self, config: CompiledConfig) -> None:
        super().__init__()
        self.c_fc = nn.Linear(config.hidden_size, config.intermediate_size, bias=False)
        self.c_proj = nn.Linear(config.intermediate_size, config.hidden_size, bias=False)

    def forward(self, hidden_states: Tensor) -> Tensor:
        """What the MLP writes."""
        return self.c_proj(self.c_fc(hidden_states).relu())


class CompiledBlock(nn.Module):
    """Attention, then the MLP, each added to the stream that it reads."""

    def __init__(self, config: CompiledConfig) -> None:
        super().__init__()
        self.attn, self.mlp = CompiledAttention(config), CompiledMLP(config)

    def forward(self, hidden_states: Tensor, attention_mask: Tensor) -> Tensor:
        """The stream after the layer."""
        hidden_states = hidden_states + self.attn(hidden_states, attention_mask=attention_mask)[0]
        return hidden_states + self.mlp(hidden_states)


class CompiledTrunk(nn.Module):
    """Embeddings and layers."""

    def __init__(self, config: CompiledConfig) -> None:
        super().__init__()
        self.wte = nn.Embedding(config.vocab_size, config.hidden_size)
        self.wpe = nn.Embedding(config.max_position_embeddings, config.hidden_size)
        self.h = nn.ModuleList(CompiledBlock(config) for _ in range(config.num_hidden_layers))


class CompiledForCausalLM(PreTrainedModel):
    """A compiled program; the logits of its output's tokens say what it computes at a position."""

    config_class = CompiledConfig
    base_model_prefix = "transformer"
    config: Any

    def __init__(self, config: CompiledConfig) -> None:
        super().__init__(config)
        self.transformer = CompiledTrunk(config)
        self.lm_head = nn.Linear(config.hidden_size, config.vocab_size, bias=True)
        self.post_init()

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        **settings: Any,
    ) -> CausalLMOutput:
        """Logits, `batch pos vocab`."""
        width = input_ids.shape[1]
        if position_ids is None:
            position_ids = torch.arange(width, device=input_ids.device)[None]
        hidden = self.transformer.wte(input_ids) + self.transformer.wpe(position_ids)
        sees = torch.ones(width, width, dtype=torch.bool, device=hidden.device)
        sees = (sees.tril() if self.config.is_causal else sees)[None, None]
        if attention_mask is not None:
            sees = sees & attention_mask.bool()[:, None, None]
        mask = torch.zeros(sees.shape, dtype=hidden.dtype, device=hidden.device)
        mask = mask.masked_fill(~sees, torch.finfo(hidden.dtype).min)
        for block in self.transformer.h:
            hidden = block(hidden, attention_mask=mask)
        return CausalLMOutput(logits=self.lm_head(hidden))


class _BareBlock(BlockBridge):
    """A block without norms, which the bridge's own refuses to be."""


class CompiledArchitectureAdapter(ArchitectureAdapter):
    """Where transformer-lens' bridge finds the parts of a compiled program."""

    def __init__(self, cfg: Any) -> None:
        super().__init__(cfg)
        cfg.normalization_type = "RMS"  # nothing is centred
        cfg.positional_embedding_type = "standard"
        cfg.final_rms = cfg.gated_mlp = cfg.attn_only = False
        cfg.act_fn = "relu"
        heads = {"q": "q_proj", "k": "k_proj", "v": "v_proj", "o": "out_proj"}
        attention: Any = {name: LinearBridge(name=path) for name, path in heads.items()}
        mlp: Any = {"in": LinearBridge(name="c_fc"), "out": LinearBridge(name="c_proj")}
        parts: Any = {
            "attn": AttentionBridge(name="attn", config=cfg, submodules=attention),
            "mlp": MLPBridge(name="mlp", config=cfg, submodules=mlp),
        }
        self.component_mapping = {
            "embed": EmbeddingBridge(name="transformer.wte"),
            "pos_embed": PosEmbedBridge(name="transformer.wpe"),
            "blocks": _BareBlock(
                name="transformer.h",
                config=cfg,
                submodules=parts,
                hook_alias_overrides={"hook_resid_mid": "mlp.hook_in"},
            ),
            "unembed": UnembeddingBridge(name="lm_head"),
        }


@cache
def register() -> None:
    """Tell transformers and transformer-lens of the class."""
    AutoConfig.register(CompiledConfig.model_type, CompiledConfig)
    AutoModelForCausalLM.register(CompiledConfig, CompiledForCausalLM)
    ArchitectureAdapterFactory.register_adapter(CompiledForCausalLM.__name__, CompiledArchitectureAdapter)

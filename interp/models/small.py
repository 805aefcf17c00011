"""Small transformers in every variant that the toys of the literature have; their code is this file.

A checkpoint brings weights only. No map has a bias but the unembedding, where a config asks for one.
"""

from functools import cache
from typing import Any, Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor, nn
from transformer_lens.factories.architecture_adapter_factory import ArchitectureAdapterFactory
from transformer_lens.model_bridge.architecture_adapter import ArchitectureAdapter
from transformer_lens.model_bridge.generalized_components import (
    AttentionBridge,
    BlockBridge,
    EmbeddingBridge,
    GatedMLPBridge,
    LinearBridge,
    MLPBridge,
    NormalizationBridge,
    PosEmbedBridge,
    UnembeddingBridge,
)
from transformers import AutoConfig, AutoModelForCausalLM, PretrainedConfig, PreTrainedModel
from transformers.modeling_outputs import CausalLMOutput

from interp.core.errors import ModelError
from interp.models.attention import rotate

Norm = Literal["none", "rms", "layer"]
Positions = Literal["learned", "rotary", "none"]
Attention = Literal["softmax", "linear", "hard"]
MLP = Literal["relu", "gelu", "gated", "bilinear"]
ACTIVATIONS = {"relu": "relu", "gelu": "gelu", "gated": "silu", "bilinear": "linear"}
_ROTARY_BASE = 10_000.0


class SmallConfig(PretrainedConfig):
    """Sizes and variants.

    `kv_shift`: each head mixes its keys and values with those of the position before. `attention_scale` None is one
    over the root of a head's width.
    """

    model_type = "small"

    vocab_size: int = 8
    max_position_embeddings: int = 8
    hidden_size: int = 8
    num_hidden_layers: int = 1
    num_attention_heads: int = 1
    head_dim: int = 8
    intermediate_size: int = 8
    norm: str = "rms"
    positions: str = "learned"
    attention: str = "softmax"
    mlp: str = "gelu"
    hidden_act: str = "gelu"
    attention_scale: float | None = None
    kv_shift: bool = False
    is_causal: bool = True
    unembedding_bias: bool = False
    tie_word_embeddings: bool = False

    @property
    def rotary_dim(self) -> int:
        """How much of a head the position turns."""
        return self.head_dim if self.positions == "rotary" else 0

    def require_known(self) -> None:
        """Raises: ModelError for a variant that this version does not know."""
        for name, kinds in (("norm", Norm), ("positions", Positions), ("attention", Attention), ("mlp", MLP)):
            if getattr(self, name) not in get_args(kinds):
                raise ModelError(
                    f"the config has {name} = {getattr(self, name)!r}, which is of another version; this one knows "
                    f"{', '.join(get_args(kinds))}"
                )


class SmallAttention(nn.Module):
    """Heads whose patterns are the softmax of queries times keys, these products themselves, or one for the largest."""

    def __init__(self, config: SmallConfig) -> None:
        super().__init__()
        self.config, self.head_dim = config, config.head_dim
        self.scaling = config.head_dim**-0.5 if config.attention_scale is None else config.attention_scale
        width = config.num_attention_heads * config.head_dim
        self.q_proj, self.k_proj, self.v_proj = (nn.Linear(config.hidden_size, width, bias=False) for _ in "qkv")
        self.out_proj = nn.Linear(width, config.hidden_size, bias=False)
        if config.kv_shift:
            self.shift_k, self.shift_v = (nn.Parameter(torch.zeros(2, config.num_attention_heads)) for _ in "kv")

    @property
    def rotates(self) -> bool:
        """Whether positions turn queries and keys."""
        return self.config.positions == "rotary"

    def rotation(self, position_ids: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        """Cosines and sines, `one pos d_head`, every pair's twice, by halves."""
        pairs = torch.arange(0, self.head_dim, 2, device=position_ids.device, dtype=torch.float64) / self.head_dim
        angles = position_ids[..., None] * _ROTARY_BASE**-pairs
        angles = torch.cat([angles, angles], -1)
        return angles.cos().to(dtype), angles.sin().to(dtype)

    def shifted(self, vectors: Float[Tensor, "batch pos head d_head"], which: Literal["k", "v"]) -> Tensor:
        """Keys or values as heads use them. Source: Xu et al. 2024 (KV shifting attention), equation 5."""
        if not self.config.kv_shift:
            return vectors
        here, before = getattr(self, f"shift_{which}")[..., None]
        return here * vectors + before * nn.functional.pad(vectors, (0, 0, 0, 0, 1, 0))[:, :-1]

    def pattern(self, scores: Float[Tensor, "batch head query_pos key_pos"]) -> Tensor:
        """How much of each value is taken; what is not seen has a score next to minus infinity.

        The gradient of hard attention is that of the softmax.
        """
        if self.config.attention == "linear":
            return scores.masked_fill(scores < torch.finfo(scores.dtype).min / 2, 0)
        soft = scores.softmax(-1)
        if self.config.attention == "softmax":
            return soft
        largest = (scores == scores.amax(-1, keepdim=True)).to(soft)
        return largest / largest.sum(-1, keepdim=True) + (soft - soft.detach())

    def forward(self, hidden_states: Tensor, attention_mask: Tensor, position_ids: Tensor) -> tuple[Tensor, Tensor]:
        """What the heads write together, and their patterns."""
        q, k, v = (
            projection(hidden_states).unflatten(-1, (-1, self.head_dim))
            for projection in (self.q_proj, self.k_proj, self.v_proj)
        )
        k, v = self.shifted(k, "k"), self.shifted(v, "v")
        if self.rotates:
            rotation = self.rotation(position_ids, q.dtype)
            q, k = rotate(q, *rotation, "neighbours"), rotate(k, *rotation, "neighbours")
        q, k, v = q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2)
        pattern = self.pattern(q @ k.transpose(-1, -2) * self.scaling + attention_mask)
        return self.out_proj((pattern @ v).transpose(1, 2).flatten(2)), pattern


class SmallMLP(nn.Module):
    """An activation between two maps, or times a third."""

    def __init__(self, config: SmallConfig) -> None:
        super().__init__()
        self.act = nn.Identity() if config.mlp == "bilinear" else getattr(nn, _MODULES[ACTIVATIONS[config.mlp]])()
        neurons = config.intermediate_size
        if config.mlp in ("gated", "bilinear"):
            self.c_gate = nn.Linear(config.hidden_size, neurons, bias=False)
        self.c_fc = nn.Linear(config.hidden_size, neurons, bias=False)
        self.c_proj = nn.Linear(neurons, config.hidden_size, bias=False)

    def forward(self, hidden_states: Tensor) -> Tensor:
        """What the MLP writes."""
        if hasattr(self, "c_gate"):
            return self.c_proj(self.act(self.c_gate(hidden_states)) * self.c_fc(hidden_states))
        return self.c_proj(self.act(self.c_fc(hidden_states)))


_MODULES = {"relu": "ReLU", "gelu": "GELU", "silu": "SiLU"}


def _norm(config: SmallConfig) -> nn.Module:
    kinds = {"none": lambda *_, **__: nn.Identity(), "rms": nn.RMSNorm, "layer": nn.LayerNorm}
    return kinds[config.norm](config.hidden_size, eps=1e-5)


class SmallBlock(nn.Module):
    """Attention, then the MLP, each behind its norm and added to the stream."""

    def __init__(self, config: SmallConfig) -> None:
        super().__init__()
        self.ln_1, self.ln_2 = _norm(config), _norm(config)
        self.attn, self.mlp = SmallAttention(config), SmallMLP(config)

    def forward(self, hidden_states: Tensor, attention_mask: Tensor, position_ids: Tensor) -> Tensor:
        """The stream after the layer."""
        read = self.ln_1(hidden_states)
        hidden_states = hidden_states + self.attn(read, attention_mask=attention_mask, position_ids=position_ids)[0]
        return hidden_states + self.mlp(self.ln_2(hidden_states))


class SmallTrunk(nn.Module):
    """Embeddings and layers."""

    def __init__(self, config: SmallConfig) -> None:
        super().__init__()
        self.wte = nn.Embedding(config.vocab_size, config.hidden_size)
        if config.positions == "learned":
            self.wpe = nn.Embedding(config.max_position_embeddings, config.hidden_size)
        self.h = nn.ModuleList(SmallBlock(config) for _ in range(config.num_hidden_layers))
        self.ln_f = _norm(config)


class SmallForCausalLM(PreTrainedModel):
    """A small transformer that answers with tokens."""

    config_class = SmallConfig
    base_model_prefix = "transformer"
    _tied_weights_keys = {"lm_head.weight": "transformer.wte.weight"}
    config: Any

    def __init__(self, config: SmallConfig) -> None:
        super().__init__(config)
        config.require_known()
        self.transformer = SmallTrunk(config)
        self.lm_head = nn.Linear(config.hidden_size, config.vocab_size, bias=config.unembedding_bias)
        self.post_init()

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        **settings: Any,
    ) -> CausalLMOutput:
        """Logits, `batch pos vocab`, and where `output_attentions` the patterns of each layer."""
        width, trunk = input_ids.shape[1], self.transformer
        if position_ids is None:
            position_ids = torch.arange(width, device=input_ids.device)[None]
        hidden = trunk.wte(input_ids)
        if self.config.positions == "learned":
            hidden = hidden + trunk.wpe(position_ids)
        sees = torch.ones(width, width, dtype=torch.bool, device=hidden.device)
        sees = (sees.tril() if self.config.is_causal else sees)[None, None]
        if attention_mask is not None:
            sees = sees & attention_mask.bool()[:, None, None]
        mask = torch.zeros(sees.shape, dtype=hidden.dtype, device=hidden.device)
        mask = mask.masked_fill(~sees, torch.finfo(hidden.dtype).min)
        for block in trunk.h:
            hidden = block(hidden, attention_mask=mask, position_ids=position_ids)
        return CausalLMOutput(logits=self.lm_head(trunk.ln_f(hidden)))


class _BareBlock(BlockBridge):
    """A block without norms, which the bridge's own refuses to be."""


class SmallArchitectureAdapter(ArchitectureAdapter):
    """Where transformer-lens' bridge finds the parts."""

    def prepare_model(self, model: Any) -> None:
        """Read the variants from the model's own config, of which the bridge's leaves them out."""
        cfg: Any = self.cfg
        norm, positions, mlp = model.config.norm, model.config.positions, model.config.mlp
        gated = mlp in ("gated", "bilinear")
        cfg.normalization_type = "LN" if norm == "layer" else "RMS"  # which centres nothing
        cfg.positional_embedding_type = "rotary" if positions == "rotary" else "standard"
        cfg.rotary_adjacent_pairs, cfg.gated_mlp = positions == "rotary", gated
        cfg.final_rms = cfg.attn_only = False
        cfg.act_fn = ACTIVATIONS[mlp]
        heads = {"q": "q_proj", "k": "k_proj", "v": "v_proj", "o": "out_proj"}
        attention: Any = {name: LinearBridge(name=path) for name, path in heads.items()}
        maps = {"in": "c_fc", "out": "c_proj", **({"gate": "c_gate"} if gated else {})}
        neurons: Any = {name: LinearBridge(name=path) for name, path in maps.items()}
        parts: Any = {
            "attn": AttentionBridge(name="attn", config=cfg, submodules=attention),
            "mlp": (GatedMLPBridge if gated else MLPBridge)(name="mlp", config=cfg, submodules=neurons),
        }
        norms = [] if norm == "none" else [("ln1", "ln_1"), ("ln2", "ln_2")]
        parts |= {name: NormalizationBridge(name=path, config=cfg) for name, path in norms}
        block: Any = (
            BlockBridge(name="transformer.h", config=cfg, submodules=parts)
            if norms
            else _BareBlock(
                name="transformer.h",
                config=cfg,
                submodules=parts,
                hook_alias_overrides={"hook_resid_mid": "mlp.hook_in"},
            )
        )
        self.component_mapping = {
            "embed": EmbeddingBridge(name="transformer.wte"),
            **({"pos_embed": PosEmbedBridge(name="transformer.wpe")} if positions == "learned" else {}),
            "blocks": block,
            **({"ln_final": NormalizationBridge(name="transformer.ln_f", config=cfg)} if norms else {}),
            "unembed": UnembeddingBridge(name="lm_head"),
        }


@cache
def register_small() -> None:
    """Tell transformers and transformer-lens of the class."""
    AutoConfig.register(SmallConfig.model_type, SmallConfig)
    AutoModelForCausalLM.register(SmallConfig, SmallForCausalLM)
    ArchitectureAdapterFactory.register_adapter(SmallForCausalLM.__name__, SmallArchitectureAdapter)

"""A model's sizes."""

from dataclasses import dataclass
from typing import Any

from transformers.tokenization_utils_base import VERY_LARGE_INTEGER

from interp.models.experts import mixture_in

NO_LIMIT = 2**20  # tokens, for a model that names no limit of its own: memory ends before


@dataclass(frozen=True)
class Dims:
    """The model's sizes.

    `experts` counts those of each layer, one that takes every token included, `routed` those that a router chooses
    `routed_to` of; 0 where MLPs are no mixtures. `d_mlp` is then the widest expert's.
    """

    layers: int
    heads: int
    kv_heads: int
    d_model: int
    d_head: int
    d_mlp: int
    vocab: int
    context: int
    experts: int = 0
    routed: int = 0
    routed_to: int = 0

    @property
    def group(self) -> int:
        """How many heads share their keys and values."""
        return self.heads // self.kv_heads

    @property
    def neurons(self) -> int:
        """How many neurons the MLP of a layer has, all experts' side by side."""
        return self.d_mlp * (self.experts or 1)

    @property
    def axes(self) -> dict[str, int]:
        """The size of each axis of a site that is the same for all prompts."""
        return {
            "head": self.heads, "kv_head": self.kv_heads, "d_model": self.d_model, "d_head": self.d_head,
            "d_mlp": self.d_mlp, "expert": self.experts, "routed": self.routed,
        }  # fmt: skip


def first_position(bridge: Any) -> int:
    """The number of the first token's position: that after padding's, where padding has one (RoBERTa)."""
    padding = getattr(getattr(bridge, "pos_embed", None), "original_component", None)
    padding = getattr(padding, "padding_idx", None)
    return 0 if padding is None else padding + 1


def dims_of(bridge: Any, tokenizer: Any) -> Dims:
    """The sizes of a model, by its bridge and its tokenizer."""
    config, cfg = bridge.original_model.config, bridge.cfg
    names, first = ("max_position_embeddings", "max_seq_len", "seq_length"), first_position(bridge)
    limits = [*((getattr(config, name, None) or first) - first for name in names), tokenizer.model_max_length]
    mixture = mixture_in(next(iter(bridge.blocks)))
    return Dims(
        layers=cfg.n_layers,
        heads=cfg.n_heads,
        kv_heads=getattr(cfg, "n_key_value_heads", None) or cfg.n_heads,
        d_model=cfg.d_model,
        d_head=cfg.d_head,
        d_mlp=mixture.sizes.width if mixture else cfg.d_mlp or 4 * cfg.d_model,
        vocab=config.vocab_size,
        context=min((limit for limit in limits if limit and limit < VERY_LARGE_INTEGER), default=NO_LIMIT),
        experts=mixture.sizes.count if mixture else 0,
        routed=mixture.sizes.routed if mixture else 0,
        routed_to=mixture.sizes.routed_to if mixture else 0,
    )

"""The settings of an ordinary small transformer, and its untrained weights."""

from typing import Any

import torch
from pydantic import Field
from pydantic.dataclasses import dataclass
from torch import nn

from interp.core.errors import OptionError
from interp.models.small import ACTIVATIONS, Attention, Norm, Positions, SmallConfig, SmallForCausalLM


@dataclass(frozen=True)
class SmallModel:
    """A small transformer's sizes and variants; an MLP that is `none` is one neuron of zeros, which stay zeros."""

    layers: int = Field(default=2, ge=1, le=64, description="layers")
    heads: int = Field(default=2, ge=1, le=128, description="heads per layer")
    width: int = Field(default=64, ge=1, le=2048, description="width of the residual stream")
    head_size: int = Field(default=32, ge=1, le=512, description="width of a head")
    neurons: int = Field(default=128, ge=1, le=8192, description="neurons per MLP")
    norm: Norm = Field(default="rms", description="norm before attention and MLP, and at the end")
    positions: Positions = Field(default="learned", description="how positions are told")
    attention: Attention = Field(default="softmax", description="what makes patterns of scores")
    mlp: str = Field(default="gelu", pattern="^(none|relu|gelu|gated|bilinear)$", description="the MLP's kind, or none")
    causal: bool = Field(default=True, description="whether a position sees only what stands before it")
    tied: bool = Field(default=False, description="whether the unembedding is the embedding")
    kv_shift: bool = Field(
        default=False, description="whether keys and values are mixed with those of the position before"
    )

    def build(self, problem: Any, generator: torch.Generator) -> nn.Module:
        """The untrained model for a problem that is told in tokens.

        Raises: OptionError for rotary positions in heads of odd width.
        """
        if self.positions == "rotary" and self.head_size % 2:
            raise OptionError(f"rotary positions turn pairs, and head_size = {self.head_size} is odd; give an even one")
        has_mlp = self.mlp != "none"
        kind = self.mlp if has_mlp else "relu"
        config = SmallConfig(
            vocab_size=len(problem.vocabulary),
            max_position_embeddings=problem.length,
            hidden_size=self.width,
            num_hidden_layers=self.layers,
            num_attention_heads=self.heads,
            head_dim=self.head_size,
            intermediate_size=self.neurons if has_mlp else 1,
            norm=self.norm,
            positions=self.positions,
            attention=self.attention,
            mlp=kind,
            hidden_act=ACTIVATIONS[kind],
            is_causal=self.causal,
            tie_word_embeddings=self.tied,
            kv_shift=self.kv_shift,
            architectures=[SmallForCausalLM.__name__],
        )
        model = SmallForCausalLM(config)
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                self._initialise(name, parameter, generator)
        return model

    def _initialise(self, name: str, parameter: nn.Parameter, generator: torch.Generator) -> None:
        """Normal numbers that keep the size of what they read; what writes into the stream is scaled to its depth."""
        if ".shift_" in name:
            parameter[0].uniform_(generator=generator)
            parameter[1] = 1 - parameter[0]
        elif parameter.dim() == 1:
            parameter.fill_(float("ln_" in name and name.endswith("weight")))
        elif self.mlp == "none" and ".mlp." in name:
            parameter.zero_()
        else:
            embeds = name.startswith("transformer.w")
            writes = name.endswith(("out_proj.weight", "c_proj.weight"))
            spread = self.width**-0.5 if embeds else parameter.shape[1] ** -0.5
            parameter.normal_(std=spread * ((2 * self.layers) ** -0.5 if writes else 1), generator=generator)

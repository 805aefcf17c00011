"""The shape of compiled programs: a small transformer without norms, which sees ahead where its program does.

GPT-2's but for that: learned positions, ReLU, and an unembedding of its own.
"""

from functools import cache
from typing import Any

from transformer_lens.factories.architecture_adapter_factory import ArchitectureAdapterFactory
from transformers import AutoConfig, AutoModelForCausalLM

from interp.models.small import SmallArchitectureAdapter, SmallConfig, SmallForCausalLM


class CompiledConfig(SmallConfig):
    """The sizes, the `program`, and whether a position sees only what stands before it.

    Scores are not scaled: the program's coldness is in its weights.
    """

    model_type = "compiled"

    program: str | dict[str, Any] = ""
    norm: str = "none"
    mlp: str = "relu"
    hidden_act: str = "relu"
    attention_scale: float | None = 1.0
    unembedding_bias: bool = True


class CompiledForCausalLM(SmallForCausalLM):
    """A compiled program; the logits of its output's tokens say what it computes at a position."""

    config_class = CompiledConfig


@cache
def register_compiled() -> None:
    """Tell transformers and transformer-lens of the class."""
    AutoConfig.register(CompiledConfig.model_type, CompiledConfig)
    AutoModelForCausalLM.register(CompiledConfig, CompiledForCausalLM)
    ArchitectureAdapterFactory.register_adapter(CompiledForCausalLM.__name__, SmallArchitectureAdapter)

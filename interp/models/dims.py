"""A model's sizes."""

from dataclasses import dataclass


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

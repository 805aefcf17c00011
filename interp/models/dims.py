"""A model's sizes."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Dims:
    """The model's sizes."""

    layers: int
    heads: int
    kv_heads: int
    d_model: int
    d_head: int
    d_mlp: int
    vocab: int
    context: int

    @property
    def group(self) -> int:
        """How many heads share their keys and values."""
        return self.heads // self.kv_heads

    @property
    def axes(self) -> dict[str, int]:
        """The size of each axis of a site that is the same for all prompts."""
        return {
            "head": self.heads, "kv_head": self.kv_heads, "d_model": self.d_model, "d_head": self.d_head,
            "d_mlp": self.d_mlp,
        }  # fmt: skip

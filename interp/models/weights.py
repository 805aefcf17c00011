"""A model's weights, laid out alike whatever the family: one matrix a head, rows in, columns out."""

from typing import Any

from jaxtyping import Float
from torch import Tensor
from transformers.pytorch_utils import Conv1D


class Weights:
    """Reads the bridge's modules; copies nothing but what a layout needs."""

    def __init__(self, bridge: Any, heads: int, d_head: int) -> None:
        self._bridge = bridge
        self._heads, self._d_head = heads, d_head

    def output(self, layer: int) -> Float[Tensor, "head d_head d_model"]:
        """W_O of every head."""
        return _matrix(self._output_module(layer)).unflatten(0, (self._heads, self._d_head))

    def output_bias(self, layer: int) -> Float[Tensor, "d_model"]:
        """b_O, added after the heads' outputs are summed; zeros where there is none."""
        module = self._output_module(layer)
        return _matrix(module).new_zeros(_matrix(module).shape[1]) if module.bias is None else module.bias.detach()

    def unembedding(self) -> Float[Tensor, "d_model vocab"]:
        """W_U."""
        return _matrix(self._bridge.unembed.original_component)

    def unembedding_bias(self) -> Float[Tensor, "vocab"] | None:
        """b_U, where there is one."""
        bias = self._bridge.unembed.original_component.bias
        return None if bias is None else bias.detach()

    def norm(self, name: str, layer: int | None = None) -> tuple[Tensor, Tensor | None]:
        """Factor and shift of a norm (`ln_final`, or a layer's `ln1`, `ln2`, `ln1_post`), each `d_model`.

        The factor multiplies the normalised stream as it stands: an offset that the family adds (Gemma) is in it.
        """
        owner = self._bridge if layer is None else self._bridge.blocks[layer]
        module = getattr(owner, name).original_component
        factor = module.weight.detach()
        if getattr(self._bridge.cfg, "rmsnorm_uses_offset", False):
            factor = 1 + factor
        shift = getattr(module, "bias", None)
        return factor, None if shift is None else shift.detach()

    def _output_module(self, layer: int) -> Any:
        return self._bridge.blocks[layer].attn.o.original_component


def _matrix(linear: Any) -> Float[Tensor, "d_in d_out"]:
    """A linear module's weight so that output = input @ weight."""
    weight = linear.weight.detach()
    return weight if isinstance(linear, Conv1D) else weight.T

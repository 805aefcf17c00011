"""Work in units of one full forward pass over the prompts, counted in multiplications."""

from dataclasses import dataclass
from functools import cached_property

from interp.models.hooked import HookedModel


@dataclass(frozen=True)
class Work:
    """What parts of a forward pass over prompts of `width` tokens cost, as shares of the whole.

    The whole is what calling the model does: every layer and the unembedding, at every position. Runs that unembed the
    answer's position alone are less than that.
    """

    model: HookedModel
    width: int

    def above(self, layer: int) -> float:
        """All layers from `layer` on, and the head at the answer."""
        return ((self.model.dims.layers - layer) * self._layer + self._unembedding) / self._forward

    @property
    def head(self) -> float:
        """The head, at the answer."""
        return self._unembedding / self._forward

    @property
    def mlp_and_head(self) -> float:
        """One layer's MLP and the head, at the answer."""
        return (self._mlp + self._unembedding) / self._forward

    def heads(self, count: int, *, positions: int) -> float:
        """`count` heads that attend from the answer, all heads' output there, and one projection at `positions`."""
        dims = self.model.dims
        attending = count * 2 * self.width * dims.d_head
        output = dims.heads * dims.d_head * dims.d_model
        return (attending + output + positions * dims.d_head * dims.d_model) / self._forward

    @cached_property
    def _layer(self) -> int:
        dims = self.model.dims
        projections = 2 * (dims.heads + dims.kv_heads) * dims.d_head * dims.d_model
        attending = 2 * self.width * dims.heads * dims.d_head
        return self.width * (projections + attending + self._mlp)

    @property
    def _mlp(self) -> int:
        dims = self.model.dims
        at_once = dims.routed_to + dims.experts - dims.routed or 1  # of experts, those that take a token
        return at_once * (3 if self.model.architecture.gated else 2) * dims.d_model * dims.d_mlp

    @property
    def _unembedding(self) -> int:
        return self.model.dims.d_model * self.model.dims.vocab

    @cached_property
    def _forward(self) -> int:
        return self.model.dims.layers * self._layer + self.width * self._unembedding

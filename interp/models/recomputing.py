"""Backward passes over long prompts: attention patterns are computed again rather than kept.

Patterns are what a backward pass keeps most of, a number for every pair of positions and head. Queries, keys and the
mask give them again, bit for bit, one layer at a time.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from interp.core.prompts import Prompts
from interp.models.attention import repeat_kv, softmax_dtype, visible
from interp.models.edits import Edit
from interp.models.hooked import HookedModel
from interp.models.memory import give_back
from interp.models.sites import Site

WORTHWHILE = 2**28  # bytes of patterns below which they are kept: computing them again costs time


class _Pattern(NamedTuple):
    """What stands in the graph for a layer's pattern."""

    layer: int
    dtype: torch.dtype
    shape: torch.Size


@dataclass(eq=False)
class Recomputing:
    """Keeps queries, keys and masks of a run, and gives patterns in their place when the gradient passes.

    `edits` have to be in force in the run, and `in_force` held over it and over its backward pass.
    """

    model: HookedModel
    width: int
    _layer: int | None = None
    _queries: dict[int, Tensor] = field(default_factory=dict)
    _keys: dict[int, Tensor] = field(default_factory=dict)
    _masks: dict[int, Bool[Tensor, "batch head query_pos key_pos"]] = field(default_factory=dict)
    _precision: torch.dtype | None = None
    _row: Tensor = field(init=False)
    _latest: tuple[int, Tensor] | None = None

    @staticmethod
    def pays(model: HookedModel, prompts: Prompts) -> bool:
        """Whether this model's patterns can be computed again, and are large enough on these prompts."""
        size = len(prompts) * model.dims.layers * model.dims.heads * prompts.width**2 * model.dtype.itemsize
        # Values of a prompt as long as a head is wide have a pattern's shape, and could not be told from one.
        again = model.obstacle("attention") is None and model.has("scores")
        return again and prompts.width != model.dims.d_head and size > WORTHWHILE

    def edits(self) -> Iterator[Edit]:
        """Look at what patterns are made of."""
        for layer in range(self.model.dims.layers):
            for name, store in (("q", self._queries), ("k", self._keys)):
                yield Edit.through(Site(self.model.score_site(name), layer), partial(self._keep, store, layer))
            yield Edit.through(Site("scores", layer), partial(self._see_scores, layer))
            yield Edit.through(Site("z", layer), self._leave_attention)
        yield Edit.through(Site("pattern", 0), self._see_pattern)

    @contextmanager
    def in_force(self) -> Iterator[None]:
        """Patterns that operations would save for their gradient are not."""
        with torch.autograd.graph.saved_tensors_hooks(self._pack, self._unpack):
            yield

    @staticmethod
    def _keep(store: dict[int, Tensor], layer: int, value: Tensor) -> None:
        store[layer] = value.detach()

    def _see_scores(self, layer: int, scores: Tensor) -> None:
        self._layer = layer
        if layer == 0:
            self._row = scores[0, 0, -1].detach().clone()
        mask = ~visible(scores[:1, :1])
        # Layers share their mask, but for those that see a window only: one copy of each serves all.
        same = (other for other in self._masks.values() if torch.equal(other, mask))
        self._masks[layer] = next(same, mask)

    def _leave_attention(self, z: Tensor) -> None:
        self._layer = None
        give_back()

    def _see_pattern(self, pattern: Tensor) -> None:
        self._precision = softmax_dtype(self._row, pattern[0, 0, -1].detach())

    def _pack(self, tensor: Tensor) -> Tensor | _Pattern:
        # The softmax keeps its output with its heads, the product with the values keeps it with batch and heads in one.
        if self._layer is None or tensor.dim() < 3 or tensor.shape[-2:] != (self.width, self.width):
            return tensor
        return _Pattern(self._layer, tensor.dtype, tensor.shape)

    def _unpack(self, value: Tensor | _Pattern) -> Tensor:
        if isinstance(value, Tensor):
            return value
        if self._latest is None or self._latest[0] != value.layer:  # asked for twice in a row: by A·V and by softmax
            give_back()
            self._latest = value.layer, self._compute(value.layer)
        return self._latest[1].to(value.dtype).reshape(value.shape)

    @torch.no_grad()
    def _compute(self, layer: int) -> Float[Tensor, "batch head query_pos key_pos"]:
        queries, keys = self._queries[layer], self._keys[layer]
        keys = repeat_kv(keys, self.model.dims.heads)
        scores = torch.matmul(queries.transpose(1, 2), keys.permute(0, 2, 3, 1))
        scores = scores * self.model.weights.attention_scale(layer)
        return scores.masked_fill(self._masks[layer], -torch.inf).softmax(-1, dtype=self._precision)

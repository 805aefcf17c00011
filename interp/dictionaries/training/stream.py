"""The activations that a dictionary is trained on, in an order that the seed and the place in it decide alone."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from interp.core.prompts import Prompts
from interp.corpus.batches import step_of
from interp.models.hooked import HookedModel
from interp.models.sites import Site

_WINDOWS, _TOKENS = 0, 1  # what a permutation is of, which keeps their seeds apart


@dataclass(frozen=True, eq=False)
class Stream:
    """What `site` holds while the model reads windows of one length, without the first `skip` positions of each.

    Every epoch takes the windows in a new order; `block` of them are run, and their tokens shuffled, before any is
    given out. Token number n is the same however far a stream was read before, so that a run can go on anywhere.
    """

    model: HookedModel
    windows: Prompts
    site: Site
    seed: int
    block: int
    skip: int = 1

    @property
    def tokens_in_window(self) -> int:
        """Tokens of a window that are given out."""
        return self.windows.width - self.skip

    @property
    def tokens_in_block(self) -> int:
        """Tokens of a block."""
        return self._windows_in_block * self.tokens_in_window

    def batches(self, size: int, first: int = 0) -> Iterator[Float[Tensor, "token width"]]:
        """Batches of `size` tokens without end, from token number `first` on."""
        block, offset = divmod(first, self.tokens_in_block)
        blocks = map(self.shuffled, count(block))
        rest = next(blocks)[offset:]
        while True:
            while len(rest) < size:
                rest = torch.cat((rest, next(blocks)))
            yield rest[:size]
            rest = rest[size:]

    def shuffled(self, block: int) -> Float[Tensor, "token width"]:
        """The tokens of one block in the order in which they are given out."""
        values = read(self.model, self.windows, self.windows_of(block), self.site, self.skip)
        return values[torch.from_numpy(self._permutation(_TOKENS, block, len(values))).to(values.device)]

    def windows_of(self, block: int) -> list[int]:
        """Which windows a block reads."""
        many, size = len(self.windows), self._windows_in_block
        places = range(block * size, (block + 1) * size)
        orders = {epoch: self._permutation(_WINDOWS, epoch, many) for epoch in {place // many for place in places}}
        return [int(orders[place // many][place % many]) for place in places]

    @property
    def _windows_in_block(self) -> int:
        return min(self.block, len(self.windows))

    def _permutation(self, what: int, number: int, size: int) -> np.ndarray:
        return np.random.default_rng((self.seed, what, number)).permutation(size)


def read(model: HookedModel, windows: Prompts, rows: list[int], site: Site, skip: int) -> Float[Tensor, "token width"]:
    """What a site holds in some windows, in float32: token after token, without the first `skip` positions of each."""
    step = step_of(windows)
    starts = range(0, len(rows), step)
    parts = (model.vectors(windows[rows[start : start + step]], site)[:, skip:].flatten(0, 1) for start in starts)
    return torch.cat([part.float() for part in parts])

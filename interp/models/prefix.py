"""The beginning of a text, computed once, behind which many single tokens run."""

from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from transformers import DynamicCache

from interp.core.prompts import Prompts
from interp.models.edits import Edit
from interp.models.hooked import HookedModel
from interp.models.sites import Site

ROUNDING = 1e-5  # share of a state's norm by which the order of its sums may move it, in float32


def unlabelled(rows: Int[Tensor, "row pos"]) -> Prompts:
    """Prompts of one length that only run: nobody reads their labels."""
    count = len(rows)
    return Prompts(("",) * count, rows, torch.ones_like(rows, dtype=torch.bool), ((),) * count)


class Prefix:
    """Tokens of which keys and values are remembered, where a token behind them then has the state of a whole run.

    That is tried out at `site` with one token; where it has not (an attention that does not use transformers' cache),
    the whole prefix runs with every token behind it.
    """

    def __init__(self, model: HookedModel, site: Site, tokens: Int[Tensor, "pos"]) -> None:
        self._model, self._site, self.tokens = model, site, tokens
        self._layers: list[tuple[Tensor, Tensor]] | None = self._remembered() if len(tokens) else None
        if self._layers is not None:
            token = tokens[:1]
            exact, ours = self.whole(token), self.states(token)
            close = max(ROUNDING, 4 * torch.finfo(exact.dtype).eps)
            if not (exact - ours).norm() <= close * exact.norm():
                self._layers = None

    @property
    def is_remembered(self) -> bool:
        """Whether tokens run alone behind it."""
        return self._layers is not None

    def states(self, tokens: Int[Tensor, "row"], edits: list[Edit] | None = None) -> Float[Tensor, "row d_model"]:
        """What the site holds of each token behind the prefix, with these edits of the last position's sites."""
        if self._layers is None:
            return self.whole(tokens, edits)
        cache = DynamicCache()
        for layer, (keys, values) in enumerate(self._layers):
            cache.update(*(part.expand(len(tokens), -1, -1, -1) for part in (keys, values)), layer_idx=layer)
        return self._run(tokens[:, None], edits, cache)

    def whole(self, tokens: Int[Tensor, "row"], edits: list[Edit] | None = None) -> Float[Tensor, "row d_model"]:
        """The same by runs of the whole text."""
        return self._run(torch.cat([self.tokens.expand(len(tokens), -1), tokens[:, None]], 1), edits)

    def _run(self, rows: Tensor, edits: list[Edit] | None = None, cache: Any = None) -> Tensor:
        return self._model.record(unlabelled(rows), [self._site], edits=edits or (), cache=cache)[self._site][:, -1]

    @torch.no_grad()
    def _remembered(self) -> list[tuple[Tensor, Tensor]] | None:
        cache = DynamicCache()
        self._run(self.tokens[None], cache=cache)
        layers: list[Any] = list(cache.layers)
        complete = len(layers) > 0 and all(layer.get_seq_length() == len(self.tokens) for layer in layers)
        return [(layer.keys, layer.values) for layer in layers] if complete else None

"""From a state back to the token: which tokens make it, and in which order they are tried."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from interp.models.edits import Edit
from interp.models.hooked import HookedModel
from interp.models.sites import Site

EMBED = Site("embed")
Rows = Float[np.ndarray, "row d_model"]
BLOCK = 4096  # tokens of the vocabulary whose embeddings are looked up at a time


def obstacle(model: HookedModel) -> str | None:
    """Why tokens cannot be found by what they embed to and what a position sees before it; None if they can."""
    if not model.is_causal:
        return f"{model.name} reads what stands after a token, so that its state cannot be made from what stands before"
    return next(filter(None, map(model.edit_obstacle, (EMBED, *model.stream_sites()))), None)


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """The embedding of every token."""

    embeddings: Float[Tensor, "vocab d_model"]

    @classmethod
    def of(cls, model: HookedModel) -> "Vocabulary":
        """That of a model."""
        tokens = torch.arange(model.vocabulary_size, device=model.device)
        return cls(torch.cat([model.weights.embedding(some) for some in tokens.split(BLOCK)]))

    def __len__(self) -> int:
        """How many tokens there are."""
        return len(self.embeddings)

    @cached_property
    def units(self) -> Float[Tensor, "vocab d_model"]:
        """The embeddings less their mean, each of length one; in float32 at least."""
        wide = self.embeddings.to(torch.promote_types(self.embeddings.dtype, torch.float32))
        centred = wide - wide.mean(0)
        return centred / centred.norm(dim=-1, keepdim=True).clamp_min(1e-30)

    def nearest_first(self, embedding: Float[Tensor, "d_model"]) -> Int[Tensor, "vocab"]:
        """All tokens, by the cosine of their embedding with that one, both around the mean."""
        cosines = self.units @ (embedding - self.embeddings.mean(0)).to(self.units)
        return cosines.argsort(stable=True, descending=True).cpu()


def ridge(states: Rows, embeddings: Rows, penalty: float) -> Callable[[Rows], Rows]:
    """The affine map from states to embeddings of least squares, with a ridge, of centred rows."""
    before, after = states.mean(0), embeddings.mean(0)
    left, sizes, right = np.linalg.svd(states - before, full_matrices=False)
    weight = sizes**2 + penalty * float(np.square(sizes).sum()) / states.shape[1]
    scale = np.divide(sizes, weight, out=np.zeros_like(sizes), where=weight > 0)
    matrix = right.T * scale @ (left.T @ (embeddings - after))
    return lambda rows: (rows - before) @ matrix + after


class Descent:
    """For each prompt an embedding at its position that brings the state there near to the one given, by Adam.

    It starts at the mean embedding. The squared distance is summed with every dimension divided by the state's own size
    there plus its root mean square: otherwise a few massive dimensions would be all of it. `rate` counts in the
    embeddings' root mean square around their mean. `run` gives the states there under edits.
    """

    def __init__(
        self,
        run: Callable[[list[Edit]], Float[Tensor, "batch d_model"]],
        positions: Sequence[int],
        states: Float[Tensor, "batch d_model"],
        embeddings: Float[Tensor, "vocab d_model"],
        rate: float,
    ) -> None:
        self._run, self._states = run, states
        self._rows = torch.arange(len(positions), device=states.device)
        self._at = torch.tensor(positions, device=states.device)
        self._sizes = states.abs() + states.square().mean(-1, keepdim=True).sqrt()
        mean = embeddings.mean(0)
        self._free = mean.expand(len(positions), -1).clone().requires_grad_()
        self._adam = torch.optim.Adam([self._free], lr=rate * float((embeddings - mean).square().mean().sqrt()))

    def step(self) -> None:
        """One step."""

        def put(values: Tensor) -> Tensor:
            values = values.detach().clone()
            values[self._rows, self._at] = self._free
            return values

        self._adam.zero_grad()
        with torch.enable_grad():
            apart = (self._run([Edit.through(EMBED, put)]) - self._states) / self._sizes
            apart.double().square().sum().backward()
        self._adam.step()

    @property
    def reached(self) -> Float[Tensor, "batch d_model"]:
        """Where the descents are."""
        return self._free.detach()

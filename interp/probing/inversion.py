"""From a state back to the token: which tokens make it, and in which order they are tried."""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from interp.core.prompts import Prompts
from interp.models.edits import Edit
from interp.models.hooked import HookedModel
from interp.models.sites import Site

EMBED = Site("embed")
BLOCK = 4096  # tokens of the vocabulary whose embeddings are looked up at a time


def obstacle(model: HookedModel) -> str | None:
    """Why tokens cannot be found by what they embed to and what a position sees before it; None if they can."""
    if not model.is_causal:
        return f"{model.name} reads what stands after a token, so that its state cannot be made from what stands before"
    return next(filter(None, map(model.edit_obstacle, (EMBED, *model.stream_sites()))), None)


def of_rows(tokens: Int[Tensor, "row pos"]) -> Prompts:
    """Prompts of one length that only run: nobody reads their labels."""
    count = len(tokens)
    return Prompts(("",) * count, tokens, torch.ones_like(tokens, dtype=torch.bool), ((),) * count)


def vocabulary(model: HookedModel) -> Float[Tensor, "vocab d_model"]:
    """The embedding of every token."""
    tokens = torch.arange(model.vocabulary_size, device=model.device)
    return torch.cat([model.weights.embedding(some) for some in tokens.split(BLOCK)])


def distances(
    model: HookedModel,
    site: Site,
    prefix: Int[Tensor, "pos"],
    candidates: Int[Tensor, "candidate"],
    state: Float[Tensor, "d_model"],
) -> Float[Tensor, "candidate"]:
    """How far the state behind the prefix is from `state`, for each candidate that stands there; in float64."""
    rows = torch.cat([prefix.expand(len(candidates), -1), candidates[:, None]], 1)
    with torch.no_grad():
        there = model.record(of_rows(rows), [site])[site][:, -1]
    return (there.double() - state.double()).norm(dim=-1).cpu()


def around_mean(embeddings: Float[Tensor, "vocab d_model"]) -> Float[Tensor, "vocab d_model"]:
    """The embeddings less their mean, each of length one; in float32 at least."""
    wide = embeddings.to(torch.promote_types(embeddings.dtype, torch.float32))
    centred = wide - wide.mean(0)
    return centred / centred.norm(dim=-1, keepdim=True).clamp_min(1e-30)


class Descent:
    """For each prompt an embedding at its position that brings the state there near to the one given, by Adam.

    It starts at the mean embedding. The squared distance is summed with every dimension divided by the state's own size
    there plus its root mean square: otherwise a few massive dimensions would be all of it. `rate` counts in the
    embeddings' root mean square around their mean.
    """

    def __init__(
        self,
        model: HookedModel,
        site: Site,
        prompts: Prompts,
        positions: Sequence[int],
        states: Float[Tensor, "batch d_model"],
        embeddings: Float[Tensor, "vocab d_model"],
        rate: float,
    ) -> None:
        self._model, self._site, self._prompts = model, site, prompts
        self._rows = torch.arange(len(prompts), device=model.device)
        self._at = torch.tensor(positions, device=model.device)
        self._states, self._mean, self._units = states, embeddings.mean(0), around_mean(embeddings)
        self._sizes = states.abs() + states.square().mean(-1, keepdim=True).sqrt()
        self._free = self._mean.expand(len(prompts), -1).clone().requires_grad_()
        self._adam = torch.optim.Adam([self._free], lr=rate * float((embeddings - self._mean).square().mean().sqrt()))

    def step(self) -> None:
        """One step."""

        def put(values: Tensor) -> Tensor:
            values = values.detach().clone()
            values[self._rows, self._at] = self._free
            return values

        self._adam.zero_grad()
        with torch.enable_grad():
            trace = self._model.record(self._prompts, [self._site], edits=[Edit.through(EMBED, put)])
            apart = (trace[self._site][self._rows, self._at] - self._states) / self._sizes
            apart.double().square().sum().backward()
        self._adam.step()

    def nearest_first(self, row: int = 0) -> Int[Tensor, "vocab"]:
        """All tokens, by the cosine of their embedding with the one that a prompt has reached, both around the mean."""
        cosines = self._units @ (self._free[row].detach() - self._mean).to(self._units)
        return cosines.argsort(stable=True, descending=True).cpu()

"""The order in which an inversion tries the vocabulary, learned from the candidates that it has tried."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from interp.corpus.batches import TOKENS
from interp.models.prefix import Prefix
from interp.probing.inversion import Descent, Vocabulary, ridge

ROUND = 5  # steps of the descent between two looks at the tokens that it is near to
SAMPLE = 256  # random candidates that the first linear map is fitted to, of a large vocabulary
FITTED = 512  # candidates nearest to the state, to which later ones are fitted
PENALTY = 1e-3  # their ridge, as a share of the mean variance


def distances(states: Float[Tensor, "row d_model"], state: Float[Tensor, "d_model"]) -> Float[Tensor, "row"]:
    """How far states are from that one, in float64."""
    return (states.double() - state.double()).norm(dim=-1).cpu()


class Search:
    """The candidates behind a prefix that were run, and how far each one's state is from the one given."""

    def __init__(self, prefix: Prefix, state: Float[Tensor, "d_model"], vocabulary: Vocabulary) -> None:
        self._prefix, self._state, self._vocabulary = prefix, state, vocabulary
        self.tokens, self.distances = torch.zeros(0, dtype=torch.long), torch.zeros(0, dtype=torch.float64)
        self._near, self._near_states = self.tokens, state[None][:0].double().cpu()

    @torch.no_grad()
    def run(self, tokens: Int[Tensor, "row"]) -> None:
        """Run some more."""
        states = self._prefix.states(tokens)
        self.tokens = torch.cat([self.tokens, tokens])
        self.distances = torch.cat([self.distances, distances(states, self._state)])
        near, states = torch.cat([self._near, tokens]), torch.cat([self._near_states, states.double().cpu()])
        order = (states - self._state.double().cpu()).norm(dim=-1).argsort()[:FITTED]
        self._near, self._near_states = near[order], states[order]

    def candidates(self, tried: str, options: Any) -> Iterator[Int[Tensor, "candidate"]]:
        """The vocabulary, in the order of that name; each part is run before the next one is asked for."""
        order = torch.randperm(len(self._vocabulary), generator=torch.Generator().manual_seed(options.seed))
        fresh = torch.ones(len(order), dtype=torch.bool)
        if tried == "regression":
            some = order[: min(SAMPLE, len(order) // 4 + 1)]
            fresh[some] = False
            yield some
        orders = {"regression": self._by_regression, "gradient": self._by_gradient}.get(tried)
        for order in orders(options) if orders else ():
            if not fresh.any():
                return
            some = order[fresh[order]][: options.together]
            fresh[some] = False
            yield some
        width = 1 if self._prefix.is_remembered else len(self._prefix.tokens) + 1
        if fresh.any():
            yield from order[fresh[order]].split(max(1, TOKENS // width))

    def _by_regression(self, options: Any) -> Iterator[Int[Tensor, "vocab"]]:
        """Nearest first to what a linear map makes of the state, fitted to the states and embeddings run so far."""
        embeddings = self._vocabulary.embeddings
        for _ in range(options.steps):
            states = self._near_states.numpy()
            spread = states.std(0)
            scale = np.where(spread > 0, spread, np.inf)
            own = embeddings[self._near.to(embeddings.device)].double().cpu().numpy()
            image = ridge(states / scale, own, PENALTY)(self._state[None].double().cpu().numpy() / scale)
            yield self._vocabulary.nearest_first(torch.from_numpy(image[0]).to(embeddings))

    def _by_gradient(self, options: Any) -> Iterator[Int[Tensor, "vocab"]]:
        """Nearest first to where a gradient descent is after every few steps."""
        run = partial(self._prefix.states, torch.zeros(1, dtype=torch.long))
        descent = Descent(run, [-1], self._state[None], self._vocabulary.embeddings, options.rate)
        for done in range(1, options.steps + 1):
            descent.step()
            if done % ROUND == 0 or done == options.steps:
                yield self._vocabulary.nearest_first(descent.reached[0])

"""Sums of attention over windows: by key token, by query token, by distance; and each window's strongest pair."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from interp.core.prompts import Prompts
from interp.corpus.sums import Sums, Totals
from interp.models.hooked import HookedModel
from interp.models.visible import run_watching_patterns
from interp.patterns.cards.distances import distance_bins, distance_names


class _Windows(NamedTuple):
    """Some windows on the device: which keys are there, which queries count, and each token's number."""

    mask: Bool[Tensor, "window pos"]
    queries: Float[Tensor, "window pos"]
    token: Int[Tensor, "window pos"]
    distances: Float[Tensor, "pair one_and_distance"]


@dataclass(frozen=True)
class AttentionSums:
    """What head cards are made of, over queries behind the first `skip` positions and keys behind the first one.

    Totals: `first` (layer × head), `key_mass`, `query_mass` (layer × head × token), `key_uniform` (layer × token),
    `query_count` (token), `distance` (layer × head × bin), `distance_sum` (layer × head), `distance_uniform`
    (layer × bin), `queries`. Rows: `best`, `best_query`, `best_key` (layer × head). `tokens` are those that occur.
    """

    tokens: tuple[int, ...]
    width: int
    skip: int = 1
    name: str = "head-cards"

    def settings(self) -> dict[str, int | float | str]:
        """What distinguishes these sums from others: the tokens follow from the windows."""
        return {"skip": self.skip, "tokens": len(self.tokens)}

    def measure(self, model: HookedModel, windows: Prompts, first: int, into: Totals | None = None) -> Sums:
        """The sums of some windows, of which some may be shorter than `width`."""
        totals = into or self._empty(model)
        some = self._on_device(model, windows)
        shape = (len(windows), model.dims.layers, model.dims.heads)
        rows = {"best": np.zeros(shape)} | {name: np.zeros(shape, dtype=np.int64) for name in _PLACES}
        totals["queries"] += int(some.queries.sum())
        totals["query_count"] += np.bincount(
            some.token[some.queries > 0].cpu().numpy(), minlength=len(self.tokens)
        ).astype(float)
        uniform = _Uniform(some, len(self.tokens))

        def add(layer: int, pattern: Float[Tensor, "window head query_pos key_pos"], keys: Tensor) -> None:
            for name, value in uniform(keys).items():
                totals[name][layer] += value
            pattern = pattern.clone()
            totals["first"][layer] += _numpy(torch.einsum("bhq,bq->h", pattern[..., 0], some.queries))
            pattern[..., 0] = 0
            pattern *= some.queries[:, None, :, None]
            for name, value in _attention(pattern, some, len(self.tokens)).items():
                totals[name][layer] += value
            best, place = pattern.flatten(2).max(-1)
            rows["best"][:, layer] = _numpy(best)
            rows["best_query"][:, layer], rows["best_key"][:, layer] = divmod(place.cpu().numpy(), windows.width)

        run_watching_patterns(model, windows, add)
        return Sums(totals, rows)

    def _empty(self, model: HookedModel) -> Totals:
        layers, heads, tokens = model.dims.layers, model.dims.heads, len(self.tokens)
        bins = len(distance_names(self.width, causal=model.is_causal))
        return {
            "first": np.zeros((layers, heads)),
            "distance_sum": np.zeros((layers, heads)),
            "key_mass": np.zeros((layers, heads, tokens)),
            "query_mass": np.zeros((layers, heads, tokens)),
            "key_uniform": np.zeros((layers, tokens)),
            "query_count": np.zeros(tokens),
            "distance": np.zeros((layers, heads, bins)),
            "distance_uniform": np.zeros((layers, bins)),
            "queries": np.asarray(0),
        }

    def _on_device(self, model: HookedModel, windows: Prompts) -> _Windows:
        known = torch.tensor(self.tokens)
        queries = windows.mask.clone()
        queries[:, : self.skip] = False
        bins = distance_bins(self.width)[: windows.width, : windows.width].flatten()
        count = len(distance_names(self.width, causal=model.is_causal))
        place = torch.arange(windows.width)
        apart = (place[:, None] - place).abs().flatten()[:, None]
        one_hot = torch.nn.functional.one_hot(bins.clamp(max=count - 1), count)  # a causal query sees none ahead
        number = torch.searchsorted(known, windows.tokens).clamp(max=len(known) - 1)  # padding may be no token of these
        each = (windows.mask, queries.to(model.dtype), number, torch.cat([apart, one_hot], 1).to(model.dtype))
        return _Windows(*(value.to(model.device) for value in each))


_PLACES = ("best_query", "best_key")


class _Uniform:
    """What uniform attention would be; layers share their masks, and one computation serves all that do."""

    def __init__(self, some: _Windows, tokens: int) -> None:
        self.some, self.tokens = some, tokens
        self.known: list[tuple[Tensor, dict[str, np.ndarray]]] = []

    def __call__(self, keys: Bool[Tensor, "window query_pos key_pos"]) -> dict[str, np.ndarray]:
        for other, sums in self.known:
            if torch.equal(other, keys):
                return sums
        pairs = keys.to(self.some.queries)
        pattern = pairs / pairs.sum(-1, keepdim=True).clamp(min=1) * self.some.queries[:, :, None]
        pattern[..., 0] = 0
        sums = _attention(pattern[:, None], self.some, self.tokens)
        self.known.append((keys, {"key_uniform": sums["key_mass"][0], "distance_uniform": sums["distance"][0]}))
        return self.known[-1][1]


def _attention(
    pattern: Float[Tensor, "window head query_pos key_pos"], some: _Windows, tokens: int
) -> dict[str, np.ndarray]:
    """Attention by key token, query token and distance."""
    distances = pattern.sum(0).flatten(1) @ some.distances
    return {
        "key_mass": _by_token(pattern.sum(2), some.token, tokens),
        "query_mass": _by_token(pattern.sum(3), some.token, tokens),
        "distance": _numpy(distances[:, 1:]),
        "distance_sum": _numpy(distances[:, 0]),
    }


def _by_token(
    mass: Float[Tensor, "window head pos"], token: Int[Tensor, "window pos"], tokens: int
) -> Float[np.ndarray, "head token"]:
    total = mass.new_zeros(mass.shape[1], tokens, dtype=torch.float64)
    return _numpy(total.index_add_(1, token.flatten(), mass.transpose(0, 1).flatten(1).double()))


def _numpy(values: Tensor) -> np.ndarray:
    return values.double().cpu().numpy()

"""Measures of a window's tokens in every stream, with and without the first position and the massive dimensions."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from interp.core.intervals import with_interval
from interp.core.prompts import Prompts
from interp.corpus.enough import require_width
from interp.corpus.gathering import gather
from interp.corpus.sums import Sums, Totals
from interp.models.edits import Edit
from interp.models.hooked import HookedModel

Tokens = Float[Tensor, "token width"]
PARTS = ("", "_without_first", "_without_massive")


def mean_cosine(tokens: Tokens) -> float:
    """The mean cosine of two different tokens; NaN of fewer than two."""
    if len(tokens) < 2:
        return float("nan")
    unit = _unit(tokens)
    return float((unit.sum(0).square().sum() - unit.square().sum()) / (len(unit) * (len(unit) - 1)))


def close_share(tokens: Tokens, epsilon: float) -> float:
    """The share of the pairs of different tokens whose cosine is above 1 − `epsilon`; NaN of fewer than two."""
    if len(tokens) < 2:
        return float("nan")
    unit = _unit(tokens)
    close = (unit @ unit.T > 1 - epsilon).fill_diagonal_(False)
    return float(close.sum()) / (len(unit) * (len(unit) - 1))


def diversity(tokens: Tokens) -> float:
    """‖Z − 1zᵀ‖ / ‖Z‖ with the mean token z; NaN of zeros and of no token."""
    return float((tokens - tokens.mean(0)).norm() / tokens.norm()) if len(tokens) else float("nan")


def _unit(tokens: Tokens) -> Tokens:
    return torch.nn.functional.normalize(tokens, dim=1, eps=1e-300)


def parts_of(tokens: Tokens, dimensions: int) -> Iterator[Tokens]:
    """The tokens; without the first; and without the `dimensions` of largest mean square either: as `PARTS` say."""
    energy = tokens.square().mean(0)
    least = energy.argsort(stable=True)[: max(1, len(energy) - dimensions)]
    yield from (tokens, tokens[1:], tokens[1:, least])


@dataclass(frozen=True)
class TokenMeasures:
    """Rows a window: each of some measures of each of the `PARTS`, of every stream. Total: `windows`.

    `measures` maps names to functions, which depend on nothing but `epsilon`.
    """

    name: str
    dimensions: int
    measures: Mapping[str, Callable[[Tokens], float]]
    epsilon: float = 0.0

    def settings(self) -> dict[str, int | float | str]:
        """What distinguishes these rows from others."""
        return {"dimensions": self.dimensions, "epsilon": self.epsilon}

    def measure(self, model: HookedModel, windows: Prompts, first: int, into: Totals | None = None) -> Sums:
        """The rows of some windows."""
        shape = (len(windows), model.dims.layers + 1)
        rows = {name + part: np.full(shape, np.nan) for name in self.measures for part in PARTS}
        mask = windows.mask.to(model.device)

        def add(place: int, stream: Float[Tensor, "window pos d_model"]) -> None:
            for row, there in enumerate(mask):
                tokens = stream[row][there].double()
                for part, some in zip(PARTS, parts_of(tokens, self.dimensions), strict=True):
                    for name, function in self.measures.items():
                        rows[name + part][row, place] = function(some)

        edits = [Edit.through(site, partial(add, place)) for place, site in enumerate(model.stream_sites())]
        model.record(windows, edits=edits)
        totals = into or {"windows": np.asarray(0)}
        totals["windows"] += len(windows)
        return Sums(totals, rows)


def measured(model: HookedModel, prompts: Prompts, statistic: TokenMeasures) -> dict[str, np.ndarray]:
    """The measures of all windows: means, with their intervals.

    Raises: CorpusError where no window has two tokens beside its first.
    """
    require_width(prompts, 1, least=2)
    sums, values = gather(model, prompts, statistic), {}
    for name in statistic.measures:
        for part in PARTS:
            values |= with_interval(name + part, sums.rows(name + part))
    return values

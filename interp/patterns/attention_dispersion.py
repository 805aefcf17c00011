"""Attention dispersion: how widely heads spread their attention, by the number of keys that a query sees."""

from dataclasses import dataclass

import numpy as np
import torch
from pydantic import Field
from pydantic.dataclasses import dataclass as options_dataclass
from torch import Tensor

from interp.core.engine import engine
from interp.core.intervals import bootstrap_mean, with_interval
from interp.core.options import Count, Index
from interp.core.prompts import Prompts
from interp.corpus.gathering import gather
from interp.corpus.options import CorpusOptions, windows_of
from interp.corpus.sums import Sums, Totals
from interp.kinds import AttentionDispersion
from interp.models.hooked import HookedModel
from interp.patterns.watching import (
    Pattern,
    Seen,
    mean_over_queries,
    pattern_obstacle,
    queries_from,
    read_patterns,
)

_OF_HEADS = ("entropy_share", "entropy_share_without_first", "slope", "max_weight", "local_mass")
_OF_LAYERS = ("uniform_max_weight", "uniform_local_mass")


@options_dataclass(frozen=True)
class AttentionDispersionOptions(CorpusOptions):
    """The text, the local window, and the first query that counts."""

    local: Count = Field(16, description="positions of the local window: the query's own and those next to it")
    first_query: Index = Field(1, description="first query that counts in means and slopes")


@dataclass(frozen=True)
class DispersionSums:
    """Rows a window: the means of each head (layer, head) and of uniform attention (layer).

    Totals by position: `entropy` and `largest` (layer, head, pos), `uniform_entropy` (layer, pos), `queries` (pos).
    """

    local: int
    first_query: int
    width: int
    name: str = "attention-dispersion"

    def settings(self) -> dict[str, int | float | str]:
        """What distinguishes these sums from others."""
        return {"local": self.local, "first_query": self.first_query, "width": self.width}

    def measure(self, model: HookedModel, windows: Prompts, first: int, into: Totals | None = None) -> Sums:
        """The sums of some windows, of which some may be shorter than `width`."""
        count, layers, heads = len(windows), model.dims.layers, model.dims.heads
        rows = {name: np.full((count, layers, heads), np.nan) for name in _OF_HEADS}
        rows |= {name: np.full((count, layers), np.nan) for name in _OF_LAYERS}
        totals = into or {
            "entropy": np.zeros((layers, heads, self.width)),
            "largest": np.zeros((layers, heads, self.width)),
            "uniform_entropy": np.zeros((layers, self.width)),
            "queries": np.zeros(self.width),
        }
        totals["queries"][: windows.width] += windows.mask.sum(0).numpy()

        def see(layer: int, pattern: Pattern, seen: Seen) -> None:
            for name, values in self._of_window(pattern, seen).items():
                rows[name][:, layer] = values
            keys = seen.sum(-1).clamp(min=1).double()
            totals["entropy"][layer, :, : windows.width] += entropy(pattern).sum(0).cpu().numpy()
            totals["largest"][layer, :, : windows.width] += pattern.amax(-1).sum(0).cpu().numpy()
            totals["uniform_entropy"][layer, : windows.width] += keys.log().sum(0).cpu().numpy()

        read_patterns(model, windows, see)
        return Sums(totals, rows)

    def _of_window(self, pattern: Pattern, seen: Seen) -> dict[str, np.ndarray]:
        at = torch.arange(pattern.shape[-1], device=pattern.device)
        near = (at[:, None] - at).abs() < self.local
        keys, own = seen.sum(-1).double(), entropy(pattern)
        spread, rest = queries_from(seen, self.first_query, keys=2), pattern[..., 1:]
        mass, others = rest.sum(-1), seen[..., 1:].sum(-1).double()
        share = entropy(rest / mass[..., None]) / others.log()[:, None]
        # a head that gives the first position everything has no other attention to spread
        besides = queries_from(seen[..., 1:], self.first_query, keys=2) & (mass > 0).all(1)
        queries = queries_from(seen, self.first_query)
        return {
            "entropy_share": mean_over_queries(own / keys.log()[:, None], spread),
            "entropy_share_without_first": mean_over_queries(share, besides),
            "slope": _slopes(own, keys.log(), spread),
            "max_weight": mean_over_queries(pattern.amax(-1), queries),
            "local_mass": mean_over_queries((pattern * near).sum(-1), queries),
            "uniform_max_weight": mean_over_queries(1 / keys, queries),
            "uniform_local_mass": mean_over_queries((seen & near).sum(-1) / keys, queries),
        }


def entropy(pattern: Pattern) -> Tensor:
    """−Σ p log p over the keys, in nats."""
    return torch.special.entr(pattern).sum(-1)


def _slopes(values: Tensor, logs: Tensor, queries: Tensor) -> np.ndarray:
    """Least-squares slope of each head's values (window, head, query) against `logs` (window, query)."""
    count = queries.sum(-1, keepdim=True)
    x = torch.where(queries, logs, 0)
    x = torch.where(queries, x - x.sum(-1, keepdim=True) / count, 0)
    energy = x.square().sum(-1)
    slope = torch.einsum("whq,wq->wh", values, x) / energy[:, None]
    return torch.where(energy[:, None] > 1e-20, slope, torch.nan).cpu().numpy()


@engine(obstacle=pattern_obstacle, default_prompts=windows_of)
def attention_dispersion(
    model: HookedModel, prompts: Prompts, options: AttentionDispersionOptions
) -> AttentionDispersion:
    """How widely each head spreads its attention: entropy, largest weight, local share, and growth with length.

    Entropy over the logarithm of the number t of keys that the query sees, largest attention, attention within `local`
    positions of the query, and the slope of entropy against log t: `layer head`, means over queries and windows.
    Control: uniform attention, whose entropy is log t, whose slope is 1 and whose largest weight is 1 / t.

    Many heads rest on the first position, which makes them look sharp: `entropy_share_without_first` is of what they
    attend to besides, as shares of its sum. Queries that see a single key are left out of both entropies.
    Unit: share of the greatest possible entropy; probability; nats.
    Conserves: uniform attention has entropy log t exactly.
    Source: Zhai et al. 2023, "Stabilizing Transformer Training by Preventing Attention Entropy Collapse", section 3;
    Chi et al. 2023, "Attention Alignment and Flexible Positional Embeddings Improve Transformer Length Extrapolation",
    for dispersion with length; Qin et al. 2022, "The Devil in Linear Transformer", for the local share.
    """
    sums = gather(model, prompts, DispersionSums(options.local, options.first_query, prompts.width))
    totals, values = sums.totals, {}
    for name in _OF_HEADS:
        values |= with_interval(name, sums.rows(name))
    for name in _OF_LAYERS:
        values[name] = bootstrap_mean(sums.rows(name))[0]
    for name in ("entropy", "largest", "uniform_entropy"):
        values[name] = totals[name] / totals["queries"]
    return AttentionDispersion.of(
        prompts,
        values,
        measured=f"spread of attention from position {options.first_query} on, over {len(prompts):,} windows; uniform "
        "attention has an entropy share and a slope of 1",
    )

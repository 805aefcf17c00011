"""Attention predicates: how much of every head's attention a predicate over positions and tokens accounts for."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from pydantic import Field
from pydantic.dataclasses import dataclass as options_dataclass
from torch import Tensor

from interp.core.engine import engine
from interp.core.intervals import bootstrap_mean
from interp.core.options import Count, Index
from interp.core.prompts import Prompts
from interp.corpus.gathering import Gathered, gather
from interp.corpus.options import CorpusOptions, windows_of
from interp.corpus.sums import Sums, Totals
from interp.kinds import PredicateScores
from interp.models.hooked import HookedModel
from interp.models.visible import patterns_obstacle, run_watching_patterns
from interp.patterns.naming import Head, heads_named
from interp.patterns.predicates import LANGUAGE, labels_of, parse
from interp.patterns.replacing import replaced_heads

DIGITS = 6  # of scores that are compared: below it rounding would choose the head
NORMAL = 1.96  # standard deviations to either side that hold 95 % of a normal distribution


@options_dataclass(frozen=True)
class AttentionPredicatesOptions(CorpusOptions):
    """The text, the predicates, and which heads are replaced by them."""

    predicates: tuple[str, ...] = Field(
        ("first", "self", "offset:-1", "same-token", "induction", "separator", "sentence", "regex:^ [A-Z]"),
        description=f"which keys: {LANGUAGE}",
        min_length=1,
        max_length=64,
    )
    skip: Index = Field(1, description="initial positions of every window whose queries do not count")
    heads: tuple[str, ...] = Field(
        (), description="heads that are replaced by every predicate, such as 23.3; by default its own best one"
    )
    replaced_windows: Count = Field(8, description="windows on which the loss with a replaced head is measured")


@dataclass(frozen=True)
class PredicateSums:
    """Attention on the cells of predicates, window by window.

    Rows a window: `mass`, `null`, `variance` (predicate × layer × head: mean over queries that see a cell, its mean and
    the variance of it under a shuffle of each row), `beyond` and `rest` (sums: attention on cells, and on all keys,
    behind the first position). Totals: `windows`.
    """

    predicates: tuple[str, ...]
    skip: int = 1
    name: str = "attention-predicates"

    def settings(self) -> dict[str, int | float | str]:
        """What distinguishes these sums from others."""
        return {"predicates": "\n".join(self.predicates), "skip": self.skip}

    def measure(self, model: HookedModel, windows: Prompts, first: int, into: Totals | None = None) -> Sums:
        """The sums of some windows."""
        dims, labels = model.dims, labels_of(model, windows)
        cells = torch.stack([parse(each)(windows, labels) for each in self.predicates]).to(model.device)
        cells[:, :, : self.skip] = False  # a query that sees no cell does not count
        shape = (len(windows), len(self.predicates), dims.layers, dims.heads)
        rows = {name: np.zeros(shape) for name in ("mass", "null", "variance", "beyond", "rest")}

        def score(layer: int, pattern: Tensor, keys: Tensor) -> None:
            for name, value in _scores(pattern, cells & keys, keys).items():
                rows[name][:, :, layer] = value.transpose(0, 1).cpu().numpy()

        run_watching_patterns(model, windows, score)
        totals = into or {"windows": np.asarray(0)}
        totals["windows"] += len(windows)
        return Sums(totals, rows)


def _scores(
    pattern: Float[Tensor, "window head query_pos key_pos"],
    cells: Bool[Tensor, "predicate window query_pos key_pos"],
    keys: Bool[Tensor, "window query_pos key_pos"],
) -> dict[str, Float[Tensor, "predicate window head"]]:
    """One layer's rows. Of n attentions with mean μ and variance σ², the sum of m drawn without replacement has mean
    mμ and variance mσ²(n − m) / (n − 1)."""
    weights, number = pattern.double(), keys.sum(-1).double()[:, None]  # window 1 query
    weights = weights * keys[:, None]
    size = cells.sum(-1).double()[:, :, None]  # predicate window 1 query
    counted = (size > 0).double()
    queries = counted.sum(-1)  # predicate window 1

    def over_queries(values: Tensor) -> Tensor:
        return (values * counted).sum(-1) / queries

    at_cells = torch.einsum("bhqk,pbqk->pbhq", weights, cells.double())
    mean = weights.sum(-1) / number
    spread = (weights.square().sum(-1) / number - mean.square()).clamp(min=0)
    variance = size * spread * (number - size) / (number - 1).clamp(min=1)
    on_first = weights[..., 0]
    return {
        "mass": over_queries(at_cells),
        "null": over_queries(size * mean),
        "variance": over_queries(variance) / queries,
        "beyond": ((at_cells - on_first * cells[:, :, None, :, 0]) * counted).sum(-1),
        "rest": ((weights.sum(-1) - on_first) * counted).sum(-1),
    }


@engine(obstacle=patterns_obstacle, default_prompts=windows_of)
def attention_predicates(model: HookedModel, prompts: Prompts, options: AttentionPredicatesOptions) -> PredicateScores:
    """How much of every head's attention falls on the keys that a predicate in words selects.

    Mean attention on the selected keys, `predicate layer head`, compared with the same rows shuffled; and the loss with
    a head's attention replaced by uniform attention on these keys: how much of the head the words explain.

    A query without a selected key that it sees does not count; a replaced head attends there to the first key that it
    sees. `beyond_first` leaves the first position out, on which many heads rest.
    Unit: probability.
    Raises: OptionError for a predicate that cannot be read, or a head that the model lacks.
    Source: Li et al. 2022, "Human Guided Exploitation of Interpretable Attention Patterns in Summarization and Topic
    Segmentation", section 3 (global relevance).
    Differs: scored for all heads with an exact null; only queries that have a selected key count; a pattern replaces
    a trained head and nothing is trained with it.
    """
    for predicate in options.predicates:
        parse(predicate)  # before anything runs
    gathered = gather(model, prompts, PredicateSums(options.predicates, options.skip))
    values = _statistics(gathered, options.seed)
    above = np.nan_to_num(values["mass"] - values["null"], nan=-np.inf).round(DIGITS)
    some = prompts[: options.replaced_windows]
    values |= replaced_heads(model, some, options.predicates, _heads(model, options.heads, above), options.seed)
    return PredicateScores.of(
        prompts,
        values,
        measured=f"attention on the keys that a predicate selects, {len(prompts):,} windows; rows shuffled as the null",
        predicate=list(options.predicates),
    )


def _statistics(gathered: Gathered, seed: int) -> dict[str, np.ndarray]:
    """Means over windows that have a query which sees a cell."""
    mass, low, high = bootstrap_mean(gathered.rows("mass"), seed=seed)
    null, _, _ = bootstrap_mean(gathered.rows("null"), resamples=1)
    variance = gathered.rows("variance")
    present = (~np.isnan(variance)).sum(0)
    with np.errstate(divide="ignore", invalid="ignore"):
        reach = NORMAL * np.sqrt(np.nansum(variance, 0)) / present
        beyond = gathered.rows("beyond").sum(0) / _or_nan(gathered.rows("rest").sum(0))
    return {
        "mass": mass,
        "mass_interval": np.stack([low, high], -1),
        "null": null,
        "null_interval": np.stack([null - reach, null + reach], -1),
        "beyond_first": beyond,
    }


def _or_nan(total: np.ndarray) -> np.ndarray:
    """Totals to divide by; NaN where nothing but rounding is left."""
    return np.where(total > 1e-9, total, np.nan)


def _heads(model: HookedModel, names: Sequence[str], above: np.ndarray) -> list[list[Head]]:
    """For each predicate the heads to replace: those named, or else the one that stands out most from the null."""
    if names:
        return [heads_named("attention-predicates", model, names) for _ in above]
    return [[divmod(int(each.argmax()), model.dims.heads)] for each in above]

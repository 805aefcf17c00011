"""Edge activation patching: the true effect of cutting each edge alone."""

import dataclasses
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from pydantic import Field
from pydantic.dataclasses import dataclass

from interp.circuits.edge_scores.table import EdgeTable
from interp.circuits.interventions.edge_executor import EdgeExecutor
from interp.circuits.interventions.groups import Group, groups
from interp.circuits.interventions.replacements import How
from interp.circuits.interventions.trials import cut_one
from interp.circuits.search.journal import Journal, journal_of
from interp.circuits.search.work import Work
from interp.core.engine import engine
from interp.core.errors import OptionError
from interp.core.metric import Metric
from interp.core.options import BatchTokens
from interp.core.paths import typed_file
from interp.core.progress import tell, track
from interp.core.prompts import PromptPairs, Prompts
from interp.core.result import SIGN
from interp.kinds import EdgeScores
from interp.models.finite import require_finite
from interp.models.hooked import HookedModel
from interp.models.writes import graph_obstacle, graph_of


@dataclass(frozen=True)
class EdgePatchingOptions:
    """What a cut edge carries, and how much work may be done."""

    how: How = Field("resample", description="what a cut edge carries: the corrupted run's value, zero, or the mean")
    limit: float = Field(
        20_000,
        gt=0,
        le=1e9,
        allow_inf_nan=False,
        description="refuse to start if it takes more work than this many full forward passes over the prompts",
    )
    batch_tokens: BatchTokens = Field(512, description="tokens per forward pass: several edges share a pass")
    resume: bool = Field(False, description="resume a run that was stopped or killed")
    journal: str | None = Field(None, description="file that effects are logged to; by default one in the cache")


class Patched(NamedTuple):
    """Effects of cutting edges from some senders into one receiver, on some prompts: `effects` is `sender row`."""

    receiver: int
    senders: list[int]
    rows: list[int]
    effects: list[list[float]]


@engine(obstacle=graph_obstacle)
def edge_patching(
    model: HookedModel, prompts: Prompts | PromptPairs, metric: Metric, options: EdgePatchingOptions
) -> EdgeScores:
    """True effect of cutting each edge of the computation graph, one edge at a time.

    s(u→v) = metric(v reads what u writes on the other run, all else as it follows) − metric(clean). Of each edge's run
    only the layers from the receiver on are computed, several edges side by side. What that takes is said first, in
    full forward passes over the prompts, and refused above `limit`.
    Returns the score, axes `batch edge`, with the edges' `sender` and `receiver`.

    Unit: that of the metric (logits).
    Raises: OptionError if it would take too long, or resampling is asked for without corrupted prompts; ResultError for
    a journal that cannot be written, is another run's or is in use; EngineError where activations are not finite;
    MemoryLimitError.
    Source: Syed et al. 2023, "Attribution Patching Outperforms Automated Circuit Discovery", section 2.
    """
    graph, table = graph_of(model), EdgeTable(model, prompts)
    batches = groups(prompts, metric, options.batch_tokens)
    work = _forwards(model, prompts)
    if work > options.limit:
        raise OptionError(
            f"edge-patching of {graph.edge_count:,} edges takes as much as {work:,.0f} forward passes, above limit = "
            f"{options.limit:,.10g}; raise it, or use path-patching for some edges, or eap-ig for an estimate of all"
        )
    chunks = [(group, receiver, senders) for group in batches for receiver, senders in _chunks(model, group, options)]
    tell(f"edge patching, {work:,.0f} forward passes", 0, len(chunks))
    question = {
        "engine": "edge-patching",
        "weights": model.weight_hash,
        "prompts": prompts.hash,
        "metric": dataclasses.asdict(metric),
        "how": options.how,
        "batch_tokens": options.batch_tokens,
    }
    path = typed_file(options.journal) if options.journal else journal_of(question)
    scores = torch.zeros(len(prompts), *graph.present.shape, dtype=torch.float64)
    with Journal(path, question, resume=options.resume, record=Patched) as journal:
        steps = _steps(model, chunks[len(journal.decided) :], options)
        for part in track(_after(journal, steps), len(chunks), "edge patching"):
            effects = torch.tensor(part.effects, dtype=torch.float64)
            scores[np.ix_(part.rows, part.senders, [part.receiver])] = effects.T[..., None]
        if not options.journal:
            journal.remove()
    table.add(list(range(len(prompts))), scores)
    return table.result(metric, f"change of {{}} when the edge alone is cut ({options.how})", sign=SIGN)


def _after(journal: Journal, steps: Iterator[Patched]) -> Iterator[Patched]:
    """What the journal holds, then what is new, which it takes note of."""
    yield from list(journal.decided)
    for part in steps:
        journal.add(part)
        yield part


def _forwards(model: HookedModel, prompts: Prompts | PromptPairs) -> float:
    """The work of all edges: of each, the layers from its receiver on."""
    graph, work = graph_of(model), Work(model, prompts.clean.width)
    costs = [work.above(min(graph.block(node).layer, graph.layers)) for node in graph.receiver_nodes]
    return float(graph.reads @ np.array(costs))


def _chunks(model: HookedModel, group: Group, options: EdgePatchingOptions) -> Iterator[tuple[int, list[int]]]:
    """Receivers, and the senders whose edges run side by side."""
    ways = max(1, options.batch_tokens // group.clean.tokens.numel())
    for receiver, count in enumerate(graph_of(model).reads.tolist()):
        for first in range(0, count, ways):
            yield receiver, list(range(first, min(count, first + ways)))


@torch.no_grad()
def _steps(
    model: HookedModel, chunks: list[tuple[Group, int, list[int]]], options: EdgePatchingOptions
) -> Iterator[Patched]:
    executor = base = None
    for group, receiver, senders in chunks:
        if executor is None or executor.clean is not group.clean:
            executor = EdgeExecutor(model, group.prompts, group.metric, options.how)
            require_finite(model, group.clean, executor.clean_metric)
            base = executor.whole()
        assert base is not None
        effects = cut_one(executor, base, [(sender, receiver) for sender in senders])
        yield Patched(receiver, senders, group.rows, effects.double().tolist())

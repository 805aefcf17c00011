"""ACDC: from output to input, edges are tested one by one and cut if the answer does not need them."""

import dataclasses
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from typing import Any, Literal, NamedTuple

import numpy as np
from jaxtyping import Bool, Float
from pydantic import Field
from pydantic.dataclasses import dataclass

from interp.circuits.eap import eap
from interp.circuits.interventions.edge_executor import EdgeExecutor
from interp.circuits.interventions.replacements import How
from interp.circuits.search.edge_removal import EdgeRemoval, require_memory_for_removal, visiting_order
from interp.circuits.search.found_circuit import Faithfulness, found_circuit
from interp.circuits.search.journal import Decision, Journal, journal_of
from interp.circuits.search.objective import Objective, ObjectiveName
from interp.core.engine import engine
from interp.core.errors import OptionError, ResultError
from interp.core.metric import Metric
from interp.core.options import Count
from interp.core.paths import typed_file
from interp.core.progress import track
from interp.core.prompts import PromptPairs, Prompts
from interp.kinds import FoundCircuit
from interp.models.finite import require_finite
from interp.models.hooked import HookedModel
from interp.models.writes import graph_obstacle, graph_of

_GRADIENT = 2  # what a backward pass costs, in forward passes
_NOT_ASKED = ("batch", "budget", "resume", "journal", "verify")  # options that leave every decision as it is


@dataclass(frozen=True)
class AcdcOptions:
    """The threshold, the objective it applies to, and how the search is run."""

    tau: float = Field(
        0.01,
        gt=0,
        le=1e6,
        allow_inf_nan=False,
        description="threshold: an edge is cut if the objective rises by less than this",
    )
    objective: ObjectiveName = Field(
        "kl", description="kl: KL(model ‖ circuit) at the answer position; task: the negated metric"
    )
    how: How = Field("resample", description="what a cut edge carries: the corrupted run's value, zero, or the mean")
    order: Literal["latest", "earliest"] = Field(
        "latest", description="order in which a receiver's senders are tested: latest first, or earliest first"
    )
    prefilter: Count | None = Field(
        None,
        description="restrict the search to this many edges, those with the largest EAP scores; all others are cut",
    )
    verify: bool = Field(False, description="with a pre-filter, also search without it and compare")
    batch: int = Field(8, ge=1, le=4096, description="edges tested in parallel where their decisions can be predicted")
    budget: float | None = Field(
        None,
        gt=0,
        le=1e9,
        allow_inf_nan=False,
        description="stop after work equivalent to this many full forward passes",
    )
    resume: bool = Field(False, description="resume a run that was stopped or killed")
    journal: str | None = Field(None, description="file that decisions are logged to; by default one in the cache")


@engine(obstacle=graph_obstacle)
def acdc(model: HookedModel, prompts: Prompts | PromptPairs, metric: Metric, options: AcdcOptions) -> FoundCircuit:
    """The edges that the answer needs: each is tested in turn and cut for good if that changes little.

    Search for the edges that the answer needs: cut each in turn, and keep the cut if the objective rises by less
    than τ.

    Receivers come from output to input: the logits, then each layer's MLP, values, keys and queries, heads ascending;
    of a receiver's senders the latest first. Returns the kept edges' `score` (axis `edge`, with `sender` and
    `receiver`), `removal_effect` and `kept` of every edge (axis `candidate`), and totals.

    Nothing is run that cannot change: of the layers, those from the receiver on; of the last layer, one head, and the
    MLP and the unembedding at the answer; and nothing at all for a receiver that the answer does not depend on.
    `forwards` is the work done, in multiplications, as a multiple of calling the model once on all prompts; it counts
    what was tried in vain and the runs that come first, and not what a journal brought along.

    Unit: nats (kl), or that of the metric (task).
    Raises: OptionError if resampling is asked for without corrupted prompts; ResultError for a journal that cannot be
    written, is another search's or is in use; EngineError where activations are not finite; MemoryLimitError.
    Source: Conmy et al. 2023, "Towards Automated Circuit Discovery for Mechanistic Interpretability", algorithm 1.
    Differs: KL is taken at the answer's position; queries, keys and values of grouped heads are receivers once each.
    """
    if options.verify and options.prefilter is None:
        raise OptionError("acdc, verify compares with a search without the pre-filter; give prefilter as well")
    clean = prompts.clean
    require_memory_for_removal(model, graph_of(model), clean, options.batch)
    executor = EdgeExecutor(model, prompts, metric, options.how)
    require_finite(model, clean, executor.clean_metric)
    faithfulness = Faithfulness(executor)
    start, runs = executor.graph.present, _runs(options) + 1  # that of the found circuit
    if options.prefilter is not None:
        start = _strongest(model, prompts, metric, options)
        runs += _runs(options) - 1 + _GRADIENT + 1  # that of the pre-filtered start
    question = _question(model, prompts, metric, options)
    found = _search(executor, start, options, question, runs)
    totals = {"forwards": found.forwards}
    if options.prefilter is not None:
        totals["prefilter_faithfulness"] = faithfulness.of(faithfulness.metric(start))
    if options.verify:
        totals |= _verified(executor, faithfulness, found.stays, model, prompts, options)
    objective = _objective(executor, options)
    return found_circuit(
        faithfulness,
        found.kept,
        {"removal_effect": objective.orientation * found.rise},
        totals,
        score="removal_effect",
        unit=objective.unit,
        measured=f"change of {objective.label} when an edge is cut ({options.how}), edges kept at τ = {options.tau:g}",
        sign=objective.sign,
        supports=objective.supports,
    )


class _Found(NamedTuple):
    """Decisions on every edge, and the work that they took."""

    kept: Float[np.ndarray, "sender receiver"]  # 1, 0, or NaN: undecided
    rise: Float[np.ndarray, "sender receiver"]
    forwards: float

    @property
    def stays(self) -> Bool[np.ndarray, "sender receiver"]:
        """What is in the circuit, undecided edges among them."""
        return self.kept != 0


def _search(
    executor: EdgeExecutor, start: np.ndarray, options: AcdcOptions, question: dict[str, Any], runs: int
) -> _Found:
    """Decide on the edges of `start`; `runs` are whole runs beside the search."""
    removal = EdgeRemoval(executor, _objective(executor, options), start)
    removal.forwards += runs * removal.work.above(0)
    kept, rise = np.where(start, np.nan, 0.0), np.full(start.shape, np.nan)
    total = int(start.sum())
    path = typed_file(options.journal) if options.journal else journal_of(question)
    with Journal(path, question, resume=options.resume) as journal:
        decisions = _Decisions(removal, start, options, journal.decided)
        for index, decision in enumerate(track(decisions, total, "ACDC")):
            if index >= len(journal.decided):
                journal.add(decision)
            edge = decision.sender, decision.receiver
            kept[edge], rise[edge] = not decision.removed, decision.rise
        if not options.journal and not np.isnan(kept).any():
            journal.remove()
    return _Found(kept, rise, removal.forwards)


class _Decisions:
    """Decides edge by edge, in order; what is already known is taken over.

    Several edges are tried side by side, as if it were known that those before would all be removed (or kept, if the
    last one was): as far as that turns out to be so, each was tried on the very circuit it should be, and the rest is
    tried again. So no decision depends on how many are tried at a time.
    """

    def __init__(
        self, removal: EdgeRemoval, start: np.ndarray, options: AcdcOptions, known: Iterable[Decision]
    ) -> None:
        self._removal, self._start, self._options, self._known = removal, start, options, deque(known)
        self._removing, self._streak = True, 0  # the latest decision, and how many in a row were like it

    def __iter__(self) -> Iterator[Decision]:
        for receiver in visiting_order(self._removal.graph):
            senders = np.nonzero(self._start[:, receiver])[0].tolist()
            waiting = deque(reversed(senders) if self._options.order == "latest" else senders)
            if self._removal.reaches_answer(receiver):
                yield from self._tried(receiver, waiting)
                if waiting:  # the budget is spent
                    return
            else:  # nothing can rise, and 0 < τ
                for sender in waiting:
                    if self._known:
                        self._next_known(receiver, sender)
                    yield self._decided(sender, receiver, np.nan, self._removal.value)
            self._removal.settle(receiver)

    def _tried(self, receiver: int, waiting: deque[int]) -> Generator[Decision]:
        while waiting and (width := min(self._foreseeable, len(waiting))):
            senders, foreseen, values = [waiting[index] for index in range(width)], self._removing, []
            known = self._known_of(receiver, senders, foreseen)
            if not known or (len(known) < width and known[-1].removed == foreseen and self._options.budget is None):
                # A kill may have come between decisions that were made together: all are tried again, as they were.
                senders = senders[: self._affordable(receiver)]
                values = self._removal.tried(receiver, senders, foreseen) if senders else []
                if not values:
                    return
            for decision in self._decisions(receiver, senders, values, known):
                waiting.popleft()
                yield decision
                self._removing = decision.removed
                self._streak = self._streak + 1 if decision.removed == foreseen else 0
                if decision.removed != foreseen:
                    break

    def _known_of(self, receiver: int, senders: list[int], foreseen: bool) -> list[Decision]:
        """What the journal says of edges tried side by side, up to one that was decided otherwise than foreseen."""
        known: list[Decision] = []
        while self._known and len(known) < len(senders) and (not known or known[-1].removed == foreseen):
            known.append(self._next_known(receiver, senders[len(known)]))
        return known

    def _next_known(self, receiver: int, sender: int) -> Decision:
        decision = self._known.popleft()
        if (decision.sender, decision.receiver) != (sender, receiver):
            raise ResultError("the journal's edges are not in the order of this search; delete it and start again")
        return decision

    def _decisions(
        self, receiver: int, senders: list[int], values: list[float], known: list[Decision]
    ) -> Iterator[Decision]:
        for decision in known:
            if decision.removed:
                self._removal.remove(decision.sender, receiver, decision.value)
            yield decision
        for sender, value in list(zip(senders, values, strict=False))[len(known) :]:
            yield self._decided(sender, receiver, value - self._removal.value, value)

    @property
    def _foreseeable(self) -> int:
        """How many to try side by side: few where decisions change often, so that little is tried in vain."""
        return min(self._options.batch, 1 + self._streak // 4)

    def _decided(self, sender: int, receiver: int, rise: float, value: float) -> Decision:
        removed = not rise >= self._options.tau  # NaN: nothing could rise
        if removed:
            self._removal.remove(sender, receiver, value)
        return Decision(sender, receiver, rise, removed, self._removal.value)

    def _affordable(self, receiver: int) -> int:
        """How many trials the budget still allows."""
        if self._options.budget is None:
            return self._options.batch
        return max(0, int((self._options.budget - self._removal.forwards) / self._removal.cost(receiver)))


def _strongest(
    model: HookedModel, prompts: Prompts | PromptPairs, metric: Metric, options: AcdcOptions
) -> Bool[np.ndarray, "sender receiver"]:
    """The edges with the largest EAP scores: |mean over prompts|; for KL, where no prompt offsets another, mean | |."""
    scores = eap.run(model, prompts, metric, eap.parse_options({"how": options.how})).values().values
    size = abs(scores).mean(0) if options.objective == "kl" else abs(scores.mean(0))
    chosen = np.argsort(-size, kind="stable")[: options.prefilter]
    senders, receivers = np.nonzero(graph_of(model).present)
    mask = np.zeros(graph_of(model).present.shape, dtype=bool)
    mask[senders[chosen], receivers[chosen]] = True
    return mask


def _verified(
    executor: EdgeExecutor,
    faithfulness: Faithfulness,
    stays: np.ndarray,
    model: HookedModel,
    prompts: Prompts | PromptPairs,
    options: AcdcOptions,
) -> dict[str, float]:
    """The same search without the pre-filter, and how far both agree."""
    journal = f"{options.journal}.lossless" if options.journal else None
    lossless = dataclasses.replace(options, prefilter=None, journal=journal)
    question = _question(model, prompts, executor.metric, lossless)
    found = _search(executor, executor.graph.present, lossless, question, _runs(options))
    other = found.stays & executor.graph.present
    either = (stays | other).sum()
    return {
        "jaccard": (stays & other).sum() / either if either else float("nan"),
        "lossless_edges": other.sum(),
        "lossless_faithfulness": faithfulness.of(faithfulness.metric(other)),
        "lossless_forwards": found.forwards,
    }


def _objective(executor: EdgeExecutor, options: AcdcOptions) -> Objective:
    return Objective(options.objective, executor.metric, executor.clean_logits)


def _runs(options: AcdcOptions) -> int:
    """Whole runs that come first: clean, corrupted, and with every edge cut."""
    return 3 if options.how == "resample" else 2


def _question(
    model: HookedModel, prompts: Prompts | PromptPairs, metric: Metric, options: AcdcOptions
) -> dict[str, Any]:
    """All that decisions depend on."""
    return {
        "engine": "acdc",
        "weights": model.weight_hash,
        "prompts": prompts.hash,
        "metric": dataclasses.asdict(metric),
        "options": {name: value for name, value in dataclasses.asdict(options).items() if name not in _NOT_ASKED},
    }

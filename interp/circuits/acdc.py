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
from interp.core.progress import tell, track
from interp.core.prompts import PromptPairs, Prompts
from interp.kinds import FoundCircuit
from interp.models.finite import require_finite
from interp.models.hooked import HookedModel
from interp.models.writes import graph_obstacle, graph_of

_GRADIENT = 2  # what a backward pass costs, in forward passes
_WITHOUT_EFFECT = ("batch", "budget", "resume", "journal", "verify")  # options that leave every decision as it is


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
    trials in vain and the runs that come first, but not decisions taken from a journal.

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
    outcome = _search(executor, start, options, question, runs)
    totals = {"forwards": outcome.forwards}
    if options.prefilter is not None:
        totals["prefilter_faithfulness"] = faithfulness.of(faithfulness.metric(start))
    if options.verify:
        totals |= _verification(executor, faithfulness, outcome.in_circuit, model, prompts, options)
    objective = _objective(executor, options)
    return found_circuit(
        faithfulness,
        outcome.mask,
        {"removal_effect": objective.orientation * outcome.rise},
        totals,
        score="removal_effect",
        unit=objective.unit,
        measured=f"change of {objective.label} when an edge is cut ({options.how}), edges kept at τ = {options.tau:g}",
        sign=objective.sign,
        supports=objective.supports,
    )


class _Outcome(NamedTuple):
    """Decisions on every edge, and the work that they took."""

    mask: Float[np.ndarray, "sender receiver"]  # 1, 0, or NaN: undecided
    rise: Float[np.ndarray, "sender receiver"]
    forwards: float

    @property
    def in_circuit(self) -> Bool[np.ndarray, "sender receiver"]:
        """What is in the circuit, undecided edges among them."""
        return self.mask != 0


def _search(
    executor: EdgeExecutor, start: np.ndarray, options: AcdcOptions, question: dict[str, Any], runs: int
) -> _Outcome:
    """Decide on the edges of `start`; `runs` are whole runs besides the search."""
    removal = EdgeRemoval(executor, _objective(executor, options), start)
    removal.forwards += runs * removal.work.above(0)
    mask, rise = np.where(start, np.nan, 0.0), np.full(start.shape, np.nan)
    total = int(start.sum())
    most = sum(removal.cost(receiver) * count for receiver, count in enumerate(start.sum(0).tolist()))
    tell(f"ACDC, at most {most:,.0f} forward passes", 0, total)
    path = typed_file(options.journal) if options.journal else journal_of(question)
    with Journal(path, question, resume=options.resume) as journal:
        decisions = _Decisions(removal, start, options, journal.decided)
        for index, decision in enumerate(track(decisions, total, "ACDC")):
            if index >= len(journal.decided):
                journal.add(decision)
            edge = decision.sender, decision.receiver
            mask[edge], rise[edge] = not decision.removed, decision.rise
        if not options.journal and not np.isnan(mask).any():
            journal.remove()
    return _Outcome(mask, rise, removal.forwards)


class _Decisions:
    """Decides edge by edge, in order; decisions in the journal are reused.

    Several edges are tried in parallel, predicting that those before would all be removed (or kept, if the last one
    was): as far as that turns out to be so, each was tried on the right circuit, and the rest are tried again. So no
    decision depends on how many are tried at a time.
    """

    def __init__(self, removal: EdgeRemoval, start: np.ndarray, options: AcdcOptions, past: Iterable[Decision]) -> None:
        self._removal, self._start, self._options, self._past = removal, start, options, deque(past)
        self._removing, self._streak = True, 0  # the latest decision, and how many in a row were like it

    def __iter__(self) -> Iterator[Decision]:
        for receiver in visiting_order(self._removal.graph):
            senders = np.nonzero(self._start[:, receiver])[0].tolist()
            waiting = deque(reversed(senders) if self._options.order == "latest" else senders)
            if self._removal.reaches_answer(receiver):
                yield from self._test(receiver, waiting)
                if waiting:  # the budget is spent
                    return
            else:  # nothing can rise, and 0 < τ
                for sender in waiting:
                    if self._past:
                        self._next_past(receiver, sender)
                    yield self._decide(sender, receiver, np.nan, self._removal.value)
            self._removal.settle(receiver)

    def _test(self, receiver: int, waiting: deque[int]) -> Generator[Decision]:
        while waiting and (width := min(self._parallel, len(waiting))):
            senders, prediction, values = [waiting[index] for index in range(width)], self._removing, []
            past = self._past_of(receiver, senders, prediction)
            if not past or (len(past) < width and past[-1].removed == prediction and self._options.budget is None):
                # A kill may have come between decisions that were made together: all are tried again, as they were.
                senders = senders[: self._affordable(receiver)]
                values = self._removal.trial_values(receiver, senders, prediction) if senders else []
                if not values:
                    return
            for decision in self._decisions(receiver, senders, values, past):
                waiting.popleft()
                yield decision
                self._removing = decision.removed
                self._streak = self._streak + 1 if decision.removed == prediction else 0
                if decision.removed != prediction:
                    break

    def _past_of(self, receiver: int, senders: list[int], prediction: bool) -> list[Decision]:
        """The journal's decisions on edges tried in parallel, up to the first that differs from the prediction."""
        past: list[Decision] = []
        while self._past and len(past) < len(senders) and (not past or past[-1].removed == prediction):
            past.append(self._next_past(receiver, senders[len(past)]))
        return past

    def _next_past(self, receiver: int, sender: int) -> Decision:
        decision = self._past.popleft()
        if (decision.sender, decision.receiver) != (sender, receiver):
            raise ResultError("the journal's edges are not in the order of this search; delete it and start again")
        return decision

    def _decisions(
        self, receiver: int, senders: list[int], values: list[float], past: list[Decision]
    ) -> Iterator[Decision]:
        for decision in past:
            if decision.removed:
                self._removal.remove(decision.sender, receiver, decision.value)
            yield decision
        for sender, value in list(zip(senders, values, strict=False))[len(past) :]:
            yield self._decide(sender, receiver, value - self._removal.value, value)

    @property
    def _parallel(self) -> int:
        """How many to try in parallel: few where decisions change often, so that little is tried in vain."""
        return min(self._options.batch, 1 + self._streak // 4)

    def _decide(self, sender: int, receiver: int, rise: float, value: float) -> Decision:
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
    top = np.argsort(-size, kind="stable")[: options.prefilter]
    senders, receivers = np.nonzero(graph_of(model).present)
    mask = np.zeros(graph_of(model).present.shape, dtype=bool)
    mask[senders[top], receivers[top]] = True
    return mask


def _verification(
    executor: EdgeExecutor,
    faithfulness: Faithfulness,
    in_circuit: np.ndarray,
    model: HookedModel,
    prompts: Prompts | PromptPairs,
    options: AcdcOptions,
) -> dict[str, float]:
    """The same search without the pre-filter, and how far the two agree."""
    journal = f"{options.journal}.lossless" if options.journal else None
    lossless = dataclasses.replace(options, prefilter=None, journal=journal)
    question = _question(model, prompts, executor.metric, lossless)
    outcome = _search(executor, executor.graph.present, lossless, question, _runs(options))
    other = outcome.in_circuit & executor.graph.present
    either = (in_circuit | other).sum()
    return {
        "jaccard": (in_circuit & other).sum() / either if either else float("nan"),
        "lossless_edges": other.sum(),
        "lossless_faithfulness": faithfulness.of(faithfulness.metric(other)),
        "lossless_forwards": outcome.forwards,
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
        "options": {name: value for name, value in dataclasses.asdict(options).items() if name not in _WITHOUT_EFFECT},
    }

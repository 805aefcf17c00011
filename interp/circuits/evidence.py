"""Evidence for a circuit: is it faithful, complete and minimal, and how does a random circuit compare?"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
from jaxtyping import Float
from pydantic import Field
from pydantic.dataclasses import dataclass
from torch import Tensor

from interp.circuits.eap import eap
from interp.circuits.interventions.edge_executor import EdgeExecutor
from interp.circuits.interventions.groups import groups
from interp.circuits.interventions.replacements import How
from interp.circuits.interventions.trials import Mask, Trials
from interp.circuits.search.constants import mean_constants, optimal_constants
from interp.circuits.search.found_circuit import nothing_between
from interp.circuits.search.ranking import Ranking, mask_at, stability
from interp.core.edges import CircuitEdge
from interp.core.engine import engine
from interp.core.errors import EngineError, OptionError, ResultError
from interp.core.graph import ComputationGraph
from interp.core.intervals import bootstrap_mean, percentile_interval, resampling_weights
from interp.core.metric import Metric
from interp.core.options import BatchTokens, Count, Repeats, Seed
from interp.core.paths import typed_file
from interp.core.prompts import PromptPairs, Prompts
from interp.core.ranking import rank_correlation
from interp.core.result import SIGN, Result
from interp.kinds import EXTRACTIONS, Circuit, CircuitEvidence, EdgeScores, Extraction, FoundCircuit
from interp.models.hooked import HookedModel
from interp.models.writes import graph_obstacle, graph_of

PERCENT = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0)  # the budgets of MIB


@dataclass(frozen=True)
class CircuitEvidenceOptions:
    """Which circuit, and how extensively it is tested."""

    circuit: str = Field("", description="a circuit's JSON, or a saved result with edges; by default EAP's strongest")
    size: Count = Field(200, description="size of the circuit in edges, where it is extracted from scores of all edges")
    extraction: Extraction = Field(
        "top",
        description="which edges are the circuit: "
        + "; ".join(f"{name}: {meaning}" for name, meaning in EXTRACTIONS.items())
        + "; the curve follows greedy too, and otherwise takes edges by score",
    )
    how: How | Literal["dataset-mean", "optimal"] | None = Field(
        None,
        description="what a cut edge carries: the corrupted run's value, zero, the mean over the prompt or over all "
        "prompts, or the constant that changes the answer least; by default as when the circuit was found",
    )
    budgets: tuple[Annotated[float, Field(gt=0, le=100)], ...] = Field(
        PERCENT, min_length=1, description="circuit sizes of the curve, as percentages of all edges"
    )
    draws: Repeats = Field(3, description="random circuits of each size")
    tested_nodes: int = Field(30, ge=0, le=10**6, description="number of nodes removed one by one, strongest first")
    knockouts: int = Field(
        5, ge=0, le=10**4, description="number of random sets of nodes that are knocked out together"
    )
    tested_edges: Count = Field(20, description="number of edges whose effect is measured by patching, strongest first")
    seed: Seed = Field(0, description="random seed")
    batch_tokens: BatchTokens = Field(256, description="tokens per pass: more need more memory")


@engine(obstacle=graph_obstacle)
def circuit_evidence(
    model: HookedModel, prompts: Prompts | PromptPairs, metric: Metric, options: CircuitEvidenceOptions
) -> CircuitEvidence:
    """How faithful, complete and minimal a circuit is, compared with random circuits of the same size.

    With m(·) the metric's mean over prompts, C the circuit, N the whole model, ∅ nothing kept: faithfulness
    f = (m(C) − m(∅)) / (m(N) − m(∅)), unclamped; incompleteness of a set K of nodes |m(C∖K) − m(N∖K)|, with K each
    tested node and random sets; minimality m(C∖v) − m(C) of each tested node v. At each budget, a share b of all edges,
    ⌊b · edges⌋ of them are kept: `curve` is f of those with the largest |score|, `signed_curve` f of those that most
    support the answer. CMD = ∫|1 − f| of the first and CPR = ∫f of the second over the budgets, by trapezoids. Edges
    are ranked by the scores in the file, or where it holds kept edges only by `eap` on these prompts. `stability` is
    the mean Jaccard index of two circuits of this size, each extracted from the scores of resampled prompts.
    What a cut edge carries may be MIB's: the counterfactual (`resample`), the mean over all prompts (`dataset-mean`),
    or the constants that minimise KL(model ‖ circuit) over random circuits (`optimal`).
    Intervals resample prompts; the ratio is that of resampled means. One prompt has no intervals: NaN.
    Unit: faithfulness, CPR and CMD are shares; the others that of the metric.
    Raises: EngineError where the metric is the same with all edges kept and cut, so that there is nothing to divide by;
    ResultError for a circuit of another model or a file that cannot be read; OptionError if cut edges should carry
    corrupted values and there are no corrupted prompts; MemoryLimitError.
    Source: Wang et al. 2022, section 4 (completeness, minimality); Mueller et al. 2025, MIB (CPR, CMD); Méloux et al.
    2025 (stability); Li & Janson 2024 (optimal constants).
    Differs: minimality removes each node from the circuit as it is, not from the circuit less a set chosen by hand; a
    key or value that several heads share is one receiver, where MIB counts it once for each head.
    """
    circuit, ranking = _subject(model, prompts, metric, options)
    _require_positions(circuit, prompts)
    how = _how(options, circuit)
    trials = Trials(model, prompts, metric, how, options.batch_tokens, _constants(model, prompts, metric, options))
    ends = _Ends.of(*trials.ends(), metric=metric)
    variables, labels = _measures(trials, ends, circuit, ranking, options)
    which = f"the {circuit.method}" if circuit.method else "a"
    claim = f"how well {which} circuit of {len(circuit)} edges accounts for {metric.label}"
    description = f"{claim}; edges ranked by {ranking.source}"
    return CircuitEvidence.of(prompts.clean, variables, unit=metric.unit, measured=description, sign=SIGN, **labels)


def _measures(
    trials: Trials, ends: "_Ends", circuit: Circuit, ranking: Ranking, options: CircuitEvidenceOptions
) -> tuple[dict[str, Any], dict[str, Any]]:
    """All that is measured, and the labels of its axes."""
    budgets = np.unique(options.budgets) / 100
    sizes = (budgets * circuit.graph.edge_count).astype(int)
    nodes, edges, runs = _run(trials, circuit, ranking, sizes.tolist(), options)
    of_circuit, of_budget, of_signed, of_random, of_less, of_rest = runs
    values, share = trials.values, ends.faithfulness(trials.values)
    curve, signed_curve, random_share = share[of_budget], share[of_signed], share[of_random].reshape(-1, options.draws)
    changes, apart = values[of_less][: len(nodes)] - values[of_circuit], values[of_less] - values[of_rest]
    pruned_sizes = [
        int(circuit.graph.pruned(ranking.mask_of(n), resampled=trials.how == "resample").sum()) for n in sizes
    ]
    effects, scores = trials.effects, ranking.scores_of(edges)
    resampled = ranking.resampled(ranking.size_of(circuit), options.seed)
    variables: dict[str, Any] = {
        **_with_ends("faithfulness", share[of_circuit][0], np.concatenate(ends.interval(values[of_circuit]))),
        "random_faithfulness": random_share[-1].mean(),
        "clean": ends.clean.mean(),
        "corrupted": ends.cut.mean(),
        "circuit": values[of_circuit].mean(),
        "edges": len(circuit),
        **_with_ends("incompleteness", *_mean_distance(apart)),
        **_areas(budgets, curve, signed_curve, random_share[:-1]),
        "stability": stability(resampled),
        "rank_correlation": rank_correlation(np.stack([scores, effects.mean(1)]))[0, 1] if len(edges) > 1 else np.nan,
        "linearisation_error": _linearisation_error(scores, effects.mean(1)) if ranking.is_effect else np.nan,
    }
    variables |= {
        **_with_ends("curve", curve, ends.interval(values[of_budget])),
        **_with_ends("signed_curve", signed_curve, ends.interval(values[of_signed])),
        "nominal": sizes,
        "pruned": pruned_sizes,
        "random_curve": random_share[:-1],
        **_with_ends("minimality", changes.mean(1), bootstrap_mean(changes, axis=1)[1:]),
        "node_incompleteness": np.abs(apart.mean(1))[: len(nodes)],
        **_with_ends("edge_effect", effects.mean(1), bootstrap_mean(effects, axis=1)[1:]),
        "edge_score": ("edge", scores, ranking.unit),
        "selection_frequency": ranking.selection_frequency(resampled, edges),
    }
    labels = {"budget": ("budget", budgets), "component": ("component", np.array(nodes, dtype=object))}
    return variables, labels | _ends_of(edges)


def _ends_of(edges: Sequence[CircuitEdge]) -> dict[str, Any]:
    """The labels of edges."""
    columns = {end: [getattr(edge, end) for edge in edges] for end in ("sender", "receiver")}
    return {end: ("edge", np.array(names, dtype=object)) for end, names in columns.items()}


def _run(
    trials: Trials, circuit: Circuit, ranking: Ranking, sizes: Sequence[int], options: CircuitEvidenceOptions
) -> tuple[list[str], list[CircuitEdge], list[slice]]:
    """Run the circuit, the first edges of both orders at each size, random circuits, and circuits without some nodes.

    Returns the nodes and edges that were tested, and where the values of each test stand.
    """
    random, graph = np.random.default_rng(options.seed), circuit.graph
    nodes = _strongest_nodes(circuit, ranking)[: options.tested_nodes]
    sets = [(node,) for node in nodes] + _random_sets(circuit, options.knockouts, random)
    edges = _strongest_edges(circuit, ranking)[: options.tested_edges]
    of_circuit = trials.add([lambda: circuit.mask])
    of_budget = trials.add([lambda n=size: ranking.mask_of(n) for size in sizes])
    of_signed = trials.add([lambda n=size: ranking.mask_of(n, order=ranking.signed_order) for size in sizes])
    samples = [_sample(graph, n, random) for n in (*sizes, ranking.size_of(circuit)) for _ in range(options.draws)]
    of_random = trials.add([lambda mask=mask: mask_at(graph, mask) for mask in samples])
    of_less = trials.add([_without(circuit, nodes) for nodes in sets])
    of_rest = trials.add([_without_in_model(circuit, nodes) for nodes in sets])
    trials.run([(graph.sender(edge.sender), graph.receiver(edge.receiver)) for edge in edges])
    return nodes, edges, [of_circuit, of_budget, of_signed, of_random, of_less, of_rest]


# The circuit and the ranking of edges


def _subject(
    model: HookedModel, prompts: Prompts | PromptPairs, metric: Metric, options: CircuitEvidenceOptions
) -> tuple[Circuit, Ranking]:
    """The circuit, and scores of all edges."""
    result = _read(options.circuit) if options.circuit else None
    if isinstance(result, Circuit):
        circuit = result
    elif result is not None:
        size = options.size if isinstance(result, EdgeScores) else None
        circuit = Circuit.of(result, size, extraction=options.extraction)
    else:
        circuit = None
    if circuit is not None:
        circuit.require_model(model)
        if replace(circuit.graph, features=()) != graph_of(model):
            raise ResultError(f"the circuit is of another computation graph than that of {model.name}; make it again")
    if isinstance(result, EdgeScores):
        scores, source = result, f"the {result.provenance.engine} scores of the file"
    else:
        how = _how(options, circuit)
        scores, source = (
            eap.run(model, prompts, metric, eap.parse_options({"how": how})),
            "eap on these prompts",
        )
    if circuit is None:
        selection = Circuit.of(scores, options.size, extraction=options.extraction, prune=False)
        circuit = replace(selection, how=_how(options, None)).pruned()
    return circuit, Ranking(circuit.graph, scores, options.extraction, source, metric.unit)


def _how(options: CircuitEvidenceOptions, circuit: Circuit | None) -> How:
    """What a cut edge carries; constants take the place of a mean."""
    how: Any = options.how or (circuit.how if circuit else "resample")
    return "mean" if how in ("dataset-mean", "optimal") else how


def _constants(
    model: HookedModel, prompts: Prompts | PromptPairs, metric: Metric, options: CircuitEvidenceOptions
) -> Tensor | None:
    """The vector of every sender that a cut edge carries, where that is a constant."""
    if options.how not in ("dataset-mean", "optimal"):
        return None
    some = groups(prompts, metric, options.batch_tokens)
    executor_of = lambda group: EdgeExecutor(model, group.prompts, group.metric, "mean")  # noqa: E731
    if options.how == "optimal":
        return optimal_constants(some, executor_of, options.seed)
    return mean_constants(map(executor_of, some)).mean


def _read(path: str) -> Circuit | EdgeScores | FoundCircuit:
    if typed_file(path).suffix != ".nc":
        return Circuit.load(path)
    result = Result.load(path)
    if not isinstance(result, EdgeScores | FoundCircuit):
        raise ResultError(f"{path} holds {type(result).__name__}, which has no edges; give edge scores or a circuit")
    return result


def _require_positions(circuit: Circuit, prompts: Prompts | PromptPairs) -> None:
    width = prompts.clean.width
    if circuit.by_position and circuit.width != width:
        raise OptionError(
            f"the circuit's edges are at {circuit.width} positions but the prompts have {width} tokens; give "
            "prompts of the length that it was found on"
        )


def _strongest_nodes(circuit: Circuit, ranking: Ranking) -> list[str]:
    """The circuit's heads and MLPs, by how much their edges score in all."""
    strength = dict.fromkeys((name for name in circuit.nodes if name not in ("embed", "logits")), 0.0)
    for edge, score in zip(circuit.edges, np.abs(ranking.scores_of(circuit.edges)), strict=True):
        if edge.sender in strength:
            strength[edge.sender] += float(score)
    return sorted(strength, key=lambda name: -strength[name])


def _strongest_edges(circuit: Circuit, ranking: Ranking) -> list[CircuitEdge]:
    """The circuit's edges, by score; each once, whatever its positions."""
    once = list(dict.fromkeys(CircuitEdge(edge.sender, edge.receiver, 0) for edge in circuit.edges))
    scores = np.abs(ranking.scores_of(once)) if once else np.zeros(0)
    return [once[index] for index in np.argsort(-scores, kind="stable")]


# Sets of edges to run


def _sample(graph: ComputationGraph, count: int, random: np.random.Generator) -> np.ndarray:
    return random.choice(graph.edge_count, count, replace=False)


def _random_sets(circuit: Circuit, count: int, random: np.random.Generator) -> list[tuple[str, ...]]:
    """Sets of two nodes up to half of them all."""
    nodes = [name for name in circuit.nodes if name not in ("embed", "logits")]
    if len(nodes) < 3:
        return []
    sizes = random.integers(2, max(3, len(nodes) // 2 + 1), size=count)
    return [tuple(random.choice(nodes, size, replace=False).tolist()) for size in sizes]


def _without(circuit: Circuit, nodes: Sequence[str]) -> Mask:
    return lambda: circuit.mask & _apart_from(circuit.graph, nodes)


def _without_in_model(circuit: Circuit, nodes: Sequence[str]) -> Mask:
    return lambda: circuit.graph.present & _apart_from(circuit.graph, nodes)


def _apart_from(graph: ComputationGraph, nodes: Sequence[str]) -> np.ndarray:
    """All edges but those out of some nodes: what a node reads no longer matters then."""
    mask = np.ones((len(graph.senders), 1), dtype=bool)
    mask[[graph.sender(name) for name in nodes]] = False
    return mask


# Statistics


class _Ends(NamedTuple):
    """The metric of every prompt with all edges kept, and with all cut; and how prompts are resampled."""

    clean: Float[np.ndarray, "batch"]
    cut: Float[np.ndarray, "batch"]
    weights: Float[np.ndarray, "resample batch"]

    @classmethod
    def of(cls, clean: np.ndarray, cut: np.ndarray, *, metric: Metric) -> "_Ends":
        """Raises: EngineError where both means are the same: there is nothing to divide by."""
        if nothing_between(clean, cut):
            raise EngineError(
                f"{metric.label} is {clean.mean():.4g} with every edge kept and {cut.mean():.4g} with every edge "
                "cut, so a circuit has nothing to explain; use prompts, or a `how`, for which cutting changes it"
            )
        return cls(clean, cut, resampling_weights(len(clean)))

    def faithfulness(self, values: Float[np.ndarray, "trial batch"]) -> Float[np.ndarray, "trial"]:
        """The share of the way from all edges cut to all kept."""
        return (values.mean(1) - self.cut.mean()) / (self.clean.mean() - self.cut.mean())

    def interval(self, values: Float[np.ndarray, "trial batch"]) -> tuple[np.ndarray, np.ndarray]:
        """Of the ratio of resampled means; NaN for one prompt."""
        if len(self.clean) == 1:
            return np.full(len(values), np.nan), np.full(len(values), np.nan)
        with np.errstate(divide="ignore", invalid="ignore"):
            low = self.weights @ self.cut
            estimates = (values @ self.weights.T - low) / (self.weights @ self.clean - low)
        return percentile_interval(estimates)


def _with_ends(name: str, value: Any, ends: Any) -> dict[str, Any]:
    """A number and its interval."""
    return {name: value, f"{name}_interval": np.stack(ends, -1)}


def _mean_distance(apart: Float[np.ndarray, "set batch"]) -> tuple[float, tuple[Any, Any]]:
    """The mean over sets of the distance between two means over prompts, with its interval."""
    if not len(apart):
        return np.nan, (np.nan, np.nan)
    if apart.shape[1] == 1:
        return float(np.abs(apart).mean()), (np.nan, np.nan)
    estimates = np.abs(apart @ resampling_weights(apart.shape[1]).T).mean(0)
    return float(np.abs(apart.mean(1)).mean()), percentile_interval(estimates)


def _areas(budgets: np.ndarray, curve: np.ndarray, signed_curve: np.ndarray, random: np.ndarray) -> dict[str, float]:
    """CPR of the signed ranking, CMD of the absolute one, and both of random circuits."""
    return {
        "cpr": _area(budgets, signed_curve),
        "cmd": _area(budgets, np.abs(1 - curve)),
        "random_cpr": _area(budgets, random),
        "random_cmd": _area(budgets, np.abs(1 - random)),
    }


def _area(budgets: Float[np.ndarray, "budget"], curve: Float[np.ndarray, "budget *draw"]) -> float:
    """The area under a curve, by trapezoids; of several draws, the mean."""
    return float(np.trapezoid(curve, budgets, axis=0).mean())


def _linearisation_error(scores: np.ndarray, effects: np.ndarray) -> float:
    """How far scores are from effects, as a share of the effects."""
    size = np.abs(effects).sum()
    return float(np.abs(scores - effects).sum() / size) if size else float("nan")

"""The Circuit page's work: scores of edges, the circuit that they make, and the model run with nothing else."""

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Literal

import numpy as np

from interp import tasks
from interp.circuits.edge_executor import EdgeExecutor
from interp.circuits.found_circuit import Faithfulness
from interp.core.progress import track
from interp.kinds import Circuit, EdgeScores, FoundCircuit
from interp.models.hooked import HookedModel
from interp_dashboard.legacy import QUESTION, Question, call, literal, only, text_arguments
from interp_dashboard.pages.circuit.state import CIRCUITS, CircuitView
from interp_dashboard.state import prompts_of

SEARCHES: dict[str, dict[str, Any]] = {
    "acdc": {"prefilter": 400}
}  # what a page may ask of a search that would run for hours
PASSES = {"eap": 4, "eap-ig": 20, "flow-routes": 2, "cdt-circuit": 300, "acdc": 1500}  # about how many forward passes
TASK_PROMPTS = 8
BUDGETS = 9
DRAWS = 2
CHOSEN = (*QUESTION, "circuit", "edges", "extraction")


@dataclass(frozen=True)
class Runs:
    """The metric under several sets of edges, and what the model then prefers; `values` has one entry a way.

    `faithfulness` is NaN where the metric is the same with every edge cut.
    """

    clean: float
    cut: float
    values: tuple[float, ...]
    faithfulness: tuple[float, ...]
    tops: tuple[list[tuple[str, float]], ...]
    unit: str
    label: str


@dataclass(frozen=True)
class Growth:
    """Faithfulness of the strongest edges, and of random ones, at growing numbers of edges."""

    edges: tuple[int, ...]
    faithfulness: tuple[float, ...]
    random: tuple[tuple[float, ...], ...]


def how(view: CircuitView) -> Literal["resample", "mean"]:
    """What a cut edge carries: the corrupted prompt's value, or without one each sender's mean over the prompt."""
    return "resample" if view.corrupted else "mean"


def options(name: str, view: CircuitView) -> dict[str, Any]:
    """What the page asks of a method beyond its defaults."""
    takes = CIRCUITS[name].options.__dataclass_fields__
    return ({"how": how(view)} if "how" in takes else {}) | SEARCHES.get(name, {})


@lru_cache(maxsize=6)
def found(model: HookedModel, view: CircuitView) -> EdgeScores | FoundCircuit:
    """What the view's method finds on the view's prompts; the view has to be cut down to the fields that count."""
    result = CIRCUITS[view.circuit](model, prompts_of(model, view), **options(view.circuit, view))
    assert isinstance(result, EdgeScores | FoundCircuit)
    return result


@lru_cache(maxsize=1)
def executor(model: HookedModel, view: CircuitView) -> EdgeExecutor:
    """The model on the view's question, ready to run with edges cut."""
    prompts = prompts_of(model, view)
    assert prompts.metric is not None
    return EdgeExecutor(model, prompts, prompts.metric, how(view))


def top_tokens(model: HookedModel, logits: Any, count: int = 10) -> list[tuple[str, float]]:
    """The likeliest tokens (or classes) with their probabilities."""
    prob, token = logits.softmax(-1).topk(min(count, len(logits)))
    name = model.class_names.__getitem__ if model.is_classifier else model.token_label
    return [(name(t), p) for t, p in zip(token.tolist(), prob.tolist(), strict=True)]


def forget() -> None:
    """Let go of what is kept of any model."""
    found.cache_clear()
    executor.cache_clear()


def whole(result: EdgeScores | FoundCircuit) -> EdgeScores | FoundCircuit:
    """The same with every edge once: scores of its positions are added up."""
    if "pos" not in result.data.dims:
        return result
    return type(result)(result.data.sum("pos", keep_attrs=True), result.provenance)


def circuit_of(result: EdgeScores | FoundCircuit, view: CircuitView) -> Circuit:
    """The view's circuit out of what its method found."""
    most = result.data.sizes["edge"]
    if isinstance(result, FoundCircuit):
        return Circuit.of(result, edges=min(view.edges, most))
    extraction: Any = view.extraction
    return Circuit.of(result, edges=min(view.edges, most), extraction=extraction)


def without_cuts(circuit: Circuit, cuts: tuple[str, ...]) -> Circuit:
    """The circuit without the edges and nodes that the view cuts."""
    nodes, edges = _split(cuts)
    return circuit.without(nodes, edges)


def _split(cuts: tuple[str, ...]) -> tuple[list[str], list[tuple[str, str]]]:
    """Nodes, and edges written as `a9.6>q10.1`."""
    nodes = [cut for cut in cuts if ">" not in cut]
    pairs = [cut.partition(">") for cut in cuts if ">" in cut]
    return nodes, [(sender, receiver) for sender, _, receiver in pairs]


def _found(model: HookedModel, view: CircuitView) -> EdgeScores | FoundCircuit:
    return found(model, only(view, (*QUESTION, "circuit")))


def _runs(model: HookedModel, view: CircuitView) -> Runs:
    circuit = circuit_of(_found(model, view), view)
    runner = executor(model, only(view, QUESTION))
    ways = [circuit.kept, *([without_cuts(circuit, view.cuts).kept] if view.cuts else [])]
    done = runner.run(np.stack(ways))
    values = runner.metric_of(done)[:, 0].tolist()
    logits = [runner.clean_logits[0], *done.logits[:, 0]]
    ends = Faithfulness(runner)
    return Runs(
        clean=ends.clean,
        cut=ends.cut,
        values=tuple(values),
        faithfulness=tuple(map(ends.of, values)),
        tops=tuple(top_tokens(model, row, 6) for row in logits),
        unit=runner.metric.unit,
        label=runner.metric.label,
    )


def _growth(model: HookedModel, view: CircuitView) -> Growth:
    result = _found(model, view)
    runner = executor(model, only(view, QUESTION))
    graph, random, ends = runner.graph, np.random.default_rng(0), Faithfulness(runner)
    most = result.data.sizes["edge"]
    sizes = sorted({int(size) for size in np.geomspace(min(10, most), most, BUDGETS)})
    places = np.argwhere(graph.present)
    own, control = [], []
    for size in track(sizes, len(sizes), "running circuits"):
        masks = [circuit_of(result, CircuitView(circuit=view.circuit, edges=size, extraction=view.extraction)).kept]
        for _ in range(DRAWS):
            mask = np.zeros(graph.present.shape, dtype=bool)
            mask[tuple(places[random.choice(len(places), size, replace=False)].T)] = True
            masks.append(mask)
        shares = [ends.of(value) for value in runner.metric_of(runner.run(np.stack(masks)))[:, 0].tolist()]
        own.append(shares[0])
        control.append(tuple(shares[1:]))
    return Growth(tuple(sizes), tuple(own), tuple(control))


def _versus(model: HookedModel, view: CircuitView) -> EdgeScores | FoundCircuit:
    if not view.versus.startswith("task "):
        return found(model, CircuitView(**{n: getattr(view, n) for n in QUESTION}, circuit=view.versus))
    prompts = tasks.find(view.versus.removeprefix("task "))(model, n=TASK_PROMPTS)
    result = CIRCUITS[view.circuit](model, prompts, **SEARCHES.get(view.circuit, {}))
    assert isinstance(result, EdgeScores | FoundCircuit)
    return result


# Python that gives the same result


def _python_found(view: CircuitView) -> str:
    more = [f"{name}={literal(value)}" for name, value in options(view.circuit, view).items()]
    return call(f"circuits.{view.circuit.replace('-', '_')}", *text_arguments(view), *more)


def _python_circuit(view: CircuitView) -> str:
    extraction = f", extraction={literal(view.extraction)}" if view.extraction != CircuitView.extraction else ""
    return f"{_python_found(view)}circuit = interp.Circuit.of(result, edges={view.edges}{extraction})\n"


def _python_runs(view: CircuitView) -> str:
    nodes, edges = _split(view.cuts)
    cuts = f"circuit = circuit.without({nodes}, {edges})\n" if view.cuts else ""
    sides = "interp.PromptPairs.of" if view.corrupted else "interp.Prompts.of"
    words = ", ".join(argument.removeprefix("corrupted=") for argument in text_arguments(view))
    return (
        f"{_python_circuit(view)}{cuts}"
        f"prompts = {sides}(model, {words})\n"
        f"runner = interp.circuits.EdgeExecutor(model, prompts, prompts.metric, {literal(how(view))})\n"
        "value = runner.metric_of(runner.run(circuit.kept))\n"
    )


def _python_versus(view: CircuitView) -> str:
    if not view.versus.startswith("task "):
        return _python_found(CircuitView(**{n: getattr(view, n) for n in QUESTION}, circuit=view.versus))
    task = view.versus.removeprefix("task ").replace("-", "_")
    name = view.circuit.replace("-", "_")
    more = "".join(f", {option}={literal(value)}" for option, value in SEARCHES.get(view.circuit, {}).items())
    return f"result = interp.circuits.{name}(model, interp.tasks.{task}(model, n={TASK_PROMPTS}){more})\n"


def _finding(name: str) -> Question:
    return Question(
        f"circuit {name}",
        f"finding a circuit by {name}",
        (*QUESTION, "circuit"),
        found,
        _python_found,
        quick=False,
        runs=lambda model, tokens: PASSES[name],
    )


def _placing(name: str) -> Question:
    return Question(
        f"circuit by position {name}",
        "telling positions apart",
        (*QUESTION, "circuit"),
        lambda model, view: CIRCUITS[name](model, prompts_of(model, view), by_position=True, **options(name, view)),
        lambda view: _python_found(view).replace(",\n)", ",\n    by_position=True,\n)"),
        quick=False,
        runs=lambda model, tokens: 2 * PASSES[name],
    )


FOUND = {name: _finding(name) for name in CIRCUITS}
PLACED = {name: _placing(name) for name, spec in CIRCUITS.items() if "by_position" in spec.options.__dataclass_fields__}
RUNS = Question(
    "circuit runs", "running the circuit", (*CHOSEN, "cuts"), _runs, _python_runs, runs=lambda model, tokens: 12
)
RUNS_OF_SEARCH = replace(RUNS, quick=False)  # the search comes first, with its progress
GROWTH = Question(
    "circuit growth",
    "running circuits",
    (*QUESTION, "circuit", "extraction"),
    _growth,
    _python_circuit,
    quick=False,
    runs=lambda model, tokens: 3 * BUDGETS * (1 + DRAWS),
)
VERSUS = Question(
    "circuit versus",
    "finding the other circuit",
    (*QUESTION, "circuit", "versus"),
    _versus,
    _python_versus,
    quick=False,
    runs=lambda model, tokens: 8 * PASSES["eap-ig"],
)

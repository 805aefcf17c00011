"""The result of a circuit search: the edges kept, and their faithfulness."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float

from interp.circuits.interventions.edge_executor import EdgeExecutor
from interp.core.edges import circuit_facts
from interp.kinds import FoundCircuit


def nothing_between(clean: Float[np.ndarray, "batch"], cut: Float[np.ndarray, "batch"]) -> bool:
    """Whether the mean metric is the same with all edges kept and cut, so that there is nothing to be faithful to."""
    ends = clean.mean(), cut.mean()
    return abs(ends[0] - ends[1]) <= 1e-5 * max(np.abs(ends).max(), np.abs([clean, cut]).mean())


class Faithfulness:
    """Faithfulness of any circuit of one executor: its metric, between that of the model and that of no edge at all."""

    def __init__(self, executor: EdgeExecutor) -> None:
        self.executor = executor
        with torch.no_grad():
            clean, cut = (ends.double().cpu().numpy() for ends in (executor.clean_metric, executor.cut_metric))
        self.clean, self.cut = float(clean.mean()), float(cut.mean())
        self.is_defined = not nothing_between(clean, cut)

    def metric(self, mask: Bool[np.ndarray, "sender receiver"]) -> float:
        """The metric of a circuit, mean over prompts."""
        with torch.no_grad():
            return self.executor.metric_of(self.executor.run(mask)).double().mean().item()

    def of(self, metric: float) -> float:
        """(circuit − cut) / (clean − cut), unclamped; NaN where cutting every edge leaves the metric as it was."""
        return (metric - self.cut) / (self.clean - self.cut) if self.is_defined else float("nan")


def found_circuit(
    faithfulness: Faithfulness,
    mask: Float[np.ndarray, "sender receiver"],
    candidates: Mapping[str, Float[np.ndarray, "sender receiver"]],
    totals: Mapping[str, float],
    *,
    score: str,
    unit: str = "",
    unit_into: Sequence[str] = (),
    measured: str,
    sign: str,
    supports: str,
) -> FoundCircuit:
    """The result from a decision on every edge (`mask`: 1, 0, or NaN for one that stays undecided and so kept).

    `candidates` are further numbers of every edge, of which `score` is the one that the circuit's edges show; `unit`
    is theirs where the kind does not fix it; `unit_into` is that of each receiver's edges, where they differ.
    """
    executor = faithfulness.executor
    graph = executor.graph
    in_circuit = graph.present & (mask != 0)
    edges, ends = np.nonzero(graph.present), np.nonzero(in_circuit)
    circuit = faithfulness.metric(in_circuit)
    numbers = {
        "edges": in_circuit.sum(),
        "candidates": graph.edge_count,
        "undecided": np.isnan(mask[graph.present]).sum(),
        "clean": faithfulness.clean,
        "corrupted": faithfulness.cut,
        "circuit": circuit,
        "faithfulness": faithfulness.of(circuit),
        **totals,
    }
    unit_of = lambda name: FoundCircuit.variables[name].unit_of(unit)  # noqa: E731
    values: dict[str, Any] = {"score": ("edge", candidates[score][ends], unit_of(score))}
    for name, every in {**candidates, "kept": mask}.items():
        values[name] = ("candidate", every[edges], unit_of(name))
    values |= {name: float(number) for name, number in numbers.items()}
    if numbers["undecided"]:
        measured += f"; partial: {numbers['undecided']} edges are undecided and are kept"
    if not faithfulness.is_defined:
        measured += "; faithfulness is undefined, since the metric is the same with every edge cut"
    own: dict[str, Any] = {"score_unit": ("edge", np.array(unit_into, dtype=object)[ends[1]])} if unit_into else {}
    names = {end: np.array(getattr(graph, end), dtype=object) for end in ("senders", "receivers")}
    return FoundCircuit.of(
        executor.clean,
        values,
        unit=executor.metric.unit,
        measured=measured,
        sign=sign,
        supports=supports,
        facts=circuit_facts(graph, executor.clean),
        sender=("edge", names["senders"][ends[0]]),
        receiver=("edge", names["receivers"][ends[1]]),
        candidate_sender=("candidate", names["senders"][edges[0]]),
        candidate_receiver=("candidate", names["receivers"][edges[1]]),
        **own,
    )

"""Which edges of a result are a circuit."""

import json
from typing import Literal

import numpy as np

from interp.core.connected import best_connected
from interp.core.edges import CircuitEdge, greedy
from interp.core.errors import OptionError, ResultError
from interp.core.graph import ComputationGraph
from interp.core.intervals import bootstrap_mean
from interp.core.nodes import Node
from interp.core.result import Result
from interp.kinds.circuits import EdgeScores, FoundCircuit
from interp.kinds.dictionaries import FeatureEffects

Extraction = Literal["top", "greedy", "ilp", "bootstrap"]
EXTRACTIONS: dict[str, str] = {  # what each of them keeps
    "top": "the strongest edges overall",
    "greedy": "grown backwards from the logits",
    "ilp": "the connected circuit with the largest sum of |score|",
    "bootstrap": "the strongest of the edges whose score differs from zero over resampled prompts",
}


def graph_of_result(result: EdgeScores | FoundCircuit | FeatureEffects) -> ComputationGraph:
    """The computation graph that a result's edges belong to."""
    if "graph" not in result.data.attrs:
        raise ResultError("the result does not record the computation graph of its edges; run the engine again")
    return ComputationGraph(**json.loads(result.data.attrs["graph"]))


def tokens_of_result(result: EdgeScores | FoundCircuit | FeatureEffects) -> tuple[str, ...]:
    """The tokens of a result's first prompt."""
    return tuple(json.loads(result.data.attrs.get("tokens", "[]")))


def _ranking(
    result: EdgeScores | FoundCircuit, threshold: float | None = None, most: int | None = None
) -> list[CircuitEdge]:
    """The result's strongest edges, by the size of their mean over prompts; those without a score last.

    Raises: ResultError where edges have positions that the prompts do not have in common.
    """
    array = result.values("score")
    if "batch" in array.dims:
        array = array.mean("batch")
    if "pos" in array.dims and (result.data["token"] == "").any():
        raise ResultError("prompts of different lengths have no common positions; score them with by_position=False")
    scores = array.values
    strength = np.abs(scores).ravel()
    order = np.argsort(-_within_units(result, strength), kind="stable")
    if threshold is not None:
        order = order[strength[order] >= threshold]
    senders, receivers = result.data["sender"].values, result.data["receiver"].values
    count = scores.shape[-1]
    return [
        CircuitEdge(
            str(senders[index % count]),
            receiver,
            float(scores.flat[index]),
            int(index // count) if scores.ndim == 2 else None,
        )
        for index in order[:most]
        for receiver in str(receivers[index % count]).split("+")  # receivers that were patched at once
    ]


def extracted(
    graph: ComputationGraph,
    result: EdgeScores | FoundCircuit,
    threshold: float | None,
    edges: int | None,
    extraction: Extraction,
) -> list[CircuitEdge]:
    """The edges that a rule keeps. Raises: OptionError where the result lacks what the rule needs."""
    ranking = _ranking(result, threshold, edges if extraction == "top" else None)
    if extraction == "greedy":
        return greedy(graph, ranking, edges)
    if extraction == "ilp":
        return _best_connected(graph, ranking, edges)
    if extraction == "bootstrap":
        clear = clear_edges(result)
        return [edge for edge in ranking if (edge.sender, edge.receiver, edge.pos) in clear][:edges]
    return ranking


def _best_connected(graph: ComputationGraph, ranking: list[CircuitEdge], edges: int | None) -> list[CircuitEdge]:
    if any(edge.pos is not None for edge in ranking):
        raise OptionError("ilp selects edges of all positions; score them with by_position=False")
    strength = np.zeros(graph.present.shape)
    for edge in ranking:
        strength[graph.sender(edge.sender), graph.receiver(edge.receiver)] = abs(np.nan_to_num(edge.score))
    mask = best_connected(graph, strength, graph.edge_count if edges is None else edges)
    scored = {edge.ends[:2]: edge for edge in ranking}
    return [
        scored.get(ends, CircuitEdge(*ends))
        for ends in graph.describe([(sender, receiver) for sender, receiver in np.argwhere(mask).tolist()])
    ]


def clear_edges(result: EdgeScores | FoundCircuit) -> set[tuple[str, str, int | None]]:
    """The edges whose mean score's 95 % interval over resampled prompts excludes zero, at their positions.

    Raises: OptionError for a result of one prompt, or whose scores are of all prompts together.
    """
    array = result.values("score")
    if "batch" not in array.dims or array.sizes["batch"] < 2:
        raise OptionError("bootstrap resamples prompts, and the scores are not of several prompts; score more prompts")
    _, low, high = bootstrap_mean(array.transpose("batch", ...).values)
    places = np.argwhere((low > 0) | (high < 0))
    senders, receivers = result.data["sender"].values, result.data["receiver"].values
    return {
        (str(senders[edge]), receiver, pos[0] if pos else None)
        for *pos, edge in places.tolist()
        for receiver in str(receivers[edge]).split("+")
    }


def edge_units(result: Result | None) -> dict[tuple[str, str], str]:
    """The unit of every edge's score; of a result without scores of edges, none."""
    if not isinstance(result, EdgeScores | FoundCircuit):
        return {}
    ends = zip(result.data["sender"].values, result.data["receiver"].values, strict=True)
    alike = [str(result.data["score"].attrs.get("unit", ""))] * result.data.sizes["edge"]
    units = result.data["score_unit"].values if "score_unit" in result.data.coords else alike
    return dict(zip(ends, map(str, units), strict=True))


def _within_units(result: EdgeScores | FoundCircuit, strength: np.ndarray) -> np.ndarray:
    """The same strengths, or where scores have several units each relative to the largest of its own."""
    if "score_unit" not in result.data.coords:
        return strength
    units, relative = result.data["score_unit"].values, strength.copy()
    for unit in set(units):
        own = units == unit
        relative[own] /= np.nanmax(strength[own], initial=0) or 1
    return relative


def feature_edges(
    result: FeatureEffects, threshold: float | None = None, most: int | None = None
) -> tuple[CircuitEdge, ...]:
    """Edges from the strongest features to the logits, by the size of their mean over prompts, and the error's own.

    A feature without any effect has no edge.
    """
    effects = result.values("feature_effect").mean("batch").values
    layer, site = int(result.data.attrs["layer"]), str(result.data.attrs["site_name"])
    strength = np.abs(effects)
    order = np.argsort(-strength, kind="stable")[: np.count_nonzero(strength)]
    if threshold is not None:
        order = order[strength[order] >= threshold]
    nodes = [(Node("f", layer, int(index), site), float(effects[index])) for index in order[:most]]
    nodes.append((Node("f", layer, site=site), float(result.values("error").mean())))
    return tuple(CircuitEdge(str(node), "logits", score) for node, score in nodes)

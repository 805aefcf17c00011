"""The order in which scores let edges into a circuit, and how far it depends on the prompts."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.sparse import csr_array

from interp.core.edges import CircuitEdge, greedy
from interp.core.graph import ComputationGraph
from interp.core.intervals import resampling_weights
from interp.core.variables import AGAINST
from interp.kinds import Circuit, EdgeScores, Extraction

RESAMPLES = 200  # of the prompts: each ranks every edge anew


class Ranking:
    """Scores of all edges, and the order in which they enter a circuit."""

    def __init__(
        self, graph: ComputationGraph, result: EdgeScores, extraction: Extraction, source: str, unit: str
    ) -> None:
        array = result.values("score")
        self.graph, self.source = graph, source
        self.unit = str(array.attrs.get("unit", ""))
        self.is_effect = self.unit == unit
        self.by_prompt: Float[np.ndarray, "batch edge"] = (array.sum("pos") if "pos" in array.dims else array).values
        self.scores = self.by_prompt.mean(0, dtype=float)
        self.places: Int[np.ndarray, "end edge"] = np.stack(np.nonzero(graph.present))
        self._at = {place: index for index, place in enumerate(zip(*self.places.tolist(), strict=True))}
        support = -self.scores if result.supports("score") == AGAINST else self.scores
        self.order = self._ordered(np.abs(self.scores), extraction)
        self.signed_order = self._ordered(support, extraction)

    def _ordered(self, strength: Float[np.ndarray, "edge"], extraction: Extraction) -> list[int]:
        order: list[int] = np.argsort(-strength, kind="stable").tolist()
        if extraction != "greedy":
            return order
        names = self.graph.describe(list(zip(*self.places[:, order].tolist(), strict=True)))
        return [self.index(edge) for edge in greedy(self.graph, [CircuitEdge(*ends) for ends in names], None)]

    def index(self, edge: CircuitEdge) -> int:
        """Where an edge's score stands."""
        return self._at[self.graph.sender(edge.sender), self.graph.receiver(edge.receiver)]

    def mask_of(self, count: int, *, order: Sequence[int] | None = None) -> Bool[np.ndarray, "sender receiver"]:
        """The mask of the edges that come first, by size or in another order."""
        return mask_at(self.graph, (self.order if order is None else order)[:count])

    def scores_of(self, edges: Sequence[CircuitEdge]) -> Float[np.ndarray, "edge"]:
        """Scores of some edges."""
        return self.scores[[self.index(edge) for edge in edges]]

    def size_of(self, circuit: Circuit) -> int:
        """How many edges of the graph a circuit has; one that stands at several positions counts once."""
        return len({self.index(edge) for edge in circuit.edges})

    def resampled(self, count: int, seed: int) -> csr_array:
        """Which `count` edges are the strongest, by |score|, in each resample of the prompts: `resample edge`."""
        weights = resampling_weights(len(self.by_prompt), resamples=RESAMPLES, seed=seed)
        count, total = min(count, len(self.scores)), len(self.scores)
        rows = [np.argsort(-np.abs(each @ self.by_prompt), kind="stable")[:count] for each in weights]
        ends = np.arange(RESAMPLES + 1) * count
        return csr_array((np.ones(RESAMPLES * count), np.concatenate(rows), ends), shape=(RESAMPLES, total))

    def selection_frequency(self, circuits: csr_array, edges: Sequence[CircuitEdge]) -> Float[np.ndarray, "edge"]:
        """How often each of some edges is in the circuits of resampled prompts."""
        return np.asarray(circuits.sum(0)).ravel()[[self.index(edge) for edge in edges]] / RESAMPLES


def stability(circuits: csr_array) -> float:
    """The mean Jaccard index of every two of some circuits of one size; NaN for circuits without edges."""
    count = circuits.nnz / RESAMPLES
    if not count:
        return float("nan")
    shared = (circuits @ circuits.T).toarray()[np.triu_indices(RESAMPLES, 1)]
    return float((shared / (2 * count - shared)).mean())


def mask_at(graph: ComputationGraph, edges: Sequence[int] | np.ndarray) -> Bool[np.ndarray, "sender receiver"]:
    """The mask of edges given by their places among those of the graph."""
    mask = np.zeros_like(graph.present)
    senders, receivers = np.nonzero(graph.present)
    mask[senders[edges], receivers[edges]] = True
    return mask

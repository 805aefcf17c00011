"""The best connected circuit against every circuit there is, and edges whose score is clear over prompts."""

from itertools import combinations

import numpy as np
import pytest
from asking import pairs_for
from numpy.testing import assert_allclose

from interp.circuits import acdc, eap
from interp.core.connected import best_connected
from interp.core.errors import OptionError
from interp.core.graph import ComputationGraph
from interp.kinds import Circuit


def is_connected(graph, edges):
    """Each edge on a path from `embed` to `logits`, by walking."""
    before, after = {"embed"}, {"logits"}
    for _ in edges:
        before |= {
            node
            for _, v in edges
            for node in graph.senders
            if v in graph.inputs_of(node) and any(u in before and w == v for u, w in edges)
        }
        after |= {v for u, w in edges if w in after for v in graph.inputs_of(u)}
    return all(u in before and v in after for u, v in edges)


@pytest.mark.parametrize("count", [1, 2, 4, 6])
@pytest.mark.parametrize(
    "graph", [ComputationGraph(1, 1, 1), ComputationGraph(1, 2, 1), ComputationGraph(1, 1, 1, True)]
)
def test_best_of_every_circuit(graph, count):
    random = np.random.default_rng(count)
    for _ in range(3):
        strength = random.exponential(size=graph.present.shape) ** 2
        every = [tuple(place) for place in np.argwhere(graph.present).tolist()]
        sums = [
            sum(strength[place] for place in some)
            for size in range(1, count + 1)
            for some in combinations(every, size)
            if is_connected(graph, graph.describe(some))
        ]
        mask = best_connected(graph, strength, count)
        assert mask.sum() <= count
        assert is_connected(graph, graph.describe(np.argwhere(mask).tolist()))
        assert_allclose(strength[mask].sum(), max(sums))


def test_extracted_from_scores(tiny):
    """Nothing dangles; no other rule gets more out of as many edges."""
    model = tiny("llama")
    scores = eap(model, pairs_for(model, "llama"))
    sums = {}
    for rule in ("ilp", "top", "greedy"):
        circuit = Circuit.of(scores, 40, extraction=rule)
        assert len(circuit) <= 40
        sums[rule] = sum(abs(edge.score) for edge in circuit.edges)
    assert sums["ilp"] >= max(sums.values())
    assert Circuit.of(scores, 40, extraction="ilp", prune=False) == Circuit.of(scores, 40, extraction="ilp")
    with pytest.raises(OptionError, match="by_position=False"):
        Circuit.of(eap(model, pairs_for(model, "llama", even=True)[[0]], by_position=True), 40, extraction="ilp")


def test_bootstrap_takes_edges_that_are_clear(tiny):
    """Of two prompts, the interval reaches from the one score to the other: both have to have the same sign."""
    model = tiny("llama")
    scores = eap(model, pairs_for(model, "llama"))
    values = scores.data["score"].values
    clear = (np.sign(values[0]) == np.sign(values[1])) & (values[0] != 0)
    edges = {edge.ends[:2] for edge in Circuit.of(scores, extraction="bootstrap", prune=False).edges}
    ends = list(zip(scores.data["sender"].values, scores.data["receiver"].values, strict=True))
    assert edges == {ends[index] for index in np.nonzero(clear)[0]}
    assert 0 < len(edges) < len(ends)
    strongest = sorted(edges, key=lambda each: -abs(values.mean(0)[ends.index(each)]))[:5]
    assert {edge.ends[:2] for edge in Circuit.of(scores, 5, extraction="bootstrap", prune=False).edges} == set(
        strongest
    )
    for lacking in (eap(model, pairs_for(model, "llama")[[0]]), acdc(model, pairs_for(model, "llama"), prefilter=10)):
        with pytest.raises(OptionError, match="not of several prompts"):
            Circuit.of(lacking, extraction="bootstrap")

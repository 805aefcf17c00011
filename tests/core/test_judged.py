"""A circuit against the true one, counted by hand."""

import math

import pytest

from interp.core.edges import CircuitEdge
from interp.core.errors import ResultError
from interp.core.graph import ComputationGraph
from interp.core.subgraph import Subgraph

GRAPH = ComputationGraph(2, 1, 1)


def circuit(*edges: tuple, tokens: tuple[str, ...] = ()) -> Subgraph:
    return Subgraph(GRAPH, tuple(CircuitEdge(*edge) for edge in edges), tokens=tokens)


def test_kept_missed_and_wrong():
    found = circuit(("embed", "m0", 2.0), ("embed", "logits", -1.0), ("m0", "logits", 0.5))
    truth = circuit(("embed", "m0"), ("m0", "m1"), ("m1", "logits"), ("m0", "logits"))
    judged = found.judged(truth)
    assert [edge[:3] for edge in judged.kept] == [("embed", "m0", 2.0), ("m0", "logits", 0.5)]
    assert [edge[:2] for edge in judged.missed] == [("m0", "m1"), ("m1", "logits")]
    assert all(math.isnan(edge.score) for edge in judged.missed)
    assert [edge[:2] for edge in judged.wrong] == [("embed", "logits")]
    assert judged.row == {"kept": 2, "missed": 2, "wrong": 1, "precision": 2 / 3, "recall": 1 / 2}
    assert list(judged.to_frame()["verdict"]) == ["kept", "kept", "missed", "missed", "wrong"]
    assert len(found.judged(found).kept) == 3


def test_an_edge_counts_once_at_whatever_position():
    found = circuit(("embed", "m0", 1.0, 0), ("embed", "m0", 2.0, 1), ("m0", "logits", 1.0, 1), tokens=("a", "b"))
    assert found.judged(circuit(("embed", "m0"))).row == {
        "kept": 1, "missed": 0, "wrong": 1, "precision": 0.5, "recall": 1.0,
    }  # fmt: skip


def test_of_nothing_there_is_no_share_and_of_another_graph_no_truth():
    assert math.isnan(circuit().judged(circuit(("embed", "m0"))).precision)
    assert math.isnan(circuit(("embed", "m0")).judged(circuit()).recall)
    with pytest.raises(ResultError, match="different models"):
        circuit().judged(Subgraph(ComputationGraph(1, 1, 1), ()))

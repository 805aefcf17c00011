"""Subnetwork probing: the true nodes of compiled models, and what a mask of a node means."""

import numpy as np
import pytest
import torch
from asking import pairs_for
from numpy.testing import assert_allclose

import interp
from interp import groundtruth
from interp.circuits import subnetwork_probing
from interp.circuits.interventions.edge_executor import EdgeExecutor
from interp.core.errors import Cancelled, MemoryLimitError
from interp.core.progress import reporting


@pytest.mark.parametrize("name", ["rasp/count", "rasp/detect_pattern"])
def test_finds_the_true_nodes(name):
    model = interp.load(name)
    result = subnetwork_probing(model, interp.tasks.program(model, n=16), steps=200)
    nodes = set(interp.Circuit.of(result).nodes) - {"logits"}
    assert nodes == {edge.sender for edge in groundtruth.circuit(model, "effective").edges}
    assert_allclose(result.data["faithfulness"], 1, atol=1e-3)


def test_edges_are_those_among_kept_nodes(tiny):
    """And running them is writing cut nodes' other values: edges into what is cut make no difference."""
    model = tiny("llama", "float64")
    pairs = pairs_for(model, "llama")
    data = subnetwork_probing(model, pairs, steps=60, penalty=0.05, learning_rate=0.3).data
    executor = EdgeExecutor(model, pairs, pairs.metric)
    graph, kept = executor.graph, data["kept"].values == 1
    ends = list(zip(data["candidate_sender"].values, data["candidate_receiver"].values, strict=True))
    circuit = {pair for pair, keep in zip(ends, kept, strict=True) if keep}
    nodes = {sender for sender, _ in circuit}
    reads = {receiver for node in nodes for receiver in graph.inputs_of(node)} | {"logits"}
    assert "embed" in nodes
    assert 1 < len(nodes) < len(graph.senders)
    assert circuit == {(sender, receiver) for sender, receiver in ends if sender in nodes and receiver in reads}
    mask = graph.present & np.array([name in nodes for name in graph.senders])[:, None]
    with torch.no_grad():
        whole = executor.metric_of(executor.run(mask)).mean()
    assert_allclose(data["circuit"], whole, atol=1e-6)


def test_a_dearer_node_leaves_fewer(tiny):
    model = tiny("llama")
    pairs = pairs_for(model, "llama")
    sizes = [float(subnetwork_probing(model, pairs, steps=60, penalty=p).data["edges"]) for p in (0.0, 1.0)]
    assert sizes[0] > sizes[1]


def test_the_seed_decides(tiny):
    model = tiny("llama")
    pairs = pairs_for(model, "llama")
    one, same, other = (subnetwork_probing(model, pairs, steps=8, seed=s).data["mask"].values for s in (0, 0, 1))
    assert (one == same).all()
    assert (one != other).any()


def test_progress_and_memory(tiny, monkeypatch):
    model = tiny("llama")

    def report(label, done, total):
        if done == 3:
            raise Cancelled("cancelled")

    with pytest.raises(Cancelled), reporting(report):
        subnetwork_probing(model, pairs_for(model, "llama"), steps=50)
    monkeypatch.setattr("interp.models.memory.free_memory", lambda device: 2**10)
    with pytest.raises(MemoryLimitError):
        subnetwork_probing(model, pairs_for(model, "llama"))

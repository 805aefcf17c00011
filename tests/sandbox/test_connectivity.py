"""The disentangled transformer: exactly the graphs of diameter at most 3^L, by every graph of up to seven nodes."""

from itertools import groupby

import networkx as nx
import numpy as np
import pytest
import torch
from networkx.generators.atlas import graph_atlas_g
from numpy.testing import assert_allclose

from interp.core.errors import OptionError
from interp.sandbox.connectivity.graphs import Graphs, diameters, distances, of_graph, reachable
from interp.sandbox.connectivity.lesson import right
from interp.sandbox.connectivity.model import Disentangled, channels


def test_one_layer_solves_exactly_diameter_three():
    """All 1,252 graphs of two to seven nodes: right if and only if no component has a longer shortest path than 3."""
    for nodes, graphs in groupby([graph for graph in graph_atlas_g() if len(graph) > 1], key=len):
        adjacency = torch.stack([of_graph(graph) for graph in graphs])
        solved = right(Disentangled.written(nodes, 1), adjacency)
        assert (solved == (diameters(adjacency) <= 3)).all()
        assert nodes < 5 or not solved.all()


def test_two_layers_solve_exactly_diameter_nine():
    for nodes in range(8, 13):
        chain = of_graph(nx.path_graph(nodes))[None]
        assert bool(right(Disentangled.written(nodes, 2), chain)) == (nodes - 1 <= 9)
    trees = Graphs(nodes=12).family("tree", 100, torch.Generator().manual_seed(0))
    assert (right(Disentangled.written(12, 2), trees) == (diameters(trees) <= 9)).all()


def test_distances_by_networkx():
    graphs = Graphs(nodes=9, least=0.05, most=0.3).draw(40, torch.Generator().manual_seed(1))
    for adjacency, lengths, diameter in zip(graphs, distances(graphs), diameters(graphs), strict=True):
        graph = nx.from_numpy_array(adjacency.numpy())
        every = dict(nx.all_pairs_shortest_path_length(graph))
        plain = [[every[i].get(j, -1) for j in range(9)] for i in range(9)]
        assert lengths.tolist() == plain
        assert diameter == max(max(row) for row in plain)


def test_training_graphs_have_the_diameter():
    graphs = Graphs(nodes=8, least=0.05, most=0.3, diameter=3).draw(100, torch.Generator().manual_seed(2))
    assert (diameters(graphs) <= 3).all()
    assert (graphs == graphs.mT).all()
    assert (graphs.diagonal(dim1=1, dim2=2) == 1).all()
    with pytest.raises(OptionError, match="give them in order"):
        Graphs(least=0.5, most=0.1)


def test_families():
    graphs, generator = Graphs(nodes=8), torch.Generator().manual_seed(3)
    expected = {
        "2 chains": (2, 3, 6),
        "2 cliques": (2, 1, 12),
        "chain": (1, 7, 7),
        "ring": (1, 4, 8),
        "tree": (1, None, 7),
    }
    for name, (components, diameter, edges) in expected.items():
        for adjacency in graphs.family(name, 3, generator):
            graph = nx.from_numpy_array(adjacency.numpy() - np.eye(8))
            assert (nx.number_connected_components(graph), graph.number_of_edges()) == (components, edges)
            assert diameter is None or int(diameters(adjacency[None])) == diameter


def test_channels():
    """a·I + b·J is recovered; what is outside lowers the share explained."""
    block = 0.7 * torch.eye(6) + 0.1
    split = channels(block)
    assert_allclose([split["a"], split["b"], split["explained"]], [0.7, 0.1, 1], rtol=1e-6)
    assert_allclose(split["heuristic"], 0.36 / (0.36 + 6 * 0.49), rtol=1e-6)
    other = torch.zeros(6, 6)
    other[0, 1], other[1, 0] = 1, -1
    assert_allclose(channels(block + other)["explained"], float(block.square().sum() / (block + other).square().sum()))


def test_evidence_is_zero_exactly_without_a_path():
    """With any positive weights in the identity's direction alone, z > 0 means a path."""
    graphs = Graphs(nodes=7).draw(50, torch.Generator().manual_seed(4))
    evidence = Disentangled.written(7, 2)(graphs)
    assert ((evidence > 0) <= reachable(graphs)).all()
    loss = Disentangled.written(7, 2).loss(graphs, reachable(graphs))
    plain = torch.where(reachable(graphs), -torch.log(1 - torch.exp(-evidence.double())), evidence.double()).mean()
    assert_allclose(loss.item(), plain.item(), rtol=1e-5)

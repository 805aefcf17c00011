"""Drawings of circuits and of evidence, against the numbers that they show."""

import re
from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from numpy.testing import assert_allclose

from interp.circuits import cdt_circuit
from interp.core.edges import CircuitEdge
from interp.core.errors import OptionError
from interp.core.graph import ComputationGraph
from interp.kinds import Circuit, EdgeScores
from interp.views import figure, judged_figure, layout

GRAPH = ComputationGraph(layers=3, heads=4, kv_heads=2)


def circuit(*edges) -> Circuit:
    return Circuit(GRAPH, tuple(CircuitEdge(*edge) for edge in edges), labels={"a0.2": "<i>x</i>"})


def drawn_lines(drawn) -> set[tuple[float, ...]]:
    """The lines of a figure, by their ends and colour."""
    found = set()
    for trace in drawn.data:
        if trace.mode == "lines":
            x, y = list(trace.x), list(trace.y)
            found |= {(x[i], y[i], x[i + 1], y[i + 1], trace.line.color) for i in range(0, len(x), 3)}
    return found


def named(drawn, name):
    return next(trace for trace in drawn.data if trace.name == name)


def test_layers_by_heads():
    """Heads at (head, layer), an MLP to the right of its layer's heads and above them, the ends below and above all."""
    placed = layout(
        circuit(("embed", "q0.2", 1.0), ("a0.2", "m1", 0.5), ("m1", "logits", -2.0), ("a0.2", "logits", 1.0))
    )
    at = {node.node: (node.x, node.y, node.kind) for node in placed.nodes}
    assert at == {
        "embed": (1.5, -1, "embed"),
        "a0.2": (2, 0, "head"),
        "m1": (4.3, 1.5, "mlp"),
        "logits": (1.5, 3, "logits"),
    }
    assert {node.node: node.effect for node in placed.nodes if node.kind != "logits"} == {
        "embed": 1,
        "a0.2": 1.5,
        "m1": -2,
    }
    assert {node.label for node in placed.nodes} == {"", "<i>x</i>"}
    for edge in placed.edges:
        assert (edge.x0, edge.y0) == at[edge.sender][:2]
        assert (edge.x1, edge.y1) == at[edge.target][:2]
    assert {(e.sender, e.receiver): e.target for e in placed.edges}[("embed", "q0.2")] == "a0.2"


def test_edges_between_neighbouring_mlps_do_not_lie_on_one_line():
    placed = layout(circuit(("m0", "m1", 1.0), ("m1", "m2", 1.0), ("m0", "m2", 1.0)))
    slopes = {(edge.x1 - edge.x0) / (edge.y1 - edge.y0) for edge in placed.edges}
    assert len(slopes) > 1
    assert all(edge.x0 > GRAPH.heads - 1 for edge in placed.edges)


def test_a_shared_key_leads_to_the_heads_of_the_circuit():
    """k0.1 is read by a0.2 and a0.3; an edge into it goes to those that write, or to the first where none does."""
    shared = ("embed", "k0.1", 1.0)
    for writing, expected in ((["a0.2", "a0.3"], {"a0.2", "a0.3"}), (["a0.3"], {"a0.3"}), ([], {"a0.2"})):
        placed = layout(circuit(shared, *((name, "logits", 1.0) for name in writing)))
        assert {edge.target for edge in placed.edges if edge.receiver == "k0.1"} == expected


def test_layers_by_positions():
    edges = [
        ("embed", "q0.2", 1.0, 1),
        ("embed", "q0.2", 0.25, 3),
        ("a0.2", "logits", 1.0, 3),
        ("a0.1", "logits", 1.0, 3),
    ]
    placed = layout(circuit(*edges), by="position")
    at = {(node.node, node.pos): node.x for node in placed.nodes}
    assert all(abs(x - pos) < 0.4 for (_, pos), x in at.items())
    assert len({(node.x, node.y) for node in placed.nodes}) == len(placed.nodes)
    assert at["a0.1", 3] < 3 < at["a0.2", 3]
    merged = layout(circuit(*edges))
    assert {(e.sender, e.receiver): e.score for e in merged.edges}["embed", "q0.2"] == 1.25
    with pytest.raises(OptionError, match="have no positions"):
        layout(circuit(("embed", "q0.2", 1.0)), by="position")
    with pytest.raises(OptionError, match="by = 'token'"):
        layout(circuit(*edges), by="token")


def test_an_empty_circuit():
    assert layout(circuit()) == ((), ())


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("count", [1, 7, 1000])
def test_scores_are_drawn_strongest_first(count, theme, sample):
    """Every line is an edge with the sign's colour, and how many of how many is said."""
    result = sample("EdgeScores")
    drawn = figure(result, edges=count, theme=theme)
    mean = result.data["score"].values.mean(0)
    chosen = np.argsort(-np.abs(mean))[:count]
    assert f"{len(chosen)} of {len(mean)} edges shown" in drawn.layout.title.subtitle.text
    hovers = {text.split("<br>")[0] for text in named(drawn, "edges").customdata}
    names = zip(result.data["sender"].values, result.data["receiver"].values, strict=True)
    labels = np.array([f"{sender} → {receiver}" for sender, receiver in names])
    assert hovers == set(labels[chosen])
    lines = drawn_lines(drawn)
    colours = {colour for *_, colour in lines}
    assert len(colours) == (1 if count == 1 else 2)
    assert len(named(drawn, "edges").x) >= len(lines)


def test_one_prompt_and_positions(scores_with):
    result = scores_with(by_position=True)
    by_head = figure(result)
    assert by_head.layout.xaxis.title.text == "head"
    placed = figure(result, prompt=1, edges=20)
    assert placed.layout.xaxis.title.text == "position"
    assert "20 of" in placed.layout.title.subtitle.text
    values = result.data["score"].values[1, :4]
    strongest = values.ravel()[np.argsort(-np.abs(values).ravel())[:20]]
    shown = {text.split("<br>")[1] for text in named(placed, "edges").customdata}
    assert shown == {f"{value:+.3g} logits".replace("-", "−") for value in strongest}
    assert figure(result, prompt=1, by="head").layout.xaxis.title.text == "head"


def test_a_circuit_says_how_much_of_it_is_drawn(sample):
    result = sample("FoundCircuit")
    total = result.data.sizes["edge"]
    text = figure(result, edges=10).layout.title.subtitle.text
    assert f"10 of {total} edges shown" in text
    assert f"{total} edges, faithfulness +0.75" in text
    whole = figure(result)
    assert f"{total} of {total} edges shown" in whole.layout.title.subtitle.text
    assert any("no score" in hover for hover in named(whole, "edges").customdata)


def test_edges_are_ranked_within_their_own_unit_and_a_search_shows_its_nodes(tiny):
    """Relevance to heads is a ratio, to the answer in logits: neither hides the other."""
    result = cdt_circuit(tiny("llama"), "a store to the store", target="a", top=3)
    units = dict(zip(result.data["receiver"].values, result.data["score_unit"].values, strict=True))
    assert {unit for name, unit in units.items() if name != "logits"} == {"ratio"}
    whole = Circuit.of(result)
    placed = layout(whole, result=result, most=4)
    assert {node.node for node in placed.nodes} == set(whole.nodes)
    strongest = {}
    for edge in whole.edges:
        if np.isfinite(edge.score):
            unit = units[edge.receiver]
            strongest[unit] = max(strongest.get(unit, 0), abs(edge.score))
    assert set(strongest) == {"logits", "ratio"}
    shown = {(edge.unit, abs(edge.score)) for edge in placed.edges}
    assert set(strongest.items()) <= shown
    assert all(np.isfinite(edge.score) for edge in placed.edges)
    few = Circuit.of(result, 4)
    assert "logits" in few.nodes


def test_a_folded_group_is_one_node():
    """Parallel edges become one: their sum where scores add up, else the largest; a shared key counts once."""
    edges = [
        ("embed", "k0.1", 1.0), ("embed", "q0.2", 0.5), ("embed", "q0.3", 0.25),
        ("a0.2", "m1", 2.0), ("a0.3", "m1", -3.0), ("a0.2", "logits", 1.0), ("m1", "logits", 4.0),
    ]  # fmt: skip
    made = circuit(*edges).grouped("pair", ["a0.2", "a0.3"])
    for result, into, out in ((scores_of(edges), 1.75, -1.0), (None, 1.0, -3.0)):
        placed = layout(made, result=result, folded=["pair"])
        assert {node.node for node in placed.nodes} == {"embed", "group:pair", "m1", "logits"}
        group = next(node for node in placed.nodes if node.kind == "group")
        assert (group.label, group.members, group.x, group.y) == ("pair", ("a0.2", "a0.3"), 2.5, 0)
        scores = {(edge.sender, edge.receiver, edge.target): edge.score for edge in placed.edges}
        assert scores == {
            ("embed", "", "group:pair"): into,
            ("group:pair", "m1", "m1"): out,
            ("group:pair", "logits", "logits"): 1.0,
            ("m1", "logits", "logits"): 4.0,
        }
        parts = {part for edge in placed.edges for part in edge.parts}
        assert parts == {edge[:2] for edge in edges}
        assert placed.count == len(edges)
    assert layout(made.grouped("all", made.nodes), folded=["all"]).edges == ()
    with pytest.raises(OptionError, match="folded = 'x'"):
        layout(made, folded=["x"])


def scores_of(edges) -> EdgeScores:
    """A result with these edges and scores."""
    labels = {name: ("edge", [edge[at] for edge in edges]) for at, name in enumerate(("sender", "receiver"))}
    data = xr.Dataset({"score": (("batch", "edge"), [[edge[2] for edge in edges]], {"unit": "logits"})}, coords=labels)
    return EdgeScores(data)


@pytest.mark.parametrize("axis", ["log", "linear"])
def test_the_curve_beside_random_circuits(axis, sample):
    result = sample("CircuitEvidence")
    drawn, data = figure(result, axis=axis), result.data
    assert drawn.layout.xaxis.type == axis
    own = named(drawn, "strongest edges")
    assert_allclose(own.x, data.nominal)
    assert_allclose(own.y, data.curve)
    low, high = data.curve_interval.values.T
    assert_allclose(own.error_y.array, high - data.curve)
    assert_allclose(own.error_y.arrayminus, data.curve - low)
    assert_allclose(named(drawn, "random edges").y, data.random_curve.mean("draw"))
    pruned = named(drawn, "without dangling edges")
    keep = data.pruned.values > 0 if axis == "log" else slice(None)
    assert_allclose(pruned.x, data.pruned.values[keep])
    assert_allclose(pruned.y, data.curve.values[keep])
    star = named(drawn, "the circuit")
    assert_allclose([*star.x, *star.y], [data["edges"], data.faithfulness])


def test_nodes_and_edges(sample):
    result = sample("CircuitEvidence")
    nodes = figure(result, show="nodes")
    assert_allclose(nodes.data[0].y, result.data.minimality)
    assert list(nodes.layout.xaxis.ticktext) == list(result.data.component.values)
    edges = figure(result, show="edges").data[0]
    assert_allclose(edges.x, result.data.edge_score)
    assert_allclose(edges.y, result.data.edge_effect)
    assert "embed → q1.0" in edges.customdata[0]


def test_an_error_that_is_undefined_is_left_out(sample):
    """Scores that are no effects have no linearisation error."""
    result = sample("CircuitEvidence")
    assert "linearisation error" in figure(result, show="edges").layout.title.subtitle.text
    data = result.data.assign(linearisation_error=np.nan)
    text = figure(replace(result, data=data), show="edges").layout.title.subtitle.text
    assert "linearisation" not in text
    assert "rank correlation" in text


@pytest.mark.parametrize("show", ["curve", "nodes", "edges"])
def test_evidence_without_intervals_or_nodes(show, evidence_with):
    """One prompt has no intervals; a circuit may have no nodes."""
    drawn = figure(evidence_with(0, intervals=False), show=show)
    assert "nan" not in drawn.layout.title.subtitle.text
    for trace in drawn.data:
        assert trace.error_y.array is None


@pytest.mark.parametrize(
    ("kind", "choice", "message"),
    [
        ("EdgeScores", {"edges": 0}, "edges = 0; give a whole number from 1"),
        ("FoundCircuit", {"edges": 0}, "edges = 0; give a whole number from 1"),
        ("EdgeScores", {"by": "position"}, "have no positions"),
        ("CircuitEvidence", {"show": "x"}, "show = 'x'; choose one of curve, nodes, edges"),
        ("CircuitEvidence", {"axis": "x"}, "axis = 'x'; choose one of log, linear"),
    ],
)
def test_a_wrong_choice_is_named(kind, choice, message, sample):
    with pytest.raises(OptionError, match=re.escape(message)):
        figure(sample(kind), **choice)


def test_what_is_kept_missed_and_wrong_is_told_by_colour_and_dash(sample):
    """Every edge is drawn once, in the trace of its verdict; the legend counts them."""
    result = sample("EdgeScores").over_positions if "pos" in sample("EdgeScores").data.dims else sample("EdgeScores")
    circuit = Circuit.of(result, 6, prune=False)
    others = Circuit.of(result, prune=False).edges
    unknown = [edge for edge in others if edge not in circuit.edges][:2]
    truth = replace(circuit, edges=(*circuit.edges[:4], *unknown), method="truth, static")
    drawn = judged_figure(circuit, truth, result)
    lines = {trace.name: trace for trace in drawn.data if trace.name and ": " in trace.name}
    names = ["4 kept: found and true", "2 missed: true, not found", "2 wrong: found, not true"]
    assert list(lines) == names
    assert [trace.line.dash for trace in lines.values()] == ["solid", "dash", "dot"]
    assert len({trace.line.color for trace in lines.values()}) == 3
    assert "precision 0.67, recall 0.67" in drawn.layout.meta["about"]
    placed = layout(replace(circuit, edges=(*circuit.edges, *unknown)), "head", result).edges
    assert sum(len(trace.x) // 3 for trace in lines.values()) == len(placed)

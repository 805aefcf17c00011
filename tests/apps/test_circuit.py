"""The Circuit page's answers over tiny models, without a browser: they are the library's own numbers."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from delivering import ASKED, answers, checked, saved
from interp_dashboard.pages.circuit import PAGE
from interp_dashboard.pages.circuit.payloads import DRAWN
from interp_dashboard.pages.circuit.state import CIRCUITS, CircuitView
from interp_dashboard.workspace import Workspace

import interp
from interp.circuits import EdgeExecutor
from interp.core.attribution_graph import AttributionGraph
from interp.core.circuit import Circuit
from interp.models import HookedModel

NAMES = [content.name for content in PAGE.contents]


@pytest.fixture
def view(workspace: Workspace) -> CircuitView:
    return checked(workspace, CircuitView(**ASKED, edges=40))


@pytest.fixture
def executor(model: HookedModel, view: CircuitView) -> EdgeExecutor:
    pairs = interp.PromptPairs.of(model, view.clean, view.corrupted, target=view.answer, contrast=view.contrast or None)
    assert pairs.metric is not None
    return EdgeExecutor(model, pairs, pairs.metric)


def circuit(model: HookedModel, view: CircuitView) -> Circuit:
    asked = {"corrupted": view.corrupted, "target": view.answer, "contrast": view.contrast}
    return Circuit.of(interp.circuits.eap(model, view.clean, **asked), edges=view.edges)


def test_the_drawn_edges_are_the_librarys_strongest(
    workspace: Workspace, model: HookedModel, view: CircuitView
) -> None:
    got, status = answers(workspace, view, ["circuit"])
    assert not status["errors"]
    payload, made = got["circuit"], circuit(model, view)
    shown = {(payload["nodes"][start][0], receiver): score for start, _, receiver, score in payload["edges"]}
    assert shown == {(e.sender, e.receiver): pytest.approx(e.score, abs=1e-6) for e in made.edges}
    assert (payload["drawn"], payload["of"], payload["kept"]) == (len(made), len(made), len(made))
    assert payload["nominal"] == 40
    assert payload["all"] == made.graph.edge_count
    assert set(payload["members"]) == set(made.nodes)
    for _, end, receiver, _ in payload["edges"]:
        node = payload["nodes"][end][0]
        assert node == "logits" or receiver in made.graph.inputs_of(node)


def test_no_more_edges_are_drawn_than_can_be_told_apart(workspace: Workspace, view: CircuitView) -> None:
    got, _ = answers(workspace, replace(view, edges=10**6), ["circuit"])
    payload = got["circuit"]
    assert payload["drawn"] == min(DRAWN, payload["of"])
    assert payload["of"] == payload["kept"] == payload["all"]


def test_positions_add_up_to_the_edge(workspace: Workspace, view: CircuitView) -> None:
    whole, _ = answers(workspace, view, ["circuit"])
    placed, _ = answers(workspace, replace(view, layout="position"), ["circuit"])
    assert placed["circuit"]["placed"]
    sums: dict[tuple[str, str], float] = {}
    for start, end, receiver, score in placed["circuit"]["edges"]:
        name, pos = placed["circuit"]["nodes"][start][:2]
        assert placed["circuit"]["nodes"][end][1] == pos
        first = next(e for e in placed["circuit"]["edges"] if e[0] == start and e[2] == receiver)
        if first[1] == end:  # a key or value that several heads share is drawn to each
            sums[name, receiver] = sums.get((name, receiver), 0) + score
    for sender, receiver, score in whole["circuit"]["whole"]:
        assert sums.get((sender, receiver), 0) == pytest.approx(score, abs=1e-3)


def test_the_run_is_the_executors(
    workspace: Workspace, model: HookedModel, view: CircuitView, executor: EdgeExecutor
) -> None:
    got, _ = answers(workspace, view, ["circuit_runs"])
    payload, made = got["circuit_runs"], circuit(model, view)
    value = executor.metric_of(executor.run(made.kept))[0, 0].item()
    clean, cut = executor.clean_metric[0].item(), executor.cut_metric[0].item()
    assert payload["circuit"] == pytest.approx(value, abs=1e-5)
    assert (payload["clean"], payload["corrupted"]) == pytest.approx((clean, cut), abs=1e-5)
    assert payload["faithfulness"] == pytest.approx((value - cut) / (clean - cut), abs=1e-4)
    assert payload["edited"] is None


def test_every_edge_is_the_model_and_the_embedding_cut_is_the_other_run(
    workspace: Workspace, view: CircuitView, executor: EdgeExecutor
) -> None:
    got, _ = answers(workspace, replace(view, edges=10**6, cuts=("embed",)), ["circuit_runs"])
    payload = got["circuit_runs"]
    assert payload["faithfulness"] == pytest.approx(1, abs=1e-4)
    assert payload["edited"] == pytest.approx(executor.cut_metric[0].item(), abs=1e-4)
    assert payload["effect"] == pytest.approx(payload["edited"] - payload["circuit"], abs=1e-6)


def test_a_cut_edge_is_the_circuit_without_it(
    workspace: Workspace, model: HookedModel, view: CircuitView, executor: EdgeExecutor
) -> None:
    made = circuit(model, view)
    edge = max(made.edges, key=lambda e: abs(e.score))
    got, _ = answers(workspace, replace(view, cuts=(f"{edge.sender}>{edge.receiver}",)), ["circuit_runs"])
    kept = made.kept.copy()
    kept[made.graph.sender(edge.sender), made.graph.receiver(edge.receiver)] = False
    value = executor.metric_of(executor.run(kept))[0, 0].item()
    assert got["circuit_runs"]["edited"] == pytest.approx(value, abs=1e-5)


def test_growth_ends_at_the_whole_model(workspace: Workspace, view: CircuitView) -> None:
    got, _ = answers(workspace, view, ["circuit_growth"])
    payload = got["circuit_growth"]
    assert payload["edges"] == sorted(set(payload["edges"]))
    assert payload["faithfulness"][-1] == pytest.approx(1, abs=1e-4)
    assert payload["random"][-1] == pytest.approx([1, 1], abs=1e-4)


def test_clean_and_corrupted_that_answer_alike_are_not_divided(workspace: Workspace, view: CircuitView) -> None:
    same = checked(workspace, replace(view, corrupted=view.clean))
    got, status = answers(workspace, same, ["circuit", "circuit_runs", "circuit_growth"])
    assert not status["errors"]
    assert got["circuit_runs"]["faithfulness"] is None
    assert set(got["circuit_growth"]["faithfulness"]) == {None}


def test_compared_with_itself_everything_is_shared(workspace: Workspace, view: CircuitView) -> None:
    mine, _ = answers(workspace, view, ["circuit"])
    theirs, _ = answers(workspace, replace(view, versus="eap-ig"), ["circuit_versus"])
    by_name = {(s, r) for s, r, _ in mine["circuit"]["whole"]}
    assert theirs["circuit_versus"]["name"] == "eap-ig"
    assert by_name & {(s, r) for s, r, _ in theirs["circuit_versus"]["edges"]}
    assert "circuit_versus" not in answers(workspace, replace(view, versus="eap"), ["circuit_versus"])[0]


@pytest.mark.parametrize("name", list(CIRCUITS))
def test_the_python_gives_what_is_shown(workspace: Workspace, model: HookedModel, view: CircuitView, name: str) -> None:
    asked = replace(view, circuit=name, cuts=("a1.1",))
    got, status = answers(workspace, asked, ["circuit", "circuit_runs"])
    assert not status["errors"]
    for slot, variable in (("circuit", "result"), ("circuit_runs", "value")):
        lines = [line for line in got[slot]["python"].splitlines() if not line.startswith("model = ")]
        scope: dict = {"model": model}
        exec("\n".join(lines), scope)
        if slot == "circuit":
            assert scope[variable].measured == got[slot]["measured"]
        else:
            assert scope[variable][0, 0].item() == pytest.approx(got[slot]["edited"], abs=1e-4)


def test_a_model_whose_stream_is_normed_is_refused_in_one_line(tiny: Callable[..., HookedModel]) -> None:
    workspace = Workspace(tiny("bert-masked"))
    try:
        given = CircuitView(clean="mary and john went to the [MASK]", corrupted="", answer="mary", contrast="john")
        view = checked(workspace, given)
        _, status = answers(workspace, view, NAMES)
        assert "does not support" in status["errors"]["circuit"]
        assert "\n" not in status["errors"]["circuit"]
    finally:
        workspace.close()


def test_the_page_works_without_a_corrupted_prompt(workspace: Workspace, view: CircuitView) -> None:
    alone = checked(workspace, replace(view, corrupted=""))
    got, status = answers(workspace, alone, ["circuit", "circuit_runs"])
    assert not status["errors"]
    assert got["circuit_runs"]["other"] == "mean"
    assert np.isfinite(got["circuit_runs"]["circuit"])


def test_the_file_holds_what_is_shown(workspace: Workspace, model: HookedModel, view: CircuitView) -> None:
    made = circuit(model, view)
    edge = made.edges[0]
    asked = replace(view, cuts=(f"{edge.sender}>{edge.receiver}",), groups=(f"first:{edge.sender}",), layout="position")
    answers(workspace, asked, ["circuit"])
    file = saved(workspace, asked, "circuit", "graph")
    read = AttributionGraph.model_validate_json(file["content"])
    assert file["filename"] == "interp-circuit.json"
    assert read.supernodes == {"first": (edge.sender,)}
    links = {(link.source, link.target) for link in read.links}
    assert (edge.sender, edge.receiver) not in links
    assert {(e.sender, e.receiver) for e in made.edges[1:]} <= links

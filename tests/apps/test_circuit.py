"""The Circuit page's answers over tiny models, without a browser: they are the library's own numbers."""

import io
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import numpy as np
import pandas as pd
import pytest
from delivering import ASKED, answers, checked, saved
from interp_dashboard.pages.circuit import DRAWN, PAGE
from interp_dashboard.pages.circuit.asks import FOUND
from interp_dashboard.pages.circuit.state import CIRCUITS, DEFINING, CircuitView
from interp_dashboard.state import Link, plain
from interp_dashboard.workspace import Workspace, short

import interp
from interp.circuits import EdgeExecutor
from interp.kinds import AttributionGraph, Circuit
from interp.models import HookedModel

NAMES = [content.name for content in PAGE.contents]


@pytest.fixture
def view(workspace: Workspace) -> CircuitView:
    return checked(workspace, CircuitView(**ASKED, circuit="eap", edges=40))


@pytest.fixture
def executor(model: HookedModel, view: CircuitView) -> EdgeExecutor:
    pairs = interp.PromptPairs.of(model, view.clean, view.corrupted, target=view.answer, contrast=view.contrast or None)
    assert pairs.metric is not None
    return EdgeExecutor(model, pairs, pairs.metric)


def circuit(model: HookedModel, view: CircuitView) -> Circuit:
    asked = {"corrupted": view.corrupted, "target": view.answer, "contrast": view.contrast}
    return Circuit.of(interp.circuits.eap(model, view.clean, **asked), edges=view.edges)


def shown(workspace: Workspace, view: CircuitView, name: str) -> Any:
    """The result behind a panel, which has to have come without an error."""
    got, status = answers(workspace, view, [name])
    assert not status["errors"]
    assert got[name]["figure"]["data"]
    return workspace.result(workspace.display(name, plain(view)))


def number(result: interp.Result, name: str) -> float:
    return float(result.data[name].values.squeeze())


def test_the_drawn_edges_are_the_librarys_strongest(
    workspace: Workspace, model: HookedModel, view: CircuitView
) -> None:
    got, status = answers(workspace, view, ["circuit"])
    assert not status["errors"]
    payload, made = got["circuit"], circuit(model, view)
    shown = {(payload["nodes"][start][0], receiver): score for start, _, receiver, score, *_ in payload["edges"]}
    assert shown == {(e.sender, e.receiver): pytest.approx(e.score, abs=1e-6) for e in made.edges}
    assert (payload["drawn"], payload["of"], payload["kept"]) == (len(made), len(made), len(made))
    assert payload["nominal"] == 40
    assert payload["all"] == made.graph.edge_count
    assert {node[0] for node in payload["nodes"]} == set(made.nodes)
    for name, _, _, _, called, layer, head, _ in payload["nodes"]:
        assert called == {"a": f"head {layer}.{head}", "m": f"MLP {name[1:]}"}.get(name[0], name)
        assert (layer is None) == (name[0] != "a")
    for _, end, receiver, *_ in payload["edges"]:
        node = payload["nodes"][end][0]
        assert node == "logits" or receiver in made.graph.inputs_of(node)


def test_a_circuit_of_heads_is_drawn_whole(workspace: Workspace, model: HookedModel, view: CircuitView) -> None:
    """What a search found is the circuit, whatever the slider says: its nodes, and the edges that have a score."""
    asked = replace(view, circuit="cdt-circuit", edges=3)
    got, status = answers(workspace, asked, ["circuit", "circuit_runs"])
    assert not status["errors"]
    payload, result = got["circuit"], FOUND["cdt-circuit"].call(model, asked).run(model)
    made = Circuit.of(result)
    assert (payload["of"], payload["kept"]) == (len(made), len(made))
    assert {node[0] for node in payload["nodes"]} == set(made.nodes)
    assert any(payload["nodes"][end][0] == "logits" for _, end, *_ in payload["edges"])
    units = {(receiver == "logits", unit) for _, _, receiver, score, unit, *_ in payload["edges"] if score is not None}
    assert (True, "logits") in units
    assert units <= {(True, "logits"), (False, "ratio")}
    assert "NaN" not in json.dumps(payload["edges"])
    (run,) = shown(workspace, asked, "circuit_runs").values()
    assert number(run, "faithfulness") == pytest.approx(float(result.values("faithfulness")), abs=1e-4)


def test_a_folded_group_is_one_node_whose_edges_are_summed(
    workspace: Workspace, model: HookedModel, view: CircuitView
) -> None:
    made = circuit(model, view)
    members = [node for node in made.nodes if node[0] == "a"][:2]
    grouped = replace(view, groups=(f"pair:{'+'.join(members)}",))
    plain, folded = (
        answers(workspace, replace(view, groups=groups), ["circuit"])[0]["circuit"]
        for groups in (grouped.groups, (f"{grouped.groups[0]}:folded",))
    )
    assert {node[0] for node in plain["nodes"]} == set(made.nodes)
    assert {node[0] for node in folded["nodes"]} == {*made.nodes, "group:pair"} - set(members)
    scores = {(edge.sender, edge.receiver): edge.score for edge in made.edges}
    for _, _, _, score, _, parts, *_ in folded["edges"]:
        assert score == pytest.approx(sum(scores[tuple(part.split(">"))] for part in parts), abs=1e-5)
    python = answers(workspace, replace(view, groups=(f"{grouped.groups[0]}:folded",)), ["circuit"])[0]["circuit"]
    assert ".grouped(" in python["python"]
    assert 'folded=["pair"]' in python["python"]


def test_a_group_is_in_the_link(model: HookedModel) -> None:
    for text, known in (
        ("x:a0.1+m1", True),
        ("x:a0.1:folded", True),
        ("x:a0.1:y", False),
        (":a0.1", False),
        ("x", False),
    ):
        link = Link("?" + urlencode({"groups": text}), model)
        assert (link.read(["circuit"], [CircuitView]).get("groups") == [text]) is known, text


def test_the_first_circuit_is_of_a_method_and_size_that_are_faithful() -> None:
    """On the default question of the default model: 91 %, in some three seconds."""
    assert (CircuitView().circuit, CircuitView().edges) == ("eap-ig", 1000)


def test_no_more_edges_are_drawn_than_can_be_told_apart(workspace: Workspace, view: CircuitView) -> None:
    got, _ = answers(workspace, replace(view, edges=10**6), ["circuit"])
    payload = got["circuit"]
    assert payload["drawn"] == min(DRAWN, payload["of"])
    assert payload["of"] == payload["kept"] == payload["all"]


def test_positions_add_up_to_the_edge(workspace: Workspace, model: HookedModel, view: CircuitView) -> None:
    placed, _ = answers(workspace, replace(view, layout="position"), ["circuit"])
    assert placed["circuit"]["placed"]
    sums: dict[tuple[str, str], float] = {}
    for start, end, receiver, score, *_ in placed["circuit"]["edges"]:
        name, pos = placed["circuit"]["nodes"][start][:2]
        assert placed["circuit"]["nodes"][end][1] == pos
        first = next(e for e in placed["circuit"]["edges"] if e[0] == start and e[2] == receiver)
        if first[1] == end:  # a key or value that several heads share is drawn to each
            sums[name, receiver] = sums.get((name, receiver), 0) + score
    for sender, receiver, score, _ in circuit(model, view).edges:
        assert sums.get((sender, receiver), 0) == pytest.approx(score, abs=1e-3)


def test_the_run_is_the_executors(
    workspace: Workspace, model: HookedModel, view: CircuitView, executor: EdgeExecutor
) -> None:
    (result,) = shown(workspace, view, "circuit_runs").values()
    value = executor.metric_of(executor.run(circuit(model, view).mask))[0, 0].item()
    clean, cut = executor.clean_metric[0].item(), executor.cut_metric[0].item()
    assert number(result, "edited") == pytest.approx(value, abs=1e-5)
    assert (number(result, "clean"), number(result, "corrupted")) == pytest.approx((clean, cut), abs=1e-5)
    assert number(result, "faithfulness") == pytest.approx((value - cut) / (clean - cut), abs=1e-4)


def test_every_edge_is_the_model_and_the_embedding_cut_is_the_other_run(
    workspace: Workspace, view: CircuitView, executor: EdgeExecutor
) -> None:
    results = shown(workspace, replace(view, edges=10**6, cuts=("embed",)), "circuit_runs")
    assert number(results["circuit"], "faithfulness") == pytest.approx(1, abs=1e-4)
    assert number(results["with cuts"], "edited") == pytest.approx(executor.cut_metric[0].item(), abs=1e-4)


def test_a_cut_edge_is_the_circuit_without_it(
    workspace: Workspace, model: HookedModel, view: CircuitView, executor: EdgeExecutor
) -> None:
    made = circuit(model, view)
    edge = max(made.edges, key=lambda e: abs(e.score))
    results = shown(workspace, replace(view, cuts=(f"{edge.sender}>{edge.receiver}",)), "circuit_runs")
    kept = made.mask.copy()
    kept[made.graph.sender(edge.sender), made.graph.receiver(edge.receiver)] = False
    value = executor.metric_of(executor.run(kept))[0, 0].item()
    assert number(results["with cuts"], "edited") == pytest.approx(value, abs=1e-5)


def test_a_cut_runs_one_circuit_and_nothing_again(
    workspace: Workspace, view: CircuitView, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The scores, the run to depart from and the circuit without cuts are kept with the answers."""
    made, runs = [], []
    init, run = EdgeExecutor.__init__, EdgeExecutor.run
    monkeypatch.setattr(EdgeExecutor, "__init__", lambda self, *given: (made.append(1), init(self, *given))[1])
    monkeypatch.setattr(
        EdgeExecutor, "run", lambda self, *given, **more: (runs.append(1), run(self, *given, **more))[1]
    )
    shown(workspace, view, "circuit_runs")
    assert (len(made), len(runs)) == (1, 2)  # the circuit, and every edge cut
    shown(workspace, replace(view, cuts=("a1.1",)), "circuit_runs")
    assert (len(made), len(runs)) == (1, 3)


def test_growth_ends_at_the_whole_model(workspace: Workspace, view: CircuitView) -> None:
    data = shown(workspace, view, "circuit_growth").data
    assert data["edges"].values.tolist() == sorted(set(data["edges"].values))
    assert data["faithfulness"].values[-1] == pytest.approx(1, abs=1e-4)
    assert data["random_faithfulness"].values[-1] == pytest.approx([1, 1], abs=1e-4)
    assert "circuit_growth" not in answers(workspace, replace(view, circuit="acdc"), ["circuit_growth"])[0]


def test_clean_and_corrupted_that_answer_alike_are_not_divided(workspace: Workspace, view: CircuitView) -> None:
    same = checked(workspace, replace(view, corrupted=view.clean))
    (alone,) = shown(workspace, same, "circuit_runs").values()
    assert np.isnan(number(alone, "faithfulness"))
    assert np.isnan(shown(workspace, same, "circuit_growth").data["faithfulness"].values).all()
    notes = answers(workspace, same, ["circuit_growth"])[0]["circuit_growth"]["notes"]
    assert notes == ["not defined: the whole model and the model with every edge cut give the same metric"]


def test_what_two_circuits_share(workspace: Workspace, model: HookedModel, view: CircuitView) -> None:
    mine, asked = circuit(model, view), {"corrupted": view.corrupted, "target": view.answer, "contrast": view.contrast}
    other = Circuit.of(interp.circuits.eap_ig(model, view.clean, **asked), edges=view.edges)
    shared = mine.shared_with(other)
    got, status = answers(workspace, replace(view, versus="eap-ig"), ["circuit_versus"])
    assert not status["errors"]
    assert got["circuit_versus"]["title"].startswith(f"{len(shared.edges)} edges of {len(mine)} and {len(other)}")
    assert len(shown(workspace, replace(view, versus="eap-ig"), "circuit_versus")) == 2
    table = pd.read_csv(
        io.StringIO(saved(workspace, replace(view, versus="eap-ig"), "circuit_versus", "csv")["content"])
    )
    assert table["score"].notna().sum() == len(mine)
    assert table["score_there"].notna().sum() == len(other)
    assert (table["score"].notna() & table["score_there"].notna()).sum() == len(shared.edges)


def test_a_circuit_that_was_kept_is_in_the_link(workspace: Workspace, model: HookedModel, view: CircuitView) -> None:
    kept = json.dumps([getattr(view, name) for name in DEFINING])
    now = checked(workspace, replace(view, clean=view.clean.replace("drink", "book"),
                                     corrupted=view.corrupted.replace("drink", "book"), edges=30))  # fmt: skip
    now = replace(now, versus="kept", kept=kept)
    title = answers(workspace, now, ["circuit_versus"])[0]["circuit_versus"]["title"]
    assert title.startswith(f"{len(circuit(model, now).shared_with(circuit(model, view)).edges)} edges of")
    link = Link("?" + urlencode({"page": "circuit", "versus": "kept", "kept": kept}), model)
    assert link.read(["circuit"], [CircuitView])["kept"] == kept
    assert not link.problem
    for bad in ("x", "[1]", json.dumps([1] * len(DEFINING)), "{}"):
        link = Link("?" + urlencode({"kept": bad}), model)
        assert "kept" not in link.read(["circuit"], [CircuitView])
        assert "not a circuit" in link.problem


def test_a_picked_node_is_in_the_link(model: HookedModel) -> None:
    for text, known in (("m0", True), ("logits", True), ("embed", True), ("m99", False), ("<b>", False)):
        link = Link("?" + urlencode({"picked": text}), model)
        assert (link.read(["circuit"], [CircuitView]).get("picked") == text) is known
        assert bool(link.problem) is not known


def test_a_cancelled_search_is_said_by_everything_that_waits_for_it(workspace: Workspace, view: CircuitView) -> None:
    """What runs the circuit neither searches by itself nor shows another circuit's numbers."""
    answers(workspace, view, NAMES)
    searched = plain(replace(view, circuit="acdc"))
    call = FOUND["acdc"].call(workspace.model, replace(view, circuit="acdc"))
    assert call is not None
    stopped = [short(call.key)]
    status = workspace.deliver(searched, NAMES, tab="one", have={}, stopped=stopped).status
    for name in ("circuit", "circuit_runs"):
        assert status["held"][name] == "Cancelled: finding a circuit by acdc."
        assert stopped[0] in status["works"][name]
    assert not status["pending"]
    delivered = workspace.deliver(searched, NAMES, tab="one", have={}, stopped=stopped).payloads
    assert not {"circuit", "circuit_runs"} & set(delivered)


@pytest.mark.parametrize("name", list(CIRCUITS))
def test_the_python_gives_what_is_shown(
    workspace: Workspace, model: HookedModel, view: CircuitView, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Executed as it stands; and what several results need comes once."""
    monkeypatch.setattr(interp, "load", lambda name: model)
    asked = replace(view, circuit=name, cuts=("a1.1",))
    got, status = answers(workspace, asked, ["circuit", "circuit_runs"])
    assert not status["errors"]
    scope: dict[str, Any] = {}
    exec(got["circuit"]["python"], scope)
    assert scope["result"].measured == got["circuit"]["measured"]
    frame = pd.read_csv(io.StringIO(saved(workspace, asked, "circuit", "csv")["content"]))
    assert [e[:2] for e in scope["circuit"].edges] == list(zip(frame["sender"], frame["receiver"], strict=True))
    exec(got["circuit_runs"]["python"], scope)
    assert got["circuit_runs"]["python"].count(f"{name.replace('-', '_')}(") == 1
    for key, result in shown(workspace, asked, "circuit_runs").items():
        assert number(scope["results"][key], "edited") == pytest.approx(number(result, "edited"), abs=1e-4)
    assert len(scope["figure"].data) == len(got["circuit_runs"]["figure"]["data"])


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
    (result,) = shown(workspace, alone, "circuit_runs").values()
    assert "its sender's mean over the prompt" in result.measured
    assert np.isfinite(number(result, "edited"))


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

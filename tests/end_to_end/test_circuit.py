"""The Circuit page in a real browser over the real model: its numbers are the library's."""

import math
import re
from collections.abc import Callable

import pytest
from end_to_end.browsing import Tab

import interp
from interp.circuits import EdgeExecutor
from interp.kinds import Circuit
from interp.models import HookedModel

pytestmark = [pytest.mark.browser, pytest.mark.real_model]

CLEAN = "When Mary and John went to the store, John gave a drink to"
CORRUPTED = "When Mary and John went to the store, Mary gave a drink to"


@pytest.fixture(scope="module")
def executor(real_model: HookedModel) -> EdgeExecutor:
    pairs = interp.PromptPairs.of(real_model, CLEAN, CORRUPTED, target=" Mary", contrast=" John")
    assert pairs.metric is not None
    return EdgeExecutor(real_model, pairs, pairs.metric)


@pytest.fixture(scope="module")
def circuit(real_model: HookedModel) -> Circuit:
    scores = interp.circuits.eap(real_model, CLEAN, corrupted=CORRUPTED, target=" Mary", contrast=" John")
    return Circuit.of(scores, edges=100)


def value(executor: EdgeExecutor, circuit: Circuit) -> float:
    return executor.metric_of(executor.run(circuit.mask))[0, 0].item()


def alone(tab: Tab) -> dict[str, float]:
    """The metric of every run that is drawn, by the run's name."""
    tab.page.wait_for_selector(".drawn-figure[data-slot='circuit_runs'] .main-svg")
    rows = tab.evaluate(
        f"(({{customdata, x}}) => customdata.map((text, i) => [text, x[i]]))({tab.figure('circuit_runs')}._fullData[0])"
    )
    return {re.split(" [+−0-9]", text)[0]: value for text, value in rows}


def called(node: str) -> str:
    """A node or one of its inputs as the page calls it."""
    kinds = {"a": "head", "m": "MLP", "q": "query", "k": "key", "v": "value"}
    return re.sub(r"^([amqkv])(?=\d)", lambda match: f"{kinds[match[1]]} ", node)


def edge_at(tab: Tab, name: str) -> None:
    """Click the middle of an edge's line."""
    tab.page.locator(f"[data-edge='{name}']").first.evaluate(
        "e => e.dispatchEvent(new MouseEvent('click', {bubbles: true}))"
    )
    tab.settle()


def test_the_circuit_is_the_librarys_and_says_how_much_is_shown(tab: Tab, circuit: Circuit) -> None:
    tab.open(page="circuit", circuit="eap", edges="100")
    assert set(tab.each("[data-edge]", "e.dataset.edge")) == {f"{e.sender}>{e.receiver}" for e in circuit.edges}
    assert f"{len(circuit)} of {len(circuit)} shown" in tab.text(".counted")
    assert "70,651 in the model" in tab.text(".counted")
    strongest = max(circuit.edges, key=lambda e: abs(e.score))
    tab.page.locator(f"[data-edge='{strongest.sender}>{strongest.receiver}']").first.dispatch_event("mousemove")
    tip = tab.text(".tip")
    assert f"{called(strongest.sender)} → {called(strongest.receiver)}" in tip
    assert f"{abs(strongest.score):.3f}" in tip


def test_an_edge_cut_and_restored_changes_the_answer_and_back(
    tab: Tab, circuit: Circuit, executor: EdgeExecutor
) -> None:
    tab.open(page="circuit", circuit="eap", edges="100")
    assert alone(tab) == {
        "every edge cut": pytest.approx(executor.cut_metric[0].item(), abs=1e-3),
        "circuit": pytest.approx(value(executor, circuit), abs=1e-3),
        "whole model": pytest.approx(executor.clean_metric[0].item(), abs=1e-3),
    }
    tab.page.locator(".graph").scroll_into_view_if_needed()
    edge_at(tab, "a23.3>logits")
    without = circuit.without(edges=[("a23.3", "logits")])
    assert alone(tab)["with cuts"] == pytest.approx(value(executor, without), abs=1e-3)
    assert "cuts=a23.3%3Elogits" in tab.page.url
    assert tab.page.locator(".edge.cut").count() == 1
    edge_at(tab, "a23.3>logits")
    assert "with cuts" not in alone(tab)


def test_a_node_is_selected_everywhere_cut_and_grouped(tab: Tab, circuit: Circuit, executor: EdgeExecutor) -> None:
    tab.open(page="circuit", circuit="eap", edges="100")
    tab.page.locator("[data-node-name='a29.1']").first.click()
    tab.settle()
    assert "Head 29.1" in tab.text(".inspector h2")
    tab.page.click("[data-act='cut-node']")
    tab.settle()
    assert alone(tab)["with cuts"] == pytest.approx(value(executor, circuit.without(nodes=["a29.1"])), abs=1e-3)
    tab.page.fill(".group-field", "movers, <b>")
    tab.page.click("[data-act='group']")
    tab.settle()
    assert "movers  <b>" in tab.text(".group-list")
    tab.page.locator("[data-node-name='logits']").first.click()
    tab.settle()
    assert "picked=logits" in tab.page.url
    assert tab.text(".node-name") == "logits"
    assert "Head 29.1" in tab.text(".inspector h2")


def test_names_groups_and_zoom(tab: Tab, new_tab: Callable[..., Tab]) -> None:
    """Nodes are named on the drawing; a group folds into one node and back; both, and the zoom, are in the link."""
    tab.open(page="circuit", circuit="eap", edges="100")
    names = tab.each(".node-name-at", "e.textContent")
    assert {"head 29.1", "logits"} <= set(names)
    assert any(name.startswith("MLP ") for name in names)
    for node in ("a23.3", "a29.1"):
        tab.page.locator(f"[data-node-name='{node}']").first.click()
        tab.settle()
        tab.page.fill(".group-field", "movers")
        tab.page.click("[data-act='group']")
        tab.settle()
    tab.page.click("[data-fold='movers']")
    tab.settle()
    assert tab.page.locator("[data-node-name='group:movers']").count() == 1
    assert tab.page.locator("[data-node-name='a23.3']").count() == 0
    wide = tab.evaluate("document.querySelector('.graph').clientWidth")
    tab.page.click("[data-zoom='+']")
    tab.settle()
    assert tab.evaluate("document.querySelector('.graph').clientWidth") == pytest.approx(1.25 * wide, abs=2)
    other = new_tab().open()
    other.page.goto(tab.page.url)
    other.page.wait_for_selector("[data-node-name='group:movers']")
    assert other.settle().evaluate("interp.view.zoom") == 125
    tab.page.click("[data-zoom='fit']")
    tab.page.click("[data-fold='movers']")
    tab.settle()
    assert tab.page.locator("[data-node-name='a23.3']").count() == 1


def test_the_first_circuit_is_faithful_and_says_so(tab: Tab) -> None:
    tab.open(page="circuit")
    share = int(re.search(r"Faithfulness (\d+)", tab.text(".counted"))[1])
    assert share >= 85
    assert alone(tab)["circuit"] > 0  # it prefers Mary


def test_a_circuit_of_heads_shows_its_heads(tab: Tab) -> None:
    tab.open(page="circuit", circuit="cdt-circuit")
    assert not tab.text(".counted").startswith("0 of")
    assert tab.page.locator("[data-node-name^='a']").count() == 17
    assert tab.page.locator("[data-edge$='>logits']").count() > 0
    assert "Faithfulness 60" in tab.text(".counted")


def test_the_slider_asks_for_as_many_edges(tab: Tab, executor: EdgeExecutor, real_model: HookedModel) -> None:
    tab.open(page="circuit", circuit="eap", edges="100")
    slider = tab.page.locator(".slider")
    slider.focus()
    for _ in range(25):
        slider.press("ArrowRight")
    tab.page.wait_for_timeout(300)
    tab.settle()
    edges = tab.evaluate("interp.view.edges")
    assert 110 < edges < 160
    scores = interp.circuits.eap(real_model, CLEAN, corrupted=CORRUPTED, target=" Mary", contrast=" John")
    assert alone(tab)["circuit"] == pytest.approx(value(executor, Circuit.of(scores, edges=edges)), abs=1e-3)


def test_growth_and_comparison(tab: Tab) -> None:
    tab.open(page="circuit", circuit="eap", edges="100", versus="task ioi")
    assert "edges of" in tab.text("[data-slot='circuit_versus'] .caption")
    tab.page.wait_for_selector(".drawn-figure[data-slot='circuit_growth'] .main-svg")
    sizes, shares = tab.evaluate(
        f"(({{x, y}}) => [Array.from(x), Array.from(y)])({tab.figure('circuit_growth')}._fullData[3])"
    )
    assert len(sizes) >= 6
    tab.click_point("circuit_growth", math.log10(sizes[1]), shares[1])
    tab.settle()
    assert tab.evaluate("interp.view.edges") == sizes[1]


def test_a_kept_circuit_is_compared_across_prompts(tab: Tab, new_tab: Callable[..., Tab]) -> None:
    tab.open(page="circuit", edges="400")
    tab.page.click("[data-act='keep']")
    tab.settle()
    count = tab.evaluate("interp.data.circuit.kept")
    assert tab.text("[data-slot='circuit_versus'] .caption").startswith(f"{count} edges of {count} and {count} shared")
    tab.ask(clean=CLEAN.replace("store", "school"), corrupted=CORRUPTED.replace("store", "school"))
    tab.page.wait_for_url("**school**")
    tab.settle()
    said = tab.text("[data-slot='circuit_versus'] .caption")
    assert 0 < int(said.split()[0]) <= count
    assert said.split(" and ")[1].startswith(f"{count} shared")
    other = new_tab().open()
    other.page.goto(tab.page.url)
    other.page.wait_for_selector("[data-slot='circuit_versus'] .main-svg")
    other.settle()
    assert other.text("[data-slot='circuit_versus'] .caption") == said


def test_a_search_shows_how_far_it_is_and_can_be_cancelled(tab: Tab) -> None:
    tab.page.goto(f"{tab.url}?page=circuit&circuit=acdc")
    tab.page.wait_for_selector("[data-panel='circuit'] .panel-count:has-text(' of ')", timeout=300_000)
    tab.page.locator(".drawn-jobs button").first.click()
    for panel in ("circuit", "circuit_runs"):
        tab.page.wait_for_selector(f"[data-panel='{panel}'] .panel-status:has-text('Cancelled')", timeout=300_000)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_both_looks_and_both_layouts(new_tab: Callable[..., Tab], scheme: str) -> None:
    tab = new_tab(scheme=scheme).open(page="circuit", layout="position", edges="60")
    assert tab.page.locator(".graph .node").count() > 5
    tab.page.click("[data-set='layout'][data-value='head']")
    tab.settle()


def test_a_narrow_window_scrolls_the_graph_and_nothing_else(new_tab: Callable[..., Tab]) -> None:
    tab = new_tab(width=700).open(page="circuit", edges="60")
    assert tab.evaluate("document.documentElement.scrollWidth <= window.innerWidth")

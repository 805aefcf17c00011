"""A program written in the page becomes its model; models of known truth show what is known of them."""

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from end_to_end.browsing import Tab
from end_to_end.conftest import opened, visit
from interp_dashboard.serve import Dashboard, serve
from playwright.sync_api import BrowserContext, Page

import interp

pytestmark = pytest.mark.browser
needs_tracr = pytest.mark.skipif(find_spec("tracr") is None, reason="needs the extra groundtruth")
SOURCE = "same = select(tokens, tokens, ==);\nfirst = selector_width(same and select(indices, indices, <)) == 0;"


@pytest.fixture
def served(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Dashboard]:
    monkeypatch.setenv("INTERP_CACHE", str(tmp_path))
    dashboard = serve(interp.load(getattr(request, "param", "rasp/sort")), port=0, block=False)
    yield dashboard
    dashboard.close()


@pytest.fixture
def page(served: Dashboard, shared_page: Page) -> Iterator[Tab]:
    with visit(shared_page, served.url) as made:
        yield made


def box(tab: Tab) -> None:
    tab.page.click("#model-name")
    tab.page.click(".rasp summary")


def compile_program(tab: Tab, source: str) -> None:
    tab.page.fill("#rasp-source", source)
    tab.page.click("[data-act='compile']")


@needs_tracr
def test_a_program_is_written_mended_and_opened(served: Dashboard, page: Tab) -> None:
    page.open(page="lens")
    box(page)
    assert "select(tokens, tokens, ==)" in page.page.input_value("#rasp-source")
    page.page.fill("#rasp-vocabulary", "x y z")
    compile_program(page, "hist = selector_width(same);")
    page.page.wait_for_selector("#rasp-problem:has-text(\"line 1, column 23: there is no 'same'\")")
    compile_program(page, "x = aggregate(select(indices, indices, <=), tokens);")  # known only once it has run
    page.page.wait_for_selector("#rasp-problem:has-text('has to average x and y on the input')", timeout=60_000)
    assert page.page.locator("#loading .problem").count() == 0
    assert served.workspace.model.name == "rasp/sort"
    assert page.page.input_value("#rasp-vocabulary") == "x y z"
    page.page.wait_for_timeout(1500)
    compile_program(page, SOURCE)
    page.page.wait_for_selector("#model-name:has-text('compiled/first-')", timeout=60_000)
    page.page.wait_for_selector(".lead-numbers strong", timeout=60_000)
    page.settle()
    assert page.evaluate("interp.view.page") == "heads"
    assert set(page.evaluate("interp.view.clean").split()) <= {"x", "y", "z"}
    page.ask(clean="x y x", corrupted="", answer="F", contrast="T")
    page.page.wait_for_selector("#form", state="hidden")
    page.settle()
    page.evaluate("interp.select(1, 0)")
    page.settle()
    facts = page.text(".inspector dl")
    assert "keys tokens_indices, queries tokens_indices" in facts
    selected = page.evaluate(f"{page.figure('selector')}._fullData[0].z.map((row) => Array.from(row))")
    assert selected == [[0] * 4, [0] * 4, [0] * 4, [0, 1, 0, 0]]
    assert "largest difference of attention from the selector" in page.text(".panel[data-panel='selector'] .measured")
    page.page.click("[data-set='page'][data-value='lens']")
    page.settle()
    said = page.evaluate(f"{page.figure('variables')}._fullData[0].text.map((row) => Array.from(row))")
    names = page.evaluate(f"Array.from({page.figure('variables')}.layout.yaxis.ticktext)")
    assert dict(zip(names, said, strict=True))["tokens"] == ["BOS", "x", "y", "x"]


def test_without_the_compiler_the_box_says_what_to_install(page: Tab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("interp.groundtruth.from_rasp.find_spec", lambda name: None)
    page.open(page="heads", layer="1", head="0")
    box(page)
    assert "pip install 'interp[groundtruth]'" in page.text(".rasp .problem >> nth=0")
    assert page.page.locator("[data-act='compile']").count() == 0
    page.page.keyboard.press("Escape")
    assert page.page.locator(".panel[data-panel='selector'] .plot").is_visible()


def verdicts(tab: Tab) -> dict[str, int]:
    """The counts of the legend, each of which is the number of lines drawn that way."""
    counts = tab.each(".verdicts li", "[e.dataset.verdict, Number(e.querySelector('b').textContent)]")
    for verdict, count in counts:
        assert tab.page.locator(f".graph .edge.judged.{verdict}").count() == count
    return dict(counts)


def test_the_true_circuit_is_laid_over_the_one_that_is_found(page: Tab) -> None:
    """In the address, in numbers, in the files; cut edges are missed from the numbers, not drawn twice."""
    page.open(page="circuit", circuit="eap-ig", edges="10", layer="1", head="0")
    assert page.page.locator(".verdicts").count() == 0
    page.page.click("[data-set='truth'][data-value='static']")
    page.settle()
    assert "truth=static" in page.page.url
    static = verdicts(page)
    page.page.click("[data-set='truth'][data-value='effective']")
    page.settle()
    effective = verdicts(page)
    assert static["kept"] + static["wrong"] == effective["kept"] + effective["wrong"]
    truths = [interp.groundtruth.circuit("rasp/sort", edges) for edges in ("static", "effective")]  # pyright: ignore
    assert [found["kept"] + found["missed"] for found in (static, effective)] == list(map(len, truths))
    said = page.text(".panel[data-panel='circuit'] .legend-said")
    precision = effective["kept"] / (effective["kept"] + effective["wrong"])
    recall = effective["kept"] / (effective["kept"] + effective["missed"])
    assert said == f"against the effective truth: precision {precision:.2f}, recall {recall:.2f}"
    python = page.evaluate("interp.fresh('circuit').python")
    results: dict[str, Any] = {}
    exec(python, results)
    assert dict(results["table"]["verdict"].value_counts()) == {name: n for name, n in effective.items() if n}
    assert {trace.name.split(":")[0] for trace in results["figure"].data if trace.name and ":" in trace.name} == {
        f"{count} {verdict}" for verdict, count in effective.items()
    }
    page.page.reload()
    page.page.wait_for_selector(".verdicts")
    page.settle()
    assert verdicts(page) == effective
    page.evaluate("interp.toggle('cuts', 'm1')")  # which every path goes through
    page.settle()
    assert int(page.text("[data-verdict='kept'] b")) < effective["kept"]
    assert page.page.locator(".graph .edge.cut").count() == effective["kept"] - int(
        page.text("[data-verdict='kept'] b")
    )
    assert page.page.locator(".graph .edge.judged.missed").count() == effective["missed"]


def test_no_truth_is_offered_of_a_model_that_has_none(tiny: Any, shared_context: BrowserContext) -> None:
    dashboard = serve(tiny("gpt2"), port=0, block=False)
    tab = opened(shared_context, dashboard.url)
    tab.open(page="circuit", circuit="eap", truth="static", clean="When Mary gave", corrupted="", answer=" Mary")
    assert tab.page.locator(".verdicts").count() == 0
    assert tab.page.locator(".panel[data-panel='circuit']").first.get_attribute("data-state") == "ready"
    assert not tab.page.locator("[data-set='truth'][data-value='static']").is_visible()
    tab.page.click("[data-set='page'][data-value='heads']")
    tab.settle()
    assert not tab.page.locator(".panel[data-panel='selector']").is_visible()
    tab.page.close()
    dashboard.close()
    assert tab.problems == []


@pytest.mark.parametrize("served", ["programs/dyck1"], indirect=True)
def test_a_line_of_a_learned_program_selects_the_head_that_runs_it(served: Dashboard, page: Tab) -> None:
    text, lines = interp.groundtruth.source("programs/dyck1")
    page.open(page="heads", layer="0", head="0")
    page.page.wait_for_selector(".program-text")
    shown = page.evaluate("Array.from(document.querySelectorAll('.program-text .line'), (e) => e.textContent)")
    assert [line.rstrip() for line in shown] == text.rstrip().split("\n")
    number, sender = next((number, sender) for number, sender in lines.items() if sender[:2] == "a1")
    page.page.click(f"[data-line='{number}']")
    page.settle()
    layer, head = sender[1:].split(".")
    assert f"layer={layer}" in page.page.url
    assert f"head={head}" in page.page.url
    pressed = page.each(".program-text [aria-pressed='true']", "e.dataset.line")
    assert {int(each) for each in pressed} == {number for number, own in lines.items() if own == sender}
    number, sender = next((number, sender) for number, sender in lines.items() if sender[0] == "m")
    page.page.click(f"[data-line='{number}']")
    page.settle()
    assert f"picked={sender}" in page.page.url

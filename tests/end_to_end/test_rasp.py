"""A program written in the page becomes its model; models of known truth show their variables, selectors and circuit."""

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from end_to_end.browsing import Tab
from end_to_end.conftest import opened
from interp_dashboard.serve import Dashboard, serve
from playwright.sync_api import BrowserContext

import interp

pytestmark = pytest.mark.browser
needs_tracr = pytest.mark.skipif(find_spec("tracr") is None, reason="needs the extra groundtruth")
SOURCE = "same = select(tokens, tokens, ==);\nfirst = selector_width(same and select(indices, indices, <)) == 0;"


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Dashboard]:
    monkeypatch.setenv("INTERP_CACHE", str(tmp_path))
    dashboard = serve(interp.load("rasp/sort"), port=0, block=False)
    yield dashboard
    dashboard.close()


@pytest.fixture
def page(served: Dashboard, shared_context: BrowserContext) -> Iterator[Tab]:
    made = opened(shared_context, served.url)
    yield made
    made.page.close()
    assert made.problems == []


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

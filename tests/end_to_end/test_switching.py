"""Another model from the header's list, while the first one answers."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from end_to_end.browsing import Tab
from end_to_end.conftest import opened
from interp_dashboard.serve import Dashboard, serve
from playwright.sync_api import BrowserContext

import interp

pytestmark = pytest.mark.browser

PROMPT = {"clean": "When Mary went to the store", "corrupted": "", "answer": " Mary", "contrast": " John"}


@pytest.fixture
def served(checkpoint: Callable[[str], Path], few_windows: None) -> Iterator[Dashboard]:
    dashboard = serve(interp.load(str(checkpoint("llama"))), port=0, block=False)
    yield dashboard
    dashboard.close()


@pytest.fixture
def tabs(served: Dashboard, shared_context: BrowserContext) -> Iterator[list[Tab]]:
    made = [opened(shared_context, served.url) for _ in range(2)]
    yield made
    for tab in made:
        tab.page.close()
    assert [problem for tab in made for problem in tab.problems] == []


def load(tab: Tab, name: str) -> None:
    """Open the list, type a model, and load it."""
    tab.page.click("#model-name")
    tab.page.fill("#model-typed", name)
    tab.page.press("#model-typed", "Enter")
    tab.page.click(f"[data-model='{name}']")


def shows(tab: Tab, name: str) -> Tab:
    tab.page.wait_for_selector(f"#model-name:has-text('{name}')", timeout=60_000)
    tab.page.wait_for_selector(".lead-numbers strong", timeout=60_000)
    return tab.settle()


def test_to_another_model_and_back(served: Dashboard, tabs: list[Tab], checkpoint: Callable[[str], Path]) -> None:
    """Every page works, the question stays, the selection does not; the other tab says that the model was changed."""
    first, second = tabs
    llama, gpt2 = str(checkpoint("llama")), str(checkpoint("gpt2"))
    for tab in tabs:
        tab.open(**PROMPT, layer="2", head="3", nodes="a1.1")
    before = first.text(".drawn-lead")
    old_link = first.page.url
    assert "model=" in old_link
    load(first, gpt2)
    shows(first, gpt2)
    assert served.workspace.model.name == gpt2
    assert first.evaluate("interp.view.clean") == PROMPT["clean"]
    assert first.evaluate("interp.view.nodes") == []
    assert first.text(".drawn-lead") != before
    second.page.wait_for_selector("#server:has-text('What you see is of')", timeout=10_000)
    assert second.evaluate("document.querySelector('.body').inert")
    assert second.text(".drawn-lead") == before
    for page in first.each(".rail [data-set='page']", "e.dataset.value"):
        first.page.click(f".rail [data-value='{page}']")
        first.settle()
        assert "failed" not in " ".join(first.each(".panel-status", "e.textContent"))
    second.page.click("[data-act='reload']")
    shows(second, gpt2)

    # A link of the first model says so, and is shown in full once that model is back
    first.page.goto(old_link)
    first.settle()
    assert f"This link is of {llama}" in first.text("#notice")
    assert first.evaluate("interp.view.nodes") == []
    first.page.click("[data-act='switch']")
    first.page.click(f"[data-model='{llama}']")
    shows(first, llama)
    assert first.evaluate("interp.view.nodes") == ["a1.1"]
    assert "of gpt2" not in first.text("#notice")


def test_what_cannot_be_loaded_leaves_the_model(
    served: Dashboard, tabs: list[Tab], checkpoint: Callable[[str], Path], tmp_path: Path
) -> None:
    """A damaged folder: one line in every tab, and the first model goes on."""
    first = tabs[0]
    damaged = shutil.copytree(checkpoint("gpt2"), tmp_path / "damaged")
    (damaged / "tokenizer.json").write_text("{}")
    for tab in tabs:
        tab.open(**PROMPT)
    load(first, str(damaged))
    for tab in tabs:
        tab.page.wait_for_selector("#loading .problem", timeout=30_000)
        assert "damaged" in tab.text("#loading")
    first.page.click("#loading [aria-label='Dismiss']")
    first.page.wait_for_selector("#loading .problem", state="detached")
    assert served.workspace.model.name == str(checkpoint("llama"))
    first.ask(clean="When John went to the store")
    first.reach("interp.view.clean", "When John went to the store")
    first.page.click("#model-name")
    first.page.fill("#model-typed", str(tmp_path / "nothing"))
    first.page.press("#model-typed", "Enter")
    first.page.wait_for_selector("#models .problem:has-text('there is no folder')")
    first.page.keyboard.press("Escape")
    assert first.page.locator("#models").is_hidden()

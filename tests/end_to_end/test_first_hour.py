"""What a newcomer meets: help with the question, long prompts, keys, a tiny model without a dictionary."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from end_to_end.browsing import Tab
from end_to_end.conftest import visit
from interp_dashboard.pages.features import state as features
from interp_dashboard.serve import Dashboard, serve
from interp_dashboard.state import View
from playwright.sync_api import Page, expect
from tiny import write_dictionary

import interp

pytestmark = pytest.mark.browser

ASKED = {"clean": "When Mary gave a drink to", "corrupted": "", "answer": " Mary", "contrast": " John"}
LONG = ASKED | {"clean": "When Mary and John went to the store, John gave a drink to " * 30 + "Mary"}
PLACE = {"layer": "1", "head": "1"}


@pytest.fixture(scope="module")
def served(
    checkpoint: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory, few_windows: None
) -> Iterator[Dashboard]:
    """The tiny Llama with room for long prompts, and no dictionary."""
    folder = tmp_path_factory.mktemp("models") / "roomy"
    shutil.copytree(checkpoint("llama"), folder)
    for name, field in (("config.json", "max_position_embeddings"), ("tokenizer_config.json", "model_max_length")):
        config = json.loads((folder / name).read_text())
        (folder / name).write_text(json.dumps(config | {field: 512}))
    made = serve(interp.load(str(folder)), port=0, block=False)
    yield made
    made.close()


@pytest.fixture
def page(served: Dashboard, shared_page: Page, monkeypatch: pytest.MonkeyPatch) -> Iterator[Tab]:
    for module in ("interp.dictionaries.sae.catalogue", features.__name__, "interp_dashboard.pages.features"):
        monkeypatch.setattr(f"{module}.known", lambda model: {})
    with visit(shared_page, served.url) as made:
        yield made


def scrolled(tab: Tab, box: str) -> dict[str, float]:
    return tab.evaluate(
        f"(({{scrollLeft, scrollTop, scrollWidth, scrollHeight, clientWidth, clientHeight}}) => ({{left: scrollLeft, "
        f"top: scrollTop, right: scrollWidth - clientWidth, bottom: scrollHeight - clientHeight}}))"
        f"(document.querySelector({json.dumps(box)}))"
    )


def test_a_long_prompt_opens_where_its_answer_is_read(page: Tab) -> None:
    page.open(page="lens", **LONG, **PLACE)
    assert page.evaluate("interp.tokens().length") >= 400
    strip = scrolled(page, ".drawn-strip .tokens")
    assert strip["bottom"] > 0
    assert strip["top"] == pytest.approx(strip["bottom"], abs=12)
    lens = scrolled(page, ".drawn-lensgrid .scroll")
    assert lens["right"] > 10_000
    assert lens["left"] == pytest.approx(lens["right"], abs=40)
    assert page.evaluate("document.querySelector('.drawn-lensgrid canvas').width") < 1400
    page.evaluate("document.querySelector('.drawn-lensgrid .scroll').scrollLeft = 46 * 3")
    canvas = page.page.locator(".drawn-lensgrid canvas")
    canvas.click(position={"x": 34 + 46 * 2.5, "y": 10})
    page.settle()
    assert page.evaluate("interp.view.query") == 5
    assert scrolled(page, ".drawn-lensgrid .scroll")["left"] == 46 * 3
    page.page.click("[data-set='page'][data-value='heads']")
    page.settle()
    pattern = scrolled(page, ".drawn-pattern .scroll")
    assert pattern["bottom"] > 4_000
    assert pattern["top"] < 100  # the query's row is the sixth
    page.page.click(".drawn-pattern [data-act='near']")
    page.settle()
    assert scrolled(page, ".drawn-pattern .scroll")["bottom"] <= 1
    size = page.evaluate("(({cell, size}) => cell * size)(document.querySelector('.drawn-pattern').grid)")
    assert 100 < size < 620


def test_arrow_keys_move_the_cell_of_the_pattern(page: Tab) -> None:
    page.open(page="heads", query="4", key="2", **ASKED, **PLACE)
    page.page.locator(".drawn-pattern canvas").focus()
    for key, place in (("ArrowUp", [3, 2]), ("ArrowLeft", [3, 1]), ("ArrowDown", [4, 1]), ("ArrowRight", [4, 2])):
        page.page.keyboard.press(key)
        assert page.evaluate("[interp.view.query, interp.view.key]") == place
    page.settle()


def test_the_forms_keys_a_hint_and_an_example(page: Tab) -> None:
    page.open(page="lens", **ASKED, **PLACE)
    page.page.click("#edit-question")
    page.page.fill("#field-answer", "Mary")
    hint = page.page.locator("#hint [data-offer=' Mary']")
    hint.click()
    assert page.page.input_value("#field-answer") == " Mary"
    expect(page.page.locator("#hint")).to_be_empty()
    page.page.fill("#field-contrast", " store")
    expect(page.page.locator("#field-contrast-description")).to_contain_text("store")  # the field is known to have it
    page.page.keyboard.press("Escape")
    expect(page.page.locator("#form")).to_be_hidden()
    expect(page.page.locator("#field-contrast")).to_have_value(" John")
    page.page.click("#edit-question")
    page.page.fill("#field-clean", "When John gave a drink to")
    page.page.keyboard.press("Control+Enter")
    page.page.wait_for_selector("#form", state="hidden")
    page.page.wait_for_url("**clean=When+John**")
    page.settle()
    page.page.click("#edit-question")
    page.page.select_option("#example-name", "worked example")
    expect(page.page.locator("#field-clean")).to_have_value(View().clean)
    assert page.evaluate("interp.view.clean") == "When John gave a drink to"  # until it is told to run
    assert "Press Run" in page.text("#notice.calm")


def test_a_dictionary_is_asked_for_once_and_can_be_given(page: Tab, served: Dashboard, tmp_path: Path) -> None:
    page.open(page="features", **ASKED, **PLACE)
    states = page.each(".panel", "e.offsetParent ? e.dataset.state : ''")
    assert [state for state in states if state] == ["empty"]
    assert "interp train sae" in page.text("main")
    field = page.page.locator(".drawn-dictionary input")
    field.fill(str(tmp_path / "nowhere"))
    page.page.click("[data-act='open-dictionary']")
    page.settle()
    assert page.text("main").count("there is no dictionary") == 1
    field.fill(str(write_dictionary(served.workspace.model, tmp_path / "mine")))
    field.press("Enter")
    page.page.wait_for_selector(".panel[data-panel='features_active'][data-state='ready']")
    page.settle()
    feature = page.evaluate("interp.view.feature")
    assert feature in page.evaluate("interp.data.features_active.names")
    page.page.reload()
    page.page.wait_for_selector(".feature-name")

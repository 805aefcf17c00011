"""The page Engines in a real browser over a tiny model: every engine, files, links, comparisons."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from asking import some
from axe_playwright_python.sync_playwright import Axe
from end_to_end.browsing import Tab
from end_to_end.conftest import opened
from interp_dashboard.serve import serve
from playwright.sync_api import Browser

import interp
from interp.checks.contract import QUICK
from interp.engines import all_engines
from interp.models import HookedModel

pytestmark = pytest.mark.browser

CLEAN, CORRUPTED = "When Mary and John went to the store", "When John and Mary went to the store"
QUESTION = {"clean": CLEAN, "corrupted": CORRUPTED, "answer": " Mary", "contrast": " John"}
SMALL = {"windows": 4, "length": 32, "n": 8}  # what fits the 64 tokens of a tiny model, where an engine has it
# The first engine of each way to be asked; what the page shows of any engine is held by the tests of apps.
FIRST = tuple(
    {
        (engine.asks, engine.pairs, bool(engine.default_prompts), engine.collection is None): name
        for name, engine in reversed(all_engines().items())
    }.values()
)
OTHERS = tuple(name for name in all_engines() if name not in FIRST)


@pytest.fixture(scope="module")
def model(tiny) -> HookedModel:
    return tiny("llama")


@pytest.fixture
def engines_tab(model: HookedModel, chromium: Browser, tmp_path: Path, monkeypatch) -> Iterator[Tab]:
    """A tab over the tiny model, which must not have had an error or asked another machine."""
    monkeypatch.setenv("INTERP_CACHE", str(tmp_path))
    monkeypatch.setattr(interp, "load", lambda name: model)
    served = serve(model, port=0, block=False)
    context = chromium.new_context(viewport={"width": 1400, "height": 1800})
    tab = opened(context, served.url)
    yield tab
    context.close()
    served.close()
    assert tab.problems == []


def link(**view: str) -> dict[str, str]:
    return {"page": "engines", **QUESTION, "layer": "1", "head": "1", **view}


def until(tab: Tab, condition: str) -> None:
    """Wait for a condition in the page, whose policy lets nobody evaluate text there."""
    end = time.monotonic() + 60
    while not tab.evaluate(f"Boolean({condition})"):
        assert time.monotonic() < end, condition
        time.sleep(0.05)


def run(tab: Tab, engine: str, options: dict[str, Any] | None = None) -> None:
    tab.page.fill(".engine-search", engine)
    tab.page.locator(f"[data-engine='{engine}']").click()
    if options:
        tab.evaluate(f"interp.update({{ options: {json.dumps(json.dumps(options))} }})")
    tab.settle()
    tab.page.click("[data-act='run']")
    until(tab, "!interp.status.held.engine_result")
    tab.settle()


def first_row(tab: Tab) -> list[str]:
    """The cells of the first row on the screen."""
    drawn = "document.getElementById('engine-grid-place').drawnFor === interp.data.engine_table.key"
    until(tab, f"{drawn} && document.querySelector('#engine-grid .ag-row[row-index=\"0\"] .ag-cell')")
    tab.page.wait_for_timeout(150)
    cells = "#engine-grid .ag-row[row-index='0'] .ag-cell"
    pairs = tab.each(cells, "[Number(e.getAttribute('aria-colindex')), e.innerText]")
    return [text for _, text in sorted(pairs)]


@some("names", (FIRST, OTHERS), always=(FIRST,))
def test_engines_run_from_the_page_and_their_python_gives_the_same(
    engines_tab: Tab, model: HookedModel, names: tuple[str, ...]
) -> None:
    tab = engines_tab.open(**link())
    for name in names:
        engine = all_engines()[name]
        if engine.obstacle(model):
            tab.page.fill(".engine-search", name)
            tab.page.locator(f"[data-engine='{name}']").click()
            assert tab.page.locator(".engine-refused").is_visible()
            assert tab.page.locator("[data-act='run']").is_disabled()
            continue
        known = {option: value for option, value in SMALL.items() if option in engine.options.__dataclass_fields__}
        run(tab, name, known | QUICK.get(name, {}))
        errors = tab.evaluate("interp.status.errors")
        assert not {slot: line for slot, line in errors.items() if slot.startswith("engine_")}, name
        tab.page.locator("[data-panel='engine_result'] .js-plotly-plot").wait_for()
        scope: dict[str, Any] = {}
        exec(tab.evaluate("interp.data.engine_result.python"), scope)
        frame = scope["result"].to_frame()
        columns = tab.evaluate("interp.data.engine_table.columns")
        assert columns == list(frame.columns), name
        assert tab.evaluate("interp.data.engine_table.total") == len(frame), name
        shown = first_row(tab)
        for text, expected in zip(shown, frame.iloc[0], strict=False):  # as many columns as the screen is wide
            if isinstance(expected, str):
                assert text.split() == expected.split(), name
            elif text:  # an empty cell is NaN
                assert float(text) == pytest.approx(float(expected), rel=2e-4, abs=1e-5), name


def test_a_form_keeps_what_was_typed_and_tells_what_is_wrong(engines_tab: Tab) -> None:
    tab = engines_tab.open(**link(engine="logit-lens"))
    field = tab.page.get_by_label("top", exact=True)
    field.fill("0")
    until(tab, "document.querySelector('.engine-problem').innerText.includes('top = 0')")
    field.fill("3")
    until(tab, "interp.view.options === '{\"top\":3}'")
    tab.settle()
    tab.page.locator("[data-engine='attention']").click()
    tab.settle()
    tab.page.locator("[data-engine='logit-lens']").click()
    tab.settle()
    assert tab.page.get_by_label("top", exact=True).input_value() == "3"
    assert "options=" in tab.page.url
    tab.page.click("[data-act='run']")
    until(tab, "!interp.status.held.engine_result")
    tab.settle()
    rows = tab.evaluate("interp.data.engine_table.rows")
    ranks = tab.evaluate("interp.data.engine_table.columns").index("rank")
    assert {row[ranks] for row in rows} == {0, 1, 2}


def test_a_link_a_file_and_a_comparison(engines_tab: Tab, model: HookedModel, tmp_path: Path) -> None:
    asked = {"corrupted": CORRUPTED, "target": " Mary", "contrast": " John"}
    mean = interp.circuits.activation_patching(model, CLEAN, **asked, how="mean")
    tab = engines_tab.open(**link(engine="activation-patching", options='{"how":"zero"}'))
    assert "Not run yet" in tab.text("[data-panel='engine_result'] .panel-status")
    tab.page.click("[data-act='run']")
    until(tab, "!interp.status.held.engine_result")
    tab.settle()
    zero = interp.circuits.activation_patching(model, CLEAN, **asked, how="zero")
    assert float(first_row(tab)[-1]) == pytest.approx(zero.to_frame().iloc[0, -1], rel=2e-4)
    tab.page.set_input_files("#engine-file", mean.save(tmp_path / "mean.nc"))
    until(tab, "interp.view.opened !== ''")
    tab.settle()
    assert tab.page.locator("#engine-form input[value='mean']").first.is_visible()
    tab.page.wait_for_timeout(300)
    assert float(first_row(tab)[-1]) == pytest.approx(mean.to_frame().iloc[0, -1], rel=2e-4)
    tab.page.locator("[data-beside]").first.click()
    tab.settle()
    tab.page.locator("[data-panel='engine_difference'] .js-plotly-plot").wait_for()
    assert tab.page.locator(".compared-results .js-plotly-plot").count() == 2
    damaged = tmp_path / "damaged.nc"
    damaged.write_bytes(b"no result")
    tab.page.set_input_files("#engine-file", damaged)
    line = tab.page.locator(".drawn-engineresults .engine-problem")
    line.wait_for()
    assert "damaged.nc is damaged" in line.inner_text()
    same = tab.page.url
    tab.page.goto("about:blank")
    tab.page.goto(same)
    tab.page.wait_for_selector("[data-panel='engine_difference'] .js-plotly-plot")
    tab.settle()
    report = Axe().run(tab.page)
    serious = [v for v in report.response["violations"] if v["impact"] in ("serious", "critical")]
    assert [(v["id"], node["html"][:200]) for v in serious for node in v["nodes"][:3]] == []


def test_an_old_link_still_opens(engines_tab: Tab) -> None:
    query = urlencode({"page": "heads", **QUESTION, "colour": "induction", "layer": "1", "head": "2"})
    engines_tab.page.goto(f"{engines_tab.url}?{query}")
    engines_tab.page.wait_for_selector(".lead-numbers strong")
    engines_tab.settle()
    assert engines_tab.text(".inspector h2") == "Head 1.2"
    assert engines_tab.text("#notice") == ""

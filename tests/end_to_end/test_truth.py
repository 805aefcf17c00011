"""The page never shows what is not so: over tiny models, one browser window for the module."""

import contextlib
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from end_to_end.browsing import Tab
from end_to_end.conftest import opened, visit
from interp_dashboard import workspace
from interp_dashboard.serve import Dashboard, serve
from playwright.sync_api import BrowserContext, Page

import interp
from interp.models import HookedModel
from interp.views.labels import visible

pytestmark = pytest.mark.browser

SHORT = {"clean": "When Mary gave a drink to", "corrupted": "When John gave a drink to"}
ASKED = {"answer": " Mary", "contrast": " John"}
LONG = {"clean": "When Mary and John went to the store, John gave a drink to " * 8 + "Mary", "corrupted": ""}
PLACE = {"layer": "1", "head": "1"}
PAGES = ("overview", "lens", "heads", "attribution", "circuit", "layers", "geometry", "probes", "features", "ablate")


@pytest.fixture(scope="module")
def served(roomy: Path, few_windows: None) -> Iterator[Dashboard]:
    made = serve(interp.load(str(roomy)), port=0, block=False)
    yield made
    made.close()


@pytest.fixture
def page(served: Dashboard, shared_page: Page) -> Iterator[Tab]:
    with visit(shared_page, served.url) as made:
        yield made


def turn_to(tab: Tab, name: str) -> None:
    tab.page.click(f"[data-set='page'][data-value='{name}']")
    tab.settle()


def shown(tab: Tab) -> dict[str, Any]:
    """Every visible panel: its state, what it says and measures, and the keys of what is drawn and would be copied."""
    return tab.evaluate(
        """Object.fromEntries([...document.querySelectorAll('.panel[data-panel]')].map((e) => {
            if (!e.offsetParent) return ['', null];
            const slot = interp.contentOf(e.dataset.panel);
            const payload = interp.exact(slot);
            const drawn = [...e.querySelectorAll('[data-slot]')].map((p) => interp.fresh(p.dataset.slot)?.key ?? null);
            const figures = [...e.querySelectorAll('.plot')].filter((p) => p.offsetParent).map((p) => p.textContent);
            return [e.dataset.title, { state: e.dataset.state, said: e.querySelector('.panel-status').textContent,
                measured: e.querySelector('.measured').textContent, key: payload?.key ?? null,
                python: payload?.python ?? null, drawn, figures }];
        }))"""
    )


def every_page(tab: Tab) -> dict[str, Any]:
    """Every panel of every page, in turn."""
    panels = {}
    for name in PAGES:
        turn_to(tab, name)
        panels |= {f"{name}: {title}": panel for title, panel in shown(tab).items()}
    return panels


def test_every_page_from_a_short_question_to_a_long_one_and_back(page: Tab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever was looked at before, every panel shows what a fresh load of its link shows."""
    monkeypatch.setattr(workspace, "MANY_TOKENS", 1500)  # patching every head of the long prompt waits for its click
    page.open(**SHORT, **ASKED, **PLACE)
    walked = {}
    for question in (LONG, SHORT):
        page.ask(**question)
        page.page.wait_for_selector("#form", state="hidden")
        page.settle()
        turn_to(page, PAGES[0])
        walked[page.page.url] = every_page(page)
    assert {"ready", "held"} <= {panel["state"] for panels in walked.values() for panel in panels.values() if panel}
    for url, panels in walked.items():
        page.page.goto("about:blank")
        page.page.goto(url)
        page.page.wait_for_selector(".lead-numbers strong")
        assert every_page(page.settle()) == panels


def test_nothing_of_the_question_before_is_shown_copied_or_saved(page: Tab, monkeypatch: pytest.MonkeyPatch) -> None:
    page.open(page="overview", **SHORT, **ASKED, **PLACE)
    assert "Mary gave" in page.text(".inspector pre")
    monkeypatch.setattr(workspace, "MANY_TOKENS", 100)
    page.ask(**LONG | {"clean": LONG["clean"].replace("store", "drink")})
    page.page.wait_for_selector(".panel[data-panel='effects'][data-state='held']")
    page.settle()
    assert page.page.locator(".drawn-topheads button").count() == 0
    assert page.page.locator(".inspector pre").count() == 0
    assert "not run" in page.text(".inspector dl")
    page.page.locator(".panel[data-panel='effects'] [data-export='python']").click()
    assert "waits for its result" in page.text("#said")
    page.page.locator(".panel[data-panel='effects'] .panel-status button").click()
    page.page.wait_for_selector(".panel[data-panel='effects'][data-state='ready']")
    assert "the drink" in page.text(".inspector pre")


def test_a_cancelled_search_leaves_no_answer_of_the_circuit_before(page: Tab) -> None:
    page.open(page="circuit", circuit="flow-routes", edges="20", **SHORT, **ASKED, **PLACE)
    assert page.page.locator(".panel[data-panel='circuit_runs'] .plot").is_visible()
    page.evaluate(
        """() => {  // cancelled as soon as it is under way
            const receive = interp.callbacks.receive;
            interp.callbacks.receive = (delivery) => {
                receive(delivery);
                if (interp.view.circuit === 'acdc' && interp.status.jobs.length && !window.stopped) {
                    window.stopped = true;
                    interp.stop(interp.status.works.circuit);
                }
            };
        }"""
    )
    page.page.click("[data-set='circuit'][data-value='acdc']")
    page.page.wait_for_selector(".panel[data-panel='circuit_runs'][data-state='held']")
    assert not page.page.locator(".panel[data-panel='circuit_runs'] .plot").is_visible()
    page.page.locator(".panel[data-panel='circuit'] .panel-status button").first.click()
    page.page.wait_for_selector(".panel[data-panel='circuit_runs'][data-state='ready']")
    page.settle()
    walked = shown(page)
    page.page.reload()
    page.page.wait_for_selector(".lead-numbers strong")
    page.settle()
    assert shown(page) == walked


def test_a_choice_that_the_question_does_not_allow_falls_back_and_says_so(page: Tab) -> None:
    page.open(page="heads", colour="resample", how="resample", **SHORT, **ASKED, **PLACE)
    page.ask(corrupted="")
    page.page.wait_for_selector("#form", state="hidden")
    page.settle()
    assert "“effect of resampling” needs a corrupted prompt; “effect of zeroing”" in page.text("#notice")
    pressed = page.page.locator("[data-set='colour'][aria-pressed='true']")
    assert (pressed.get_attribute("data-value"), pressed.is_enabled()) == ("zero", True)
    assert page.page.locator("[data-set='colour'][data-value='resample']").is_disabled()
    assert page.page.locator(".panel[data-panel='heads']").get_attribute("data-state") == "ready"
    assert "effect of zeroing" in page.text(".panel[data-panel='heads'] .legend-place")
    assert page.evaluate("interp.view.how") == "zero"


def test_what_is_not_seen_is_marked(page: Tab) -> None:
    page.open(**SHORT, **ASKED)
    for text in ("\n ", "\t", "  a ", " a\u200b", "\r\n", "\u00a0", " Mary", "\U0001f642", "\x00"):
        assert page.page.evaluate("(text) => interp.visible(text)", text) == visible(text)  # one rule in both languages
    page.open(page="lens", clean="When Mary\n gave\t", corrupted="", answer="\n", contrast=" John", **PLACE)
    assert 'logit("↵")' in page.text(".lead-label")
    assert "↵" in page.text(".tokens")
    page.page.click("#edit-question")
    assert page.page.locator(".form-row").inner_text().count("“↵”") == 1
    assert "“␣John”" in page.text(".form-row")


def test_edits_are_taken_back_one_by_one(page: Tab) -> None:
    page.open(page="ablate", nodes="a0.1,m1,a1.0", **SHORT, **ASKED, **PLACE)
    assert page.page.locator("#undo").is_disabled()
    page.page.click("[data-act='Ablate']")
    page.settle()
    assert page.evaluate("interp.view.nodes") == ["a1.1"]
    assert "undo brings them back" in page.text("#said")
    page.page.click("[data-node='a1.1']")
    page.settle()
    page.page.keyboard.press("Control+z")
    page.settle()
    assert page.evaluate("interp.view.nodes") == ["a1.1"]
    page.page.click("#undo")
    page.settle()
    assert page.evaluate("interp.view.nodes") == ["a0.1", "m1", "a1.0"]
    assert page.page.locator("#undo").is_disabled()
    turn_to(page, "circuit")
    page.evaluate("interp.toggle('cuts', 'm1')")
    page.settle()
    page.page.click("#undo")
    page.settle()
    assert page.evaluate("interp.view.cuts") == []


def test_what_is_not_edited_says_so_and_another_page_begins_at_its_top(page: Tab) -> None:
    page.open(page="overview", nodes="m1", **SHORT, **ASKED, **PLACE)
    said = page.each(".panel:not([hidden]) .unedited", "e.offsetParent ? e.textContent : ''")
    assert [text for text in said if text] == ["Of the model as it is, without the edits in force."] * 3
    page.evaluate("window.scrollTo(0, 300)")
    turn_to(page, "ablate")
    assert page.evaluate("window.scrollY") == 0
    assert page.text(".panel[data-panel='before_after'] .sentence + .unedited") == ""
    assert page.page.locator(".panel[data-panel='before_after']").get_attribute("data-state") == "ready"


def test_a_kept_circuit_is_in_the_link(page: Tab) -> None:
    page.open(page="circuit", edges="12", **SHORT, **ASKED, **PLACE)
    page.page.click("[data-act='keep']")
    page.settle()
    page.evaluate("interp.update({ edges: 5 })")
    page.settle()
    before = shown(page)
    page.page.goto(page.page.url)
    page.settle()
    assert page.evaluate("JSON.parse(interp.view.kept).includes(12) && interp.view.versus === 'kept'")
    assert shown(page) == before


# A server in a process of its own, killed under an open page

SERVER = """
import sys
import interp
from interp_dashboard.serve import serve
serve(interp.load(sys.argv[1]), port=int(sys.argv[2]))
"""


@pytest.fixture
def port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@pytest.fixture
def process(roomy: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([sys.executable, "-c", SERVER, str(roomy), str(port)], stderr=subprocess.DEVNULL) as made:
        yield made
        made.kill()


def listening(port: int) -> None:
    """Wait until somebody serves there."""
    end = time.monotonic() + 120
    while time.monotonic() < end:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.1)
    raise AssertionError("nobody serves")


def test_a_server_that_is_gone_is_noticed_and_found_again(
    process: subprocess.Popen[bytes],
    port: int,
    served: Dashboard,
    tiny: Callable[..., HookedModel],
    shared_context: BrowserContext,
) -> None:
    listening(port)
    tab = opened(shared_context, f"http://127.0.0.1:{port}/")
    page = tab.page
    tab.open(page="heads", colour="direct", **SHORT, **ASKED, **PLACE)
    legend = tab.text(".panel[data-panel='heads'] .legend-said")
    process.kill()
    process.wait()
    page.click("[data-set='colour'][data-value='zero']")
    page.wait_for_selector("#server:has-text('The server does not answer')", timeout=3000)
    assert page.locator("#server").get_attribute("role") == "status"
    assert tab.text(".drawn-jobs") == "no server"
    page.wait_for_timeout(250)
    assert float(tab.evaluate("getComputedStyle(document.querySelector('.body')).opacity")) < 0.7
    assert tab.text(".panel[data-panel='heads'] .legend-said") == legend  # what is old keeps its name
    again = serve(served.workspace.model, port=port, block=False)
    page.wait_for_selector("#server:has-text('started again with the same model')", timeout=10_000)
    tab.settle()
    assert "effect of zeroing" in tab.text(".panel[data-panel='heads'] .legend-said")
    assert tab.text(".drawn-jobs") == "idle"
    again.close()
    other = serve(tiny("gpt2"), port=port, block=False)
    page.wait_for_selector("#server:has-text('The server now runs')", timeout=10_000)
    assert tab.evaluate("document.querySelector('.body').inert")
    page.click("[data-act='reload']")
    page.wait_for_selector(".lead-numbers strong", timeout=60_000)
    assert "gpt2" in tab.text(".top .chip >> nth=0")
    assert tab.text("#server") == ""
    page.close()
    other.close()
    assert [problem for problem in tab.problems if problem.startswith("page:")] == []  # the console names lost requests

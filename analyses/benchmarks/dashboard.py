"""Drawing times of the dashboard, in headless Chromium with the default model.

Each row runs from the click to the drawing being there. The patterns of all heads are timed as a user sees them: the
Heads page has fetched them before they are selected.
"""

import logging
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.parse import urlencode

from interp_dashboard.serve import serve
from playwright.sync_api import Browser, Page, sync_playwright

from analyses.benchmarks.timing import Row, spread
from interp.models import HookedModel

REPEATS = 7
log = logging.getLogger(__name__)
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
SENTENCE = " The keys to the old cabinet in the hall were lost when the children went to the store for a drink."

# In the page: act, then wait frame by frame until what was asked for has been painted.
TIMED = """async ([act, done]) => {
  const act_ = window.__bench[act], done_ = window.__bench[done];
  const start = performance.now();
  act_();
  while (!done_()) {
    await new Promise((next) => requestAnimationFrame(next));
    if (performance.now() - start > 60000) throw new Error("nothing was drawn");
  }
  await new Promise((next) => requestAnimationFrame(() => setTimeout(next, 0)));
  return performance.now() - start;
}"""
ACTS = """window.__bench = {
  pattern: () => document.querySelector("[data-set='colour'][data-value='pattern']").click(),
  patternDrawn: () => {
    const canvas = document.querySelector("[data-page='heads'] .drawn-mosaic canvas");
    return interp.data.thumbs && canvas.dataset.key === interp.data.thumbs.key;
  },
  head: () => {
    const next = (interp.view.layer + 7) % interp.model.layers;
    window.__wanted = `${next}.${interp.view.head}`;
    interp.select(next, interp.view.head);
  },
  headDrawn: () => document.querySelector(".drawn-pattern canvas").dataset.head === window.__wanted
    && document.querySelector(".drawn-lines").dataset.head === window.__wanted,
  strip: () => {
    const el = document.querySelector(".drawn-strip");
    el.prompt = null; el.drawnFor = "";
    el.replaceChildren();
    interp.render();
  },
  stripDrawn: () => document.querySelectorAll(".tokens .column").length === interp.prompt.tokens.length,
}"""


def prompt_of(model: HookedModel, tokens: int) -> str:
    """English text of exactly so many tokens."""
    ids = model.encode("When" + SENTENCE * (tokens // 10))[:tokens]
    text = model.tokenizer.decode(ids)
    while len(model.encode(text)) > tokens:
        text = text[:-1]
    return text


def settle(page: Page) -> None:
    """Wait for every answer, so that no model run disturbs the timing."""
    while not page.evaluate("window.interp && interp.view && interp.settled()"):
        time.sleep(0.1)
    page.wait_for_timeout(150)


def link(url: str, model: HookedModel, tokens: int, **more: str) -> str:
    """A view of a prompt of so many tokens."""
    query = {"clean": prompt_of(model, tokens), "corrupted": "", "answer": " the", "contrast": "", "layer": "1"}
    return f"{url}?{urlencode(query | {'head': '1'} | more)}"


def time_of(page: Page, act: str) -> float:
    """Seconds from an act to its drawing."""
    return page.evaluate(TIMED, [act, f"{act}Drawn"]) / 1000


def time_to_open(browser: Browser, url: str) -> float:
    """Seconds from opening the address, with nothing in the browser's cache, to prediction and strip on the screen."""
    with fresh_page(browser) as page:
        start = time.perf_counter()
        page.goto(url)
        page.wait_for_selector(".drawn-predictions .bar")
        page.wait_for_selector(".lead-numbers strong")
        return time.perf_counter() - start


@contextmanager
def fresh_page(browser: Browser) -> Iterator[Page]:
    """A fresh page with nothing cached."""
    context = browser.new_context(viewport={"width": 1400, "height": 960})
    yield context.new_page()
    context.close()


def rows(model: HookedModel) -> Iterator[Row]:
    """Every row of this file, as it is measured; none where there is no Chromium."""
    path = os.environ.get("INTERP_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        log.warning("no Chromium found, so no rows of the dashboard; install it, or set INTERP_CHROMIUM")
        return
    dashboard = serve(model, port=0, block=False)
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
            yield from _rows(model, dashboard.url, browser)
            browser.close()
    finally:
        dashboard.close()


def _rows(model: HookedModel, url: str, browser: Browser) -> Iterator[Row]:
    first = [time_to_open(browser, url) for _ in range(REPEATS)]
    yield spread("dashboard: first meaningful view after opening, model loaded", first, target=4)
    heads = {"page": "heads", "colour": "first_token"}
    overview = _series(browser, link(url, model, 128, **heads), "pattern", _other_colour)
    yield spread("dashboard: all-heads overview, 270 heads at T = 128, click → drawn", overview, target=0.3)
    clicks = _series(browser, link(url, model, 32, **heads), "head")
    yield spread("dashboard: head click → pattern and lines, T = 32", clicks, target=0.15)
    strip = _series(browser, link(url, model, 1024, page="lens"), "strip")
    yield spread("dashboard: prompt strip of 1,024 tokens", strip, target=0.25)


def _series(browser: Browser, address: str, act: str, reset: Callable[[Page], None] = lambda page: None) -> list[float]:
    with fresh_page(browser) as page:
        page.goto(address)
        page.wait_for_selector(".lead-numbers strong", timeout=120_000)
        settle(page)
        page.evaluate(ACTS)
        times = []
        for _ in range(REPEATS):
            reset(page)
            times.append(time_of(page, act))
            settle(page)
        return times


def _other_colour(page: Page) -> None:
    page.click("[data-set='colour'][data-value='first_token']")
    settle(page)

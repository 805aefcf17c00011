"""How fast the dashboard draws, in headless Chromium over the default model.

Run: `python -m analyses.benchmarks.dashboard`. Each row is the median of several repetitions with its range, from the
click to the drawing being there, next to its target.
"""

import os
import shutil
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlencode

from interp_dashboard.serve import serve
from playwright.sync_api import Browser, Page, sync_playwright

import interp
from interp.models import HookedModel

REPEATS = 7
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
    el.dataset.key = ""; el.drawnFor = "";
    el.replaceChildren();
    interp.render();
  },
  stripDrawn: () => document.querySelectorAll(".tokens .column").length === interp.data.answer.tokens.length,
}"""


@dataclass(frozen=True)
class Row:
    """One measured thing, in seconds."""

    name: str
    seconds: list[float]
    target: float

    def __str__(self) -> str:
        middle, low, high = statistics.median(self.seconds), min(self.seconds), max(self.seconds)
        verdict = "met" if middle <= self.target else "missed"
        return (
            f"{self.name:<58} {middle:6.3f} s  [{low:.3f}, {high:.3f}] n={len(self.seconds)}"
            f"  target ≤ {self.target:g} s: {verdict}"
        )


def prompt_of(model: HookedModel, tokens: int) -> str:
    """English text of exactly so many tokens."""
    ids = model.encode("When" + SENTENCE * (tokens // 10))[:tokens]
    text = model.tokenizer.decode(ids)
    while len(model.encode(text)) > tokens:
        text = text[:-1]
    return text


def settle(page: Page) -> None:
    """Wait until every answer is there, so that no model run disturbs what is timed."""
    while not page.evaluate("window.interp && interp.view && interp.settled()"):
        time.sleep(0.1)
    page.wait_for_timeout(150)


def link(url: str, model: HookedModel, tokens: int, **more: str) -> str:
    """A view of a prompt of so many tokens."""
    query = {"clean": prompt_of(model, tokens), "corrupted": "", "answer": " the", "contrast": "", "layer": "1"}
    return f"{url}?{urlencode(query | {'head': '1'} | more)}"


def timed(page: Page, act: str) -> float:
    """Seconds from an act to its drawing."""
    return page.evaluate(TIMED, [act, f"{act}Drawn"]) / 1000


def opening(browser: Browser, url: str) -> float:
    """Seconds from opening the address, with nothing in the browser's cache, to prediction and strip on the screen."""
    with opened(browser) as page:
        start = time.perf_counter()
        page.goto(url)
        page.wait_for_selector(".drawn-predictions .bar")
        page.wait_for_selector(".lead-numbers strong")
        return time.perf_counter() - start


@contextmanager
def opened(browser: Browser) -> Iterator[Page]:
    """A fresh page with nothing cached."""
    context = browser.new_context(viewport={"width": 1400, "height": 960})
    yield context.new_page()
    context.close()


def rows(model: HookedModel, url: str, browser: Browser) -> Iterator[Row]:
    """Every row of the table."""
    yield Row("first meaningful view after opening", [opening(browser, url) for _ in range(REPEATS)], 4)

    def series(link_: str, act: str, reset: Callable[[Page], None] = lambda page: None) -> list[float]:
        with opened(browser) as page:
            page.goto(link_)
            page.wait_for_selector(".lead-numbers strong", timeout=120_000)
            settle(page)
            page.evaluate(ACTS)
            found = []
            for _ in range(REPEATS):
                reset(page)
                found.append(timed(page, act))
                settle(page)
            return found

    def other_colour(page: Page) -> None:
        page.click("[data-set='colour'][data-value='first_token']")
        settle(page)

    heads = {"page": "heads", "colour": "first_token"}
    overview = series(link(url, model, 128, **heads), "pattern", other_colour)
    yield Row("all-heads overview, 270 heads at T = 128, click → drawn", overview, 0.3)
    yield Row("head click → pattern and lines, T = 32", series(link(url, model, 32, **heads), "head"), 0.15)
    yield Row("prompt strip of 1,024 tokens", series(link(url, model, 1024, page="lens"), "strip"), 0.25)


def main() -> None:
    """Print the table."""
    path = os.environ.get("INTERP_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        print("dashboard: no Chromium here; install it, or name it in INTERP_CHROMIUM")
        return
    model = interp.load()
    served = serve(model, port=0, block=False)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        for row in rows(model, served.url, browser):
            print(row, flush=True)
        browser.close()
    served.close()


if __name__ == "__main__":
    main()

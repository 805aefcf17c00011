"""A study's output: tables in its README, figures as a page and as a picture."""

import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import plotly.graph_objects as go

from interp.core.progress import reporting
from interp.views import to_html

SIZE: dict[str, Any] = {"width": 1000, "height": 620}


def markdown(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown."""
    return "\n".join(f"| {' | '.join(row)} |" for row in (heads, ["---"] * len(heads), *rows))


def share(mean: Any, low: Any, high: Any) -> str:
    """A mean with its interval."""
    return f"{mean:.2f} [{low:.2f}, {high:.2f}]"


def fill(document: Path, name: str, text: str) -> None:
    """Put `text` between the lines `<!-- name -->` and `<!-- end of name -->` of a document.

    Raises: ValueError for a document without these lines.
    """
    begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
    before, marker, rest = document.read_text(encoding="utf-8").partition(begin)
    if not marker or end not in rest:
        raise ValueError(f"{document} has no lines {begin.strip()!r} and {end!r} to write between")
    after = rest.partition(end)[2]
    document.write_text(f"{before}{begin}{text.strip()}\n{end}{after}", encoding="utf-8")


def write_page(figure: go.Figure, page: Path) -> Path:
    """The figure as a self-contained page."""
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(to_html(figure), encoding="utf-8")
    return page


def photograph(page: Path, picture: Path) -> None:
    """A picture of the page's figure, taken by a headless Chromium (`INTERP_CHROMIUM`, or the one installed).

    Raises: FileNotFoundError without a Chromium.
    """
    from playwright.sync_api import sync_playwright

    path = os.environ.get("INTERP_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        raise FileNotFoundError("no Chromium found to take the picture; install it, or set INTERP_CHROMIUM")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        tab = browser.new_page(viewport={"width": SIZE["width"] + 80, "height": SIZE["height"] + 200})
        tab.goto(page.absolute().as_uri())
        tab.wait_for_selector(".plotly-graph-div .main-svg")
        tab.locator(".plotly-graph-div").screenshot(path=picture)
        browser.close()


@contextmanager
def progress(*labels: str) -> Iterator[None]:
    """Report the progress of the loops of these labels on standard error."""

    def report(label: str, done: int, total: int) -> None:
        if label in labels:
            sys.stderr.write(f"{label}: {done} of {total}\n")

    with reporting(report):
        yield

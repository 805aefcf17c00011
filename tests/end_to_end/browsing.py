"""One browser tab on the dashboard, as the tests drive it."""

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from playwright.sync_api import Page

SCREENSHOTS = Path(__file__).parents[2] / "data" / "screenshots"


@dataclass
class Tab:
    """One open page, and what went wrong in it."""

    page: Page
    url: str
    problems: list[str] = field(default_factory=list)

    def open(self, **query: str) -> "Tab":
        """Open a view by its link and wait until everything that it asks for is there."""
        self.page.goto(f"{self.url}?{urlencode(query)}" if query else self.url)
        self.page.wait_for_selector(".lead-numbers strong", timeout=300_000)
        return self.settle()

    def settle(self, seconds: float = 300) -> "Tab":
        """Wait until the answers to the current view have arrived and are drawn."""
        end = time.monotonic() + seconds
        while not self.evaluate("window.interp && interp.view && interp.settled()"):
            assert time.monotonic() < end, f"still waiting: {self.evaluate('JSON.stringify(interp.status)')}"
            time.sleep(0.1)
        self.page.wait_for_timeout(120)
        return self

    def reach(self, script: str, value: Any, seconds: float = 60) -> "Tab":
        """Wait until the page has that value, and then until all is drawn."""
        end = time.monotonic() + seconds
        while self.evaluate(script) != value:
            assert time.monotonic() < end, f"{script} is still {self.evaluate(script)!r}"
            time.sleep(0.1)
        return self.settle()

    def evaluate(self, script: str) -> Any:
        """A value from the page."""
        return self.page.evaluate(script)

    def each(self, selector: str, value: str) -> list[Any]:
        """A value of every element `e` that a selector finds."""
        return self.page.eval_on_selector_all(selector, f"found => found.map(e => {value})")

    def text(self, selector: str) -> str:
        """What an element says."""
        return self.page.inner_text(selector)

    def number(self, name: str) -> float:
        """A number that the page shows, by its data-value."""
        return float(self.page.locator(f"[data-value='{name}']:visible").first.inner_text().replace("−", "-"))

    def click_head(self, layer: int, head: int) -> None:
        """Click a cell of the visible all-heads canvas."""
        canvas = self.page.locator(".drawn-mosaic:visible canvas")
        canvas.scroll_into_view_if_needed()
        cell = self.evaluate("[...document.querySelectorAll('.drawn-mosaic')].find(e => e.offsetParent).grid.cell")
        canvas.click(position={"x": 34 + (layer + 0.5) * cell, "y": (head + 0.5) * cell})

    def figure(self, name: str) -> str:
        """The script's way to the plotly figure of a content."""
        return f"document.querySelector('.drawn-figure[data-slot={name}]').plot"

    def click_point(self, name: str, x: float | str, y: float | str, axes: str = "") -> None:
        """Click a figure where its axes (of the subplot numbered `axes`) read `x` and `y`."""
        plot = self.page.locator(f".drawn-figure[data-slot='{name}'] .plot")
        plot.scroll_into_view_if_needed()
        at = self.page.evaluate(
            f"""([x, y]) => {{
                const plot = {self.figure(name)}, layout = plot._fullLayout, box = plot.getBoundingClientRect();
                const [across, up] = [layout.xaxis{axes}, layout.yaxis{axes}];
                return [box.left + across._offset + across.r2p(x), box.top + up._offset + up.r2p(y)];
            }}""",
            [x, y],
        )
        self.page.mouse.move(at[0] + 3, at[1])
        self.page.mouse.move(*at, steps=4)
        self.page.wait_for_timeout(150)  # plotly looks for the point under the pointer at intervals
        self.page.mouse.click(*at)

    def ask(self, **fields: str) -> None:
        """Fill the form and run it."""
        if not self.page.locator("#form").is_visible():
            self.page.click("#edit-question")
        for name, text in fields.items():
            self.page.fill(f"#field-{name}", text)
        self.page.click("#run")

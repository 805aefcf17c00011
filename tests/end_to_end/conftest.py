"""The dashboard over the real default model, and a browser that fails a test on any error or foreign request."""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from end_to_end.browsing import Tab
from interp_dashboard.pages import heads
from interp_dashboard.pages.features import state as features
from interp_dashboard.pages.geometry import state as geometry
from interp_dashboard.serve import Dashboard, serve
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from interp.models import HookedModel

ARGUMENTS = [
    "--no-sandbox",
    "--enable-unsafe-swiftshader",  # WebGL without a graphics card, for figures in three dimensions
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="session")
def dashboard(real_model: HookedModel) -> Iterator[Dashboard]:
    served = serve(real_model, port=0, block=False)
    yield served
    served.close()


@pytest.fixture(scope="module")
def few_windows(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What pages measure on a corpus is measured on enough of it to draw; into a cache of the module's own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("INTERP_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setattr(heads, "WINDOWS", 2)
        for module in (features, geometry):
            patch.setattr(module, "WINDOWS", dict.fromkeys(module.WINDOWS, 2))
        yield


@pytest.fixture(scope="session")
def roomy(checkpoint: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny Llama with room for long prompts."""
    folder = tmp_path_factory.mktemp("models") / "roomy"
    shutil.copytree(checkpoint("llama"), folder)
    for name, field in (("config.json", "max_position_embeddings"), ("tokenizer_config.json", "model_max_length")):
        config = json.loads((folder / name).read_text())
        (folder / name).write_text(json.dumps(config | {field: 256}))
    return folder


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    path = os.environ.get("INTERP_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        missing = "no Chromium here; install it, or name it in INTERP_CHROMIUM"
        (pytest.fail if os.environ.get("INTERP_REQUIRE_BROWSER") else pytest.skip)(missing)
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield launched
        launched.close()


def opened(context: BrowserContext, url: str) -> Tab:
    """A tab that notes every error and every request to another machine."""
    tab = Tab(context.new_page(), url)
    watch(tab)
    return tab


def watch(tab: Tab) -> Callable[[], None]:
    """Note every error in a tab and every request to another machine; what is returned ends that."""
    host, page = urlsplit(tab.url).netloc, tab.page

    def asked(url: str) -> None:
        if urlsplit(url).netloc != host and not url.startswith(("data:", "blob:")):
            tab.problems.append(f"request: {url}")

    listeners: dict[Any, Callable[[Any], None]] = {
        "console": lambda said: tab.problems.append(f"console: {said.text}") if said.type == "error" else None,
        "pageerror": lambda error: tab.problems.append(f"page: {error}"),
        "request": lambda request: asked(request.url),
    }
    for event, listener in listeners.items():
        page.on(event, listener)

    def end() -> None:
        for event, listener in listeners.items():
            page.remove_listener(event, listener)

    return end


@contextmanager
def visit(page: Page, url: str) -> Iterator[Tab]:
    """A test's turn in a page that others use too, which must not have had an error or asked another machine."""
    tab = Tab(page, url)
    end = watch(tab)
    yield tab
    page.goto("about:blank")
    end()
    assert tab.problems == []


@pytest.fixture
def new_tab(dashboard: Dashboard, chromium: Browser) -> Iterator[Callable[..., Tab]]:
    """Opens tabs, each with its own storage; afterwards none may have had an error or asked another machine."""
    tabs: list[Tab] = []

    def make(*, scheme: Any = "light", width: int = 1400) -> Tab:
        size: Any = {"width": width, "height": 960}
        tabs.append(opened(chromium.new_context(viewport=size, color_scheme=scheme), dashboard.url))
        return tabs[-1]

    yield make
    for tab in tabs:
        tab.page.context.close()
    assert [problem for tab in tabs for problem in tab.problems] == []


@pytest.fixture(scope="module")
def shared_context(chromium: Browser) -> Iterator[BrowserContext]:
    """One storage and cache for a module, so that a page is loaded from the cache."""
    context = chromium.new_context(viewport={"width": 1400, "height": 960})
    yield context
    context.close()


@pytest.fixture(scope="module")
def shared_page(shared_context: BrowserContext) -> Page:
    """One page for a module: a new one costs the browser three times the work of a new visit."""
    return shared_context.new_page()


@pytest.fixture
def tab(dashboard: Dashboard, shared_page: Page) -> Iterator[Tab]:
    """The module's own page, on the dashboard."""
    with visit(shared_page, dashboard.url) as made:
        yield made

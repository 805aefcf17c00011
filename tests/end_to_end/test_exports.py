"""What a browser makes of an export: pictures on a ground of their own, pages that need neither a request nor WebGL."""

import base64
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from end_to_end.browsing import Tab
from end_to_end.conftest import ARGUMENTS
from playwright.sync_api import Browser, Page

PANELS = [
    ({"page": "overview"}, ("answer", "lens_path")),
    ({"page": "heads", "layer": "23", "head": "3"}, ("heads", "pattern_lines")),
    ({"page": "circuit", "circuit": "eap"}, ("circuit",)),
    pytest.param({"page": "geometry"}, ("geometry_curve",), marks=pytest.mark.slow),  # sums over its corpus first
    ({"page": "layers"}, ("layer_table", "layer_curves")),
    pytest.param({"page": "probes"}, ("probe_map", "probe_cell"), marks=pytest.mark.slow),
    ({"page": "features", "feature": "3"}, ("features_found",)),
]
LOOK = """async (data) => {
    const bitmap = await createImageBitmap(new Blob([Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0))]));
    const pen = new OffscreenCanvas(bitmap.width, bitmap.height).getContext("2d");
    pen.drawImage(bitmap, 0, 0);
    const pixels = new Uint32Array(pen.getImageData(0, 0, bitmap.width, bitmap.height).data.buffer);
    const ground = pixels[0];
    return {
        least: pixels.reduce((least, pixel) => Math.min(least, pixel >>> 24), 255),
        inked: pixels.reduce((sum, pixel) => sum + (pixel !== ground), 0) / pixels.length,
    };
}"""


@pytest.fixture
def plain_page(chromium: Browser) -> Iterator[Page]:
    """A page of a browser without WebGL."""
    path = shutil.which("chromium") or shutil.which("google-chrome")
    arguments = [word for word in ARGUMENTS if "swiftshader" not in word]
    browser = chromium.browser_type.launch(executable_path=path, args=[*arguments, "--disable-3d-apis"])
    yield browser.new_page()
    browser.close()


@pytest.mark.parametrize(
    ("query", "slots"), PANELS, ids=lambda value: value.get("page") if isinstance(value, dict) else ""
)
def test_files_show_what_they_should(
    tab: Tab, plain_page: Page, query: dict[str, str], slots: tuple[str, ...], tmp_path: Path
) -> None:
    tab.open(**query)
    for slot in slots:
        files = {}
        for kind in ("png", "html"):
            with tab.page.expect_download(timeout=60_000) as waiting:
                tab.page.locator(f".panel [data-export='{kind}'][data-slot='{slot}']:visible").first.click()
            files[kind] = tmp_path / f"{slot}.{kind}"
            waiting.value.save_as(files[kind])
        seen = plain_page.evaluate(LOOK, base64.b64encode(files["png"].read_bytes()).decode())
        assert seen["least"] == 255, f"{slot}.png is transparent"
        assert seen["inked"] > 0.005, f"{slot}.png is blank"
        requests: list[str] = []
        plain_page.on("request", lambda asked, to=requests: to.append(asked.url))
        plain_page.goto(files["html"].as_uri())
        plain_page.wait_for_selector(".main-svg")
        assert plain_page.evaluate("!document.createElement('canvas').getContext('webgl')")
        assert "WebGL" not in plain_page.inner_text("body")
        assert plain_page.locator(".trace path, .trace .point, .hm image, .heatmaplayer image").count()
        assert [url for url in requests if not url.startswith(("file:", "data:", "blob:"))] == []

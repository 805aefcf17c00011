"""The Geometry page in a real browser over the real model: its numbers are the library's."""

from collections.abc import Callable

import numpy as np
import pytest
from end_to_end.browsing import Tab
from interp_dashboard.pages.geometry.state import WINDOWS

import interp
from interp.models import HookedModel

pytestmark = [pytest.mark.browser, pytest.mark.real_model]

CLEAN = "When Mary and John went to the store, John gave a drink to"
CORRUPTED = "When Mary and John went to the store, Mary gave a drink to"


def numbers(tab: Tab, name: str, path: str) -> np.ndarray:
    """What plotly draws; NaN has no JSON."""
    found = tab.evaluate(f"Array.from({tab.figure(name)}._fullData{path}, String)")
    return np.array(found, dtype=float)


def test_shares_by_layer_and_the_layer_that_is_clicked(tab: Tab, real_model: HookedModel) -> None:
    tab.open(page="geometry", layer="23", head="3")
    tab.page.wait_for_selector("[data-slot='geometry'] .main-svg")
    result = interp.precomputed(real_model, "position-context", windows=WINDOWS["position-context"])
    shares = np.array([numbers(tab, "geometry", f"[{place}].y") for place in range(4)])
    expected = [result.data[f"{part}_share"].values[0] for part in ("mean", "position", "context", "residual")]
    np.testing.assert_allclose(shares, expected, atol=1e-6)
    tab.click_point("geometry", 7, 0.1)
    tab.settle()
    assert "depth=7" in tab.page.url
    np.testing.assert_allclose(numbers(tab, "geometry_curve", "[0].x"), result.data["curve"].values[7][:, 0], atol=1e-4)
    assert "into layer 7" in tab.text("[data-slot='geometry_gram'] .caption")
    assert tab.evaluate(f"{tab.figure('geometry')}.layout.shapes.length") == 1
    tab.page.locator(".drawn-figure[data-slot='geometry']").focus()
    tab.page.keyboard.press("ArrowRight")
    tab.settle()
    assert "depth=8" in tab.page.url


def test_the_terms_add_up_and_a_click_selects(tab: Tab) -> None:
    tab.open(page="geometry", layer="23", head="3")
    tab.page.wait_for_selector("[data-slot='geometry_split'] .main-svg")
    size = len(tab.evaluate("interp.prompt.tokens"))
    *terms, score = (numbers(tab, "geometry_split", f"[{place}].z.flatMap((row) => [...row])") for place in range(4))
    seen = np.isfinite(score)
    assert seen.sum() == size * (size + 1) // 2
    np.testing.assert_allclose(sum(terms)[seen], score[seen], atol=1e-4 * np.abs(score[seen]).max())
    tab.click_point("geometry_split", 2, 9)
    tab.settle()
    assert (tab.evaluate("interp.view.query"), tab.evaluate("interp.view.key")) == (9, 2)
    tab.click_head(17, 4)
    tab.settle()
    assert "Head 17.4" in tab.text(".inspector h2")
    assert "a17.4" in tab.text(".panel[data-panel='geometry_split'] .measured")
    tab.click_point("geometry_composition", "q25.1", "a3.2")
    tab.settle()
    assert "Head 3.2" in tab.text(".inspector h2")


def test_a_channel_is_cut_and_doubled(tab: Tab, real_model: HookedModel) -> None:
    tab.open(page="geometry", layer="23", head="3")
    tab.page.wait_for_selector("[data-slot='geometry_channels'] .main-svg")
    score = tab.evaluate(f"{tab.figure('geometry_channels')}._fullData[0].x[2]")
    tab.click_point("geometry_channels", score / 2, 2)
    tab.settle()
    name = tab.evaluate("interp.view.channel")
    edge, _, component = name.partition("~")
    sender, _, receiver = edge.partition(">")
    for factor in ("0", "2"):
        tab.page.click(f"[data-set='factor'][data-value='{factor}']")
        tab.settle()
        changed = interp.geometry.channel_ablation(
            real_model, CLEAN, corrupted=CORRUPTED, target=" Mary", contrast=" John", sender=sender,
            receiver=receiver, components=(int(component),), factor=float(factor),
        )  # fmt: skip
        shown = numbers(tab, "geometry_channel", "[1].x")
        np.testing.assert_allclose(shown, changed.values("edited_prob").values[0], atol=1e-4)
    for kind in ("k", "v"):
        tab.page.click(f"[data-set='composition'][data-value='{kind}']")
        tab.settle()
        names = tab.evaluate(f"{tab.figure('geometry_channels')}._fullData[0].customdata.map((row) => row[3])")
        assert all(name.split(">")[1][0] == kind for name in names)


def test_a_narrow_window_and_exports(new_tab: Callable[..., Tab]) -> None:
    tab = new_tab(width=620, scheme="dark")
    tab.open(page="geometry", layer="23", head="3")
    assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth")
    with tab.page.expect_download(timeout=60_000) as waiting:
        tab.page.locator(".panel[data-panel='geometry'] [data-export='csv']").first.click()
    assert len(waiting.value.path().read_bytes().splitlines()) > 30
    states = dict(tab.each("[data-page='geometry'] .panel", "[e.dataset.panel, e.dataset.state]"))
    assert states.pop("geometry_channel") == "empty"
    assert set(states.values()) == {"ready"}

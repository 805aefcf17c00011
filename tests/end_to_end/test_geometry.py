"""The Geometry page in a real browser over the real model: its numbers are the library's."""

from collections.abc import Callable

import numpy as np
import pytest
from end_to_end.browsing import Tab
from interp_dashboard.geometry import statistics

import interp
from interp.models import HookedModel

pytestmark = [pytest.mark.browser, pytest.mark.real_model]

CLEAN = "When Mary and John went to the store, John gave a drink to"
CORRUPTED = "When Mary and John went to the store, Mary gave a drink to"

TERMS = ("position", "context", "residual")


def numbers(tab: Tab, slot: str, name: str, path: str) -> np.ndarray:
    """What the page has decoded from a payload; NaN has no JSON."""
    found = tab.evaluate(f"Array.from(interp.floats(interp.data.{slot}, '{name}', interp.data.{slot}.{path}), String)")
    return np.array(found, dtype=float)


def test_shares_by_layer_and_the_layer_that_is_clicked(tab: Tab, real_model: HookedModel) -> None:
    tab.open(page="geometry", layer="23", head="3")
    result = interp.geometry.position_context(real_model, statistics=statistics(real_model))
    shares = np.array([tab.evaluate(f"interp.data.geometry.shares.{part}") for part in ("position", "context")])
    expected = [result.data[f"{part}_share"].values[0] for part in ("position", "context")]
    np.testing.assert_allclose(shares, expected, atol=1e-6)
    tab.page.locator("[data-depth='7']").dispatch_event("click")
    tab.settle()
    assert "depth=7" in tab.page.url
    assert tab.evaluate("interp.data.geometry_curve.depth") == 7
    shown = numbers(tab, "geometry_curve", "curve", "curve")
    np.testing.assert_allclose(shown, result.data["curve"].values[7].ravel(), rtol=1e-4, atol=1e-4)
    read = tab.text("[data-measure='stable_rank']").split()[0]
    assert float(read) == pytest.approx(float(result.data["stable_rank"][0, 7]), abs=0.006)


def test_the_terms_add_up_and_a_click_selects_the_head(tab: Tab, real_model: HookedModel) -> None:
    tab.open(page="geometry", layer="23", head="3")
    *terms, score = (numbers(tab, "geometry_split", name, f"maps.{name}") for name in (*TERMS, "score"))
    seen = np.isfinite(score)
    np.testing.assert_allclose(sum(terms)[seen], score[seen], atol=1e-4 * np.abs(score[seen]).max())
    result = interp.geometry.qk_split(real_model, CLEAN, layer=23, head=3, statistics=statistics(real_model))
    share = float(result.data["position_share"][0, 23, 3])
    assert tab.text("[data-share='position']") == f"share {100 * share:.0f}\u00a0%"
    tab.click_head(17, 4)
    tab.settle()
    assert "Head 17.4" in tab.text(".inspector h2")
    assert tab.evaluate("interp.data.geometry_split.head") == 4


def test_a_channel_is_cut_and_doubled(tab: Tab, real_model: HookedModel) -> None:
    tab.open(page="geometry", layer="23", head="3")
    first = tab.page.locator(".channel").first
    name = first.get_attribute("data-act") or ""
    first.click()
    tab.settle()
    edge, _, component = name.partition("~")
    sender, _, receiver = edge.partition(">")
    for factor in ("0", "2"):
        tab.page.click(f"[data-set='factor'][data-value='{factor}']")
        tab.settle()
        changed = interp.geometry.channel_ablation(
            real_model, CLEAN, corrupted=CORRUPTED, target=" Mary", contrast=" John", sender=sender,
            receiver=receiver, components=(int(component),), factor=float(factor),
        )  # fmt: skip
        assert tab.number("channel-after") == pytest.approx(float(changed.values("edited")[0]), abs=0.006)
    assert f"Head {sender[1:]}" in tab.text(".inspector h2")
    for kind in ("k", "v"):
        tab.page.click(f"[data-set='composition'][data-value='{kind}']")
        tab.settle()
        assert all(row.split(">")[1][0] == kind for row in tab.each(".channel", "e.dataset.act"))


def test_a_narrow_window_and_exports(new_tab: Callable[..., Tab]) -> None:
    tab = new_tab(width=620, scheme="dark")
    tab.open(page="geometry", layer="23", head="3")
    assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth")
    for slot in ("geometry", "geometry_composition"):
        with tab.page.expect_download(timeout=60_000) as waiting:
            tab.page.locator(f".panel[data-panel='{slot}'] [data-export='csv']").first.click()
        assert len(waiting.value.path().read_bytes().splitlines()) > 30
    states = tab.each("[data-page='geometry'] .panel", "e.dataset.state")
    assert set(states) == {"ready"}

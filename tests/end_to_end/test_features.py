"""The Features page in a real browser over the real model and its dictionary: clicks, keys, fields and the slider."""

from collections.abc import Callable

import pytest
from end_to_end.browsing import Tab

import interp
from interp.models import HookedModel

pytestmark = [pytest.mark.browser, pytest.mark.real_model]

CLEAN = "When Mary and John went to the store, John gave a drink to"


def click_bar(tab: Tab, slot: str, number: int) -> None:
    """Click a bar of a figure, as a person does: plotly's own layer lies over it."""
    tab.page.locator(f"[data-draw='figure'][data-slot='{slot}'] .point").nth(number).click(force=True)
    tab.settle()


def caption(tab: Tab, slot: str) -> str:
    return tab.text(f"[data-draw='figure'][data-slot='{slot}'] .caption")


def test_the_strongest_feature_opens(tab: Tab, real_model: HookedModel) -> None:
    tab.open(page="features")
    tab.settle()
    feature = tab.evaluate("interp.view.feature")
    assert feature == tab.evaluate("interp.data.features_first.feature")
    told = interp.dictionaries.feature_activations(real_model, CLEAN, top=16).data["feature"].values[0]
    names = tab.each(".feature-name", "Number(e.textContent.slice(1))")
    assert set(names) <= set(told[told >= 0].tolist())
    assert tab.text("[data-value='feature-title']") == f"Feature {feature}"
    assert caption(tab, "features_sources").startswith(f"Feature {feature} at")
    assert "remainder" in tab.text(".panel[data-panel='features_sources'] .measured")


def test_a_feature_is_chosen_and_turned_and_its_head_selected(tab: Tab) -> None:
    tab.open(page="features")
    click_bar(tab, "features_effects", 2)
    feature = tab.evaluate("interp.data.features_effects.figure.data[0].customdata[2][1]")
    assert f"feature={feature}" in tab.page.url
    measured = ".panel[data-panel='features_turned'] .measured"
    said = [tab.text(measured)]
    for turn in ("4", "-4"):
        stop = tab.evaluate(f"interp.model.turns.indexOf('{turn}')")
        tab.page.locator(".drawn-featuredial input").fill(str(stop))
        tab.settle()
        said.append(tab.text(measured))
    tab.page.click("[data-set='way'][data-value='plus']")
    tab.settle()
    assert len({*said, tab.text(measured)}) == 4
    assert "→" in caption(tab, "features_tokens")
    assert tab.text(".drawn-featuredial output") == "+ −4"
    heads = tab.evaluate("interp.data.features_roles.figure.data[0].customdata.length")
    click_bar(tab, "features_roles", 7 * heads + 3)  # of the last family, which head 20.3 has some of
    assert tab.text(".inspector h2") == "Head 20.3"


def test_searching_by_token_and_by_head(tab: Tab) -> None:
    tab.open(page="features")
    field = ".drawn-featurefound input[type='search']"
    token = tab.evaluate("interp.data.features_found.rows[0][3]").strip()
    tab.page.fill(field, token)
    tab.page.keyboard.press("Enter")
    tab.settle()
    assert tab.evaluate("interp.data.features_found.token") == token
    assert tab.page.locator(".drawn-featurefound li").count() >= 1
    tab.page.click("[data-set='own'][data-value='head']")
    tab.settle()
    assert tab.evaluate("interp.view.layer") != 20
    assert "reads layer 20" in tab.text(".drawn-featurefound")
    tab.page.fill(field, "<img src=x onerror=alert(1)>")
    tab.page.keyboard.press("Enter")
    tab.page.click("[data-set='own'][data-value='all']")
    tab.settle()
    assert tab.page.locator(".drawn-featurefound img").count() == 0
    assert "<img" in tab.text(".drawn-featurefound")


def test_a_number_a_list_that_stays_and_a_feature_that_is_not_there(tab: Tab) -> None:
    tab.open(page="features", feature="3")
    tab.page.locator("[data-act^='found ']").nth(40).click()
    tab.settle()
    scrolled = "document.querySelector('.feature-list').scrollTop"
    before = tab.evaluate(scrolled)
    assert before > 0
    tab.page.fill("[aria-label='Number of a feature to open']", "f7")
    tab.page.keyboard.press("Enter")
    tab.settle()
    assert tab.text("[data-value='feature-title']") == "Feature 7"
    assert tab.evaluate(scrolled) == before
    tab.page.fill("[aria-label='Number of a feature to open']", "99999")
    tab.page.click("[data-act='open-number']")
    tab.settle()
    states = dict(tab.evaluate(
        "[...document.querySelectorAll('[data-page=features] .panel')].map((e) => [e.dataset.panel, e.dataset.state])"
    ))  # fmt: skip
    wrong = {"features_card", "features_sources", "features_parts", "features_turned"}
    assert {name for name, state in states.items() if state == "error"} == wrong
    assert {state for name, state in states.items() if name not in wrong} == {"ready"}
    assert "99999" in tab.text(".panel[data-panel='features_card'] .panel-status")


def test_sources_are_read_without_a_mouse(tab: Tab) -> None:
    tab.open(page="features", feature="528")
    tab.page.locator("[data-draw='figure'][data-slot='features_sources']").focus()
    for _ in range(2):
        tab.page.keyboard.press("ArrowRight")
        tab.settle()
    assert tab.evaluate("interp.view.key") == 1
    assert "what wrote to the stream at “ Mary”" in caption(tab, "features_parts")


def test_a_narrow_window_and_exports(new_tab: Callable[..., Tab]) -> None:
    tab = new_tab(width=620, scheme="dark")
    tab.open(page="features", feature="3", query="5")
    assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth")
    for slot in ("features_active", "features_sources", "features_roles"):
        with tab.page.expect_download(timeout=60_000) as waiting:
            tab.page.locator(f".panel[data-panel='{slot}'] [data-export='csv']").first.click()
        assert len(waiting.value.path().read_bytes().splitlines()) > 5
    assert set(tab.each("[data-page='features'] .panel", "e.dataset.state")) == {"ready"}

"""The Features page in a real browser over the real model and its dictionary: its numbers are the library's."""

from collections.abc import Callable

import numpy as np
import pytest
from end_to_end.browsing import Tab

import interp
from interp.models import HookedModel

pytestmark = [pytest.mark.browser, pytest.mark.real_model]

CLEAN = "When Mary and John went to the store, John gave a drink to"
CORRUPTED = "When Mary and John went to the store, Mary gave a drink to"
QUESTION = {"corrupted": CORRUPTED, "target": " Mary", "contrast": " John"}


def test_the_strongest_feature_opens_and_its_sources_close(tab: Tab, real_model: HookedModel) -> None:
    tab.open(page="features")
    tab.settle()
    feature = tab.evaluate("interp.view.feature")
    result = interp.dictionaries.feature_activations(real_model, CLEAN, top=16)
    names = tab.each(".feature-name", "Number(e.textContent.slice(1))")
    assert feature == tab.evaluate("interp.data.features_effects.rows[0][1]")
    told = result.data["feature"].values[0]
    assert set(names) <= set(told[told >= 0].tolist())
    assert tab.text("[data-value='feature-title']") == f"Feature {feature}"
    sources = interp.dictionaries.dfa(real_model, CLEAN, feature=feature)
    shown = np.array(tab.evaluate("interp.data.features_sources.dfa"))
    np.testing.assert_allclose(shown, sources.data["dfa"].values[0], atol=1e-4)
    assert "remainder" in tab.text("[data-value='closure']")


def test_a_feature_is_chosen_turned_and_left(tab: Tab, real_model: HookedModel) -> None:
    tab.open(page="features")
    effect = tab.page.locator(".drawn-featureeffects button").first
    feature = int((effect.get_attribute("data-act") or "").split()[1])
    effect.click()
    tab.settle()
    assert f"feature={feature}" in tab.page.url
    for turn in ("0", "4"):
        stop = tab.evaluate(f"interp.model.turns.indexOf('{turn}')")
        tab.page.locator(".drawn-featureturned input").fill(str(stop))
        tab.settle()
        expected = interp.dictionaries.feature_ablation(
            real_model, CLEAN, **QUESTION, features=(feature,), factor=float(turn)
        )
        assert tab.number("feature-after") == pytest.approx(float(expected.data["edited"][0]), abs=0.006)
    tab.page.click("[data-set='way'][data-value='plus']")
    tab.settle()
    added = interp.dictionaries.feature_ablation(
        real_model, CLEAN, **QUESTION, features=(feature,), factor=1.0, steer=4.0
    )
    assert tab.number("feature-after") == pytest.approx(float(added.data["edited"][0]), abs=0.006)
    tab.page.locator(".drawn-featurecard [data-act^='head ']").first.click()
    tab.settle()
    assert "Head " in tab.text(".inspector h2")


def test_searching_by_token_and_by_head(tab: Tab) -> None:
    tab.open(page="features")
    field = ".drawn-featurefound input[type='search']"
    token = tab.evaluate("interp.data.features_found.rows[0][3]").strip()
    tab.page.fill(field, token)
    tab.page.keyboard.press("Enter")
    tab.settle()
    assert tab.evaluate("interp.data.features_found.token") == token
    assert tab.page.locator(".drawn-featurefound li").count() >= 1
    tab.page.click("[data-set='density'][data-value='rarest']")
    tab.settle()
    assert all(row[1] <= 0.001 for row in tab.evaluate("interp.data.features_found.rows"))
    tab.page.click("[data-set='density'][data-value='']")
    tab.page.click("[data-set='own'][data-value='head']")
    tab.settle()
    assert tab.evaluate("interp.view.layer") != 20
    assert "reads layer 20" in tab.text(".drawn-featurefound")
    tab.page.click("[data-act='role 3']")
    tab.settle()
    assert {row[5] for row in tab.evaluate("interp.data.features_found.rows")} <= {3}
    tab.page.fill(field, "<img src=x onerror=alert(1)>")
    tab.page.keyboard.press("Enter")
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
    tab.page.fill(".number-field", "f7")
    tab.page.keyboard.press("Enter")
    tab.settle()
    assert tab.text("[data-value='feature-title']") == "Feature 7"
    assert tab.evaluate(scrolled) == before
    tab.page.fill(".number-field", "99999")
    tab.page.click("[data-act='open-number']")
    tab.settle()
    states = dict(tab.evaluate(
        "[...document.querySelectorAll('[data-page=features] .panel')].map((e) => [e.dataset.panel, e.dataset.state])"
    ))  # fmt: skip
    wrong = {"features_card", "features_sources", "features_turned"}
    assert {name for name, state in states.items() if state == "error"} == wrong
    assert {state for name, state in states.items() if name not in wrong} == {"ready"}
    assert "99999" in tab.text(".panel[data-panel='features_card'] .panel-status")


def test_sources_are_read_without_a_mouse(tab: Tab) -> None:
    tab.open(page="features", feature="528")
    source = tab.page.locator("[data-act^='source By source ']").first
    source.focus()
    tab.page.keyboard.press("Enter")
    tab.settle()
    key = tab.evaluate("interp.view.key")
    assert tab.evaluate("interp.data.features_sources.source") == key
    parts = sum(value for _, value in tab.evaluate("interp.data.features_sources.parts"))
    assert parts == pytest.approx(sum(tab.evaluate(f"interp.data.features_sources.dfa[{key}]")), abs=1e-3)
    assert "One step back from" in tab.text(".drawn-featuresources")


def test_a_narrow_window_and_exports(new_tab: Callable[..., Tab]) -> None:
    tab = new_tab(width=620, scheme="dark")
    tab.open(page="features", feature="3", query="5")
    assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth")
    for slot in ("features_active", "features_sources", "features_roles"):
        with tab.page.expect_download(timeout=60_000) as waiting:
            tab.page.locator(f".panel[data-panel='{slot}'] [data-export='csv']").first.click()
        assert len(waiting.value.path().read_bytes().splitlines()) > 5
    assert set(tab.each("[data-page='features'] .panel", "e.dataset.state")) == {"ready"}

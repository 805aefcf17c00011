"""Input that cannot be used: one clear line each, and the view before it stays."""

from collections.abc import Callable

import pytest
from end_to_end.browsing import Tab

import interp
from interp.models import HookedModel

pytestmark = [pytest.mark.browser, pytest.mark.real_model]

CLEAN = "When Mary and John went to the store, John gave a drink to"


def test_a_bad_question_is_refused_in_one_line(tab: Tab) -> None:
    tab.open(page="lens", layer="3", head="3")
    before = tab.evaluate("interp.view")
    bad = {"clean": CLEAN, "corrupted": "Too short"}
    tab.ask(**bad)
    tab.page.wait_for_selector("#notice:has-text('differ in length')", timeout=30_000)
    assert "\n" not in tab.text("#notice")
    assert tab.evaluate("interp.view") == before
    for name, text in bad.items():
        assert tab.page.input_value(f"#field-{name}") == text
    assert tab.page.locator(".drawn-lensgrid canvas").is_visible()


def test_an_answer_of_several_tokens_offers_its_first(tab: Tab) -> None:
    tab.open(page="lens", layer="3", head="3")
    tab.ask(answer=" Mississippian")
    offer = tab.page.locator("#notice [data-offer]").first
    offer.wait_for()
    text = offer.get_attribute("data-offer")
    offer.click()
    assert tab.page.input_value("#field-answer") == text
    tab.page.click("#run")
    tab.page.wait_for_selector("#form", state="hidden")
    tab.settle()
    assert tab.evaluate("interp.view.answer") == text
    assert tab.text("#notice") == ""


def test_an_empty_answer_becomes_the_models_own(tab: Tab) -> None:
    tab.open(page="lens", layer="3", head="3")
    tab.ask(clean="The capital of France is", corrupted="", answer="", contrast="")
    tab.page.wait_for_selector("#form", state="hidden", timeout=30_000)
    tab.settle()
    tops = tab.evaluate("interp.data.answer.clean_top")
    assert tab.evaluate("interp.view.answer") == tops[0][0]


def test_nonsense_in_the_link(tab: Tab) -> None:
    tab.page.goto(f"{tab.url}?page=lens&nodes=a99.1,%00,m4&x=<script>&answer=+Mississippian")
    tab.page.wait_for_selector(".lead-numbers strong", timeout=60_000)
    assert tab.text("#notice").strip()
    assert tab.text(".drawn-lead .lead-label") == 'logit(" Mary") − logit(" John")'
    assert tab.evaluate("interp.view.nodes") == ["m4"]


def test_a_bad_question_in_the_link_stays_in_the_form(tab: Tab) -> None:
    tab.open(page="lens", clean="Hello there", answer=" Mississippian", corrupted="")
    assert tab.page.input_value("#field-clean") == "Hello there"
    assert tab.page.input_value("#field-answer") == " Mississippian"


def test_two_tabs_with_different_edits_never_mix(new_tab: Callable[..., Tab], real_model: HookedModel) -> None:
    sets = {"a23.3": "zero", "a29.1,m20": "mean"}
    tabs = {nodes: new_tab() for nodes in sets}
    for nodes, how in sets.items():
        tabs[nodes].page.goto(f"{tabs[nodes].url}?page=ablate&layer=0&head=0&nodes={nodes}&how={how}")
    for nodes, how in sets.items():
        tabs[nodes].page.wait_for_selector("[data-value='edited']", timeout=300_000)
        tabs[nodes].settle()
        expected = interp.circuits.ablation(
            real_model,
            CLEAN,
            corrupted=CLEAN.replace(", John", ", Mary"),
            target=" Mary",
            contrast=" John",
            nodes=nodes.split(","),
            how=how,
        )
        assert tabs[nodes].number("edited") == pytest.approx(float(expected.values("edited")[0]), abs=0.006)


def test_cancel_stops_and_run_starts_again(tab: Tab) -> None:
    tab.page.goto(
        f"{tab.url}?page=heads&colour=zero&layer=3&head=3&clean=The+cat+sat+on+the&corrupted=&answer=+floor&contrast="
    )
    cancel = tab.page.locator(".drawn-jobs button")
    cancel.wait_for(timeout=60_000)
    cancel.click()
    tab.page.wait_for_selector(".panel[data-panel='heads'][data-state='held']", timeout=30_000)
    tab.page.click(".panel[data-panel='heads'] .panel-status button")
    tab.page.wait_for_selector(".panel[data-panel='heads'][data-state='ready']", timeout=300_000)


def test_quick_selections_end_at_the_last(tab: Tab) -> None:
    tab.open(page="heads", layer="1", head="1", colour="first_token")
    for layer in range(10):
        tab.evaluate(f"interp.select({layer}, 0)")
    tab.settle()
    assert tab.text(".inspector h2") == "Head 9.0"
    assert tab.evaluate("interp.data.pattern.layer") == 9

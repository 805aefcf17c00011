"""The Attribution page in a real browser over the real model: its numbers are the library's."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from end_to_end.browsing import Tab
from scipy import stats

import interp
from interp.models import HookedModel

pytestmark = [pytest.mark.browser, pytest.mark.real_model]

CLEAN = "When Mary and John went to the store, John gave a drink to"
QUESTION: dict[str, Any] = {"target": " Mary", "contrast": " John"}
METHODS = ("attnlrp", "gradient-x-input", "rollout")
LONG = "The old man and the sea were there when " * 120


def by_library(model: HookedModel, name: str) -> interp.Result:
    return getattr(interp.attribution, name.replace("-", "_"))(model, CLEAN, **QUESTION)


def sums(tab: Tab, name: str) -> dict[str, float]:
    """What stands beside a method's strip."""
    found = tab.each(f"[data-strip='{name}'] .sum", "[e.dataset.sum, e.querySelector('b').innerText]")
    return {key: float(text.split()[0].replace("−", "-").rstrip("%\u00a0 ")) for key, text in found}


def entries(tab: Tab) -> dict[str, float]:
    """The waterfall, by entry."""
    rows = tab.evaluate(
        f"(({{customdata, x}}) => customdata.map(([name], i) => [name, x[i]]))({plot(tab, 'insides')}[0])"
    )
    return dict(rows)


def plot(tab: Tab, name: str) -> str:
    """The script's way to what plotly has drawn."""
    tab.page.wait_for_selector(f".drawn-figure[data-slot='{name}'] .main-svg")
    return f"{tab.figure(name)}._fullData"


def test_strips_of_the_first_methods_with_the_librarys_numbers(tab: Tab, real_model: HookedModel) -> None:
    tab.open(page="attribution")
    shown = tab.each("[data-strip]", "e.dataset.strip")
    assert tuple(shown) == METHODS
    tokens = tab.evaluate("interp.prompt.tokens")
    for name in METHODS:
        data = by_library(real_model, name).data.isel(batch=0)
        told = sums(tab, name)
        assert told["=-target"] == pytest.approx(float(data["total"]), abs=0.006)
        assert told["remainder"] == pytest.approx(float(data["remainder"]), abs=0.006)
        assert told["tokens"] == pytest.approx(float(data["relevance"].sum()), abs=0.006)
        assert told["first-token"] / 100 == pytest.approx(float(data["first_token_share"]), abs=0.006)
        assert tab.page.locator(f"[data-strip='{name}'] .token").count() == len(tokens)
    strongest = int(np.abs(by_library(real_model, "attnlrp").data["relevance"].values[0]).argmax())
    fills = tab.each("[data-strip='attnlrp'] .token", "e.style.background")
    ramp = tab.evaluate("[interp.rgb('diverging', 0), interp.rgb('diverging', 1)].map(c => c.replaceAll(',', ', '))")
    assert fills[strongest] in ramp
    assert sum(fill in ramp for fill in fills) == 1


def test_the_matrix_holds_the_rank_correlations(tab: Tab, real_model: HookedModel) -> None:
    tab.open(page="attribution")
    values = [by_library(real_model, name).data["relevance"].values[0] for name in METHODS]
    shown = tab.evaluate(f"{plot(tab, 'disagreement')}[1].z.map((row) => Array.from(row))")
    for i, row in enumerate(shown):
        for j, value in enumerate(row):
            rho: Any = stats.spearmanr(values[i], values[j])
            assert value == pytest.approx(rho.statistic, abs=1e-6)
    tab.click_point("disagreement", 3, 0.01)
    tab.settle()
    assert "query=3" in tab.page.url
    assert tab.each(".reading .kept", "e.innerText") == [" John"] * 3


def test_click_a_head_and_the_inspector_shows_it(tab: Tab, real_model: HookedModel) -> None:
    tab.open(page="attribution")
    tab.click_head(24, 4)
    tab.settle()
    assert tab.text(".inspector h2") == "Head 24.4"
    heads = by_library(real_model, "attnlrp").data["heads"].values[0].sum(-1)
    facts = tab.text(".inspector dl")
    assert "relevance, attnlrp" in facts
    assert f"{heads[24, 4]:+.2f}".replace("-", "−") in facts
    tab.page.keyboard.press("ArrowLeft")
    tab.settle()
    assert tab.text(".inspector h2") == "Head 23.4"
    tab.page.click("[data-set='page'][data-value='heads']")
    tab.settle()
    assert tab.text(".inspector h2") == "Head 23.4"


def test_the_ledger_ends_at_the_target_whichever_way_it_is_grouped(tab: Tab, real_model: HookedModel) -> None:
    tab.open(page="attribution", method="gradient-x-input")
    frame = by_library(real_model, "gradient-x-input").to_frame("ledger")
    total = frame["ledger"].sum()
    for group, column in (("term", "term"), ("layer", "at")):
        tab.page.click(f"[data-set='ledger'][data-value='{group}']")
        tab.settle()
        shown = entries(tab)
        assert shown["target"] == pytest.approx(total, abs=0.006)
        parts = frame.iloc[1:-1].groupby(column)["ledger"].sum()
        for name, value in parts.items():
            assert shown[str(name)] == pytest.approx(value, abs=0.006)
        assert set(shown) == {"tokens", "remainder", "target", *map(str, parts.index)}
    layers = [name for name in shown if name.startswith("layer ")]
    assert layers == sorted(layers, key=lambda name: int(name.split()[1]))


def test_another_method_from_the_inside(tab: Tab) -> None:
    tab.open(page="attribution")
    tab.page.click("[data-within='rollout']")
    tab.settle()
    assert entries(tab)["target"] == pytest.approx(1)
    assert "rollout has no latent relevance" in tab.text(".drawn-mosaic:visible")
    assert "fraction" in tab.evaluate(f"{tab.figure('insides_stream')}.layout.annotations.map((a) => a.text).join()")
    tab.page.click("[data-pick='gradient-x-input']")
    tab.settle()
    assert tab.page.locator(".drawn-mosaic:visible canvas").is_visible()
    assert "gradient-x-input" in tab.text(".drawn-mosaic:visible .legend-said")
    tab.page.click("[data-method='integrated-gradients']")
    tab.settle()
    tab.page.click("[data-within='integrated-gradients']")
    tab.settle()
    assert "has no stream" in tab.text("[data-slot='insides_stream'] .caption")


def test_methods_come_and_go(tab: Tab) -> None:
    tab.open(page="attribution")
    tab.page.click("[data-method='cp-lrp']")
    tab.settle()
    assert "methods=attnlrp%2Ccp-lrp%2Cgradient-x-input%2Crollout" in tab.page.url
    assert tab.evaluate(f"{plot(tab, 'disagreement')}[1].z.length") == 4
    for name in ("attnlrp", "cp-lrp", "gradient-x-input", "rollout"):
        tab.page.click(f"[data-method='{name}']")
        tab.settle()
    assert tab.evaluate("interp.view.methods") == ["rollout"]
    assert "Choose a second method" in tab.text("[data-panel='disagreement'] .panel-status")


def test_tokens_by_keyboard_and_click(tab: Tab, real_model: HookedModel) -> None:
    tab.open(page="attribution")
    tab.page.locator("[data-strip='attnlrp'] .token").nth(1).click()
    tab.settle()
    assert "query=1" in tab.page.url
    relevance = by_library(real_model, "attnlrp").data["relevance"].values[0]
    assert f"attnlrp {relevance[1]:+.2f}" in tab.text(".kept-line").replace("−", "-")
    tab.page.locator("[data-strip='attnlrp'] .reading").focus()
    tab.page.keyboard.press("ArrowRight")
    tab.page.keyboard.press("ArrowRight")
    tab.settle()
    assert tab.evaluate("interp.view.query") == 3
    assert f"attnlrp {relevance[3]:+.2f}" in tab.text(".kept-line").replace("−", "-")
    kept = tab.each(".reading .kept", "e.innerText")
    assert kept == [" John"] * 3


def test_the_deletion_curve_stands_beside_its_control(tab: Tab, real_model: HookedModel) -> None:
    tab.open(page="attribution")
    data = interp.evaluation.faithfulness(real_model, CLEAN, **QUESTION, methods=("attnlrp",)).data.isel(batch=0)
    shown = tab.evaluate(f"{plot(tab, 'deletion')}.map(({{y}}) => Array.from(y))")
    ends = [data["random"].sel(bound=end) for end in ("low", "high")]
    control = [*ends, data["curve"].isel(method=-1).sel(order="morf")]
    own = [data["curve"].isel(method=0).sel(order=order) for order in ("morf", "lerf")]
    np.testing.assert_allclose(shown, [line.values for line in (*control, *own)], atol=1e-4)
    told = f"comprehensiveness {float(data['comprehensiveness'][0]):+.3g}".replace("-", "−")
    assert told in tab.text("[data-panel='deletion'] .measured")


def test_a_link_reopens_the_same_attribution(tab: Tab, new_tab: Callable[..., Tab]) -> None:
    tab.open(page="attribution", methods="cp-lrp,gim", method="gim", ledger="layer", layer="3", head="1")
    other = new_tab()
    other.page.goto(tab.page.url)
    other.page.wait_for_selector("[data-slot='insides'] .main-svg", timeout=60_000)
    other.settle()
    assert other.evaluate("interp.view") == tab.evaluate("interp.view")
    assert "gim" in other.text("[data-panel='insides_heads'] .legend-said")
    assert entries(other) == entries(tab)


def test_two_tabs_choose_their_own_methods(new_tab: Callable[..., Tab]) -> None:
    one, two = new_tab(), new_tab()
    one.open(page="attribution", methods="attnlrp")
    two.open(page="attribution", methods="gim,rollout", method="rollout")
    one.settle()
    assert "attnlrp" in one.text("[data-panel='insides_heads'] .legend-said")
    assert "rollout has no" in two.text("[data-panel='insides_heads'] .panel-body")
    assert one.page.locator("[data-strip]").count() == 1
    assert two.page.locator("[data-strip]").count() == 2


def test_exports(tab: Tab) -> None:
    tab.open(page="attribution", methods="attnlrp,rollout")
    for slot, kind, beginning in (("compared", "html", b"<!doctype html>"), ("insides_stream", "svg", b"<svg")):
        with tab.page.expect_download(timeout=300_000) as waiting:
            tab.page.click(f".panel [data-export='{kind}'][data-slot='{slot}']")
        assert waiting.value.path().read_bytes().startswith(beginning)


def test_a_thousand_tokens(tab: Tab) -> None:
    """Methods by one backward pass run at once; what costs many passes says so and waits for a click."""
    tab.open(
        page="attribution", clean=LONG, corrupted="", answer=" sea", contrast="", methods="attnlrp,integrated-gradients"
    )
    count = len(tab.evaluate("interp.prompt.tokens"))
    assert count > 1024
    assert tab.page.locator("[data-strip='attnlrp'] .reading[data-key] .token").count() == count
    assert tab.page.locator("[data-strip='attnlrp'] canvas.whole").is_visible()
    assert tab.page.locator("[data-slot='insides_stream'] .main-svg").first.is_visible()
    assert f"runs over {count} tokens" in tab.text("[data-strip='integrated-gradients'] .method-status")
    assert "runs over" in tab.text(".panel[data-panel='deletion'] .panel-status")
    tab.click_head(5, 2)
    tab.settle()
    assert tab.text(".inspector h2") == "Head 5.2"
    tab.page.click("[data-strip='integrated-gradients'] .method-status button")
    cancel = tab.page.locator(".drawn-jobs button")
    cancel.wait_for(timeout=60_000)
    cancel.click()
    tab.settle()
    sizes = tab.evaluate("""Object.fromEntries(Object.entries(interp.data).map(([slot, payload]) => [slot,
        JSON.stringify(payload, (name, value) =>
            ArrayBuffer.isView(value) ? "-".repeat(value.byteLength * 4 / 3) : value).length]))""")  # in base64
    assert sum(sizes.values()) < 600_000, sizes

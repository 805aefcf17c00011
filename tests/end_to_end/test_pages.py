"""What a person sees and does, in a real browser over the real model."""

import os
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from end_to_end.browsing import SCREENSHOTS, Tab
from interp_dashboard.pages.heads import WINDOWS

import interp
from interp.models import HookedModel

pytestmark = [pytest.mark.browser, pytest.mark.real_model]

CLEAN = "When Mary and John went to the store, John gave a drink to"
CORRUPTED = "When Mary and John went to the store, Mary gave a drink to"
QUESTION: dict[str, Any] = {"corrupted": CORRUPTED, "target": " Mary", "contrast": " John"}
PAGES = (
    "overview", "lens", "heads", "attribution", "circuit", "layers", "geometry", "probes", "features", "ablate",
    "sandbox", "engines", "evidence",
)  # fmt: skip


def test_first_screen_shows_prediction_and_heads(tab: Tab, real_model: HookedModel) -> None:
    tab.open()
    assert tab.text(".drawn-predictions .bar-name >> nth=0").strip() == "Mary"
    effects = interp.circuits.activation_patching(real_model, CLEAN, **QUESTION).values("effect").values[0]
    strongest = divmod(int(abs(effects).argmax()), effects.shape[1])
    first = tab.page.locator(".drawn-topheads button").first
    assert first.get_attribute("data-head") == f"{strongest[0]}.{strongest[1]}"
    assert float(first.locator(".bar-value").inner_text().replace("−", "-")) == pytest.approx(
        effects[strongest], abs=0.006
    )


def test_the_strip_says_what_the_library_says(tab: Tab, real_model: HookedModel) -> None:
    tab.open(page="lens")
    for name, prompt in (("clean", CLEAN), ("corrupted", CORRUPTED)):
        prompts = interp.Prompts.of(real_model, prompt, target=" Mary", contrast=" John")
        assert prompts.metric is not None
        expected = prompts.metric(real_model.logits(prompts)).item()
        assert tab.number(name) == pytest.approx(expected, abs=0.006)
    assert tab.page.locator(".column.differs").count() == 1


def test_click_a_head_and_move_with_the_arrows(tab: Tab, real_model: HookedModel) -> None:
    tab.open(page="heads", colour="first_token")
    tab.click_head(5, 2)
    tab.settle()
    assert tab.text(".inspector h2") == "Head 5.2"
    assert tab.page.locator(".drawn-pattern canvas").get_attribute("data-head") == "5.2"
    tab.page.keyboard.press("ArrowRight")
    tab.page.keyboard.press("ArrowRight")
    tab.page.keyboard.press("ArrowDown")
    tab.settle()
    assert tab.text(".inspector h2") == "Head 7.3"
    shown = tab.evaluate("Array.from(document.querySelector('.drawn-pattern').matrix)")
    pattern = interp.readout.attention(real_model, CLEAN, layers=(7,)).values().values[0, 0, 3]
    assert shown == pytest.approx(pattern.ravel().tolist(), abs=1e-5)
    assert tab.page.locator(".drawn-lines svg path").count() > 5


def test_a_heads_card_is_the_librarys(tab: Tab, real_model: HookedModel) -> None:
    """Of text, in its panel and in a few words in the inspector; with the package, so that both are there at once."""
    tab.open(page="heads", layer="23", head="3", colour="first_token")
    card = interp.precomputed(real_model, "head-cards", windows=WINDOWS).card(23, 3)  # pyright: ignore[reportAttributeAccessIssue]
    for place, rows, share in (
        (0, "keys", "key_share"),
        (1, "queries", "query_share"),
        (2, "distances", "at_distance"),
    ):
        axis = "y" if rows == "distances" else "x"
        shown = tab.evaluate(f"Array.from({tab.figure('head_card')}._fullData[{place}].{axis})")
        assert shown == pytest.approx([row[share] for row in card[rows]], abs=1e-6)
    facts = tab.text(".inspector")
    assert f"{card['distance_mean']:.1f} tokens" in facts
    assert all(row["key_token"].strip() in facts for row in card["keys"][:3])
    tab.click_head(5, 2)
    tab.settle()
    assert "Head 5.2" in tab.text(".panel[data-panel='head_card'] .caption")


def test_query_and_key_follow_the_clicks(tab: Tab, real_model: HookedModel) -> None:
    tab.open(page="heads", layer="23", head="3", colour="first_token")
    tab.page.click(".tokens [data-pos='9']")
    tab.settle()
    assert "query=9" in tab.page.url
    result = interp.readout.query_key(real_model, CLEAN, layer=23, head=3, query_pos=9)
    scores = result.values("score").values[0, :10]
    shown = tab.evaluate(f"Array.from({tab.figure('query_key')}._fullData.at(-2).x)")
    assert shown[:10] == pytest.approx(scores.tolist(), abs=1e-4)
    tab.click_point("query_key", 20, 3, axes="2")
    tab.settle()
    assert "key=3" in tab.page.url
    assert tab.page.locator(".tokens .key").get_attribute("data-pos") == "3"
    tab.page.locator(".drawn-figure[data-slot='query_key']").focus()
    tab.page.keyboard.press("ArrowDown")
    tab.settle()
    assert "key=4" in tab.page.url


def test_no_figure_loads_plotly_before_one_is_shown(new_tab: Callable[..., Tab]) -> None:
    tab = new_tab().open(page="overview", layer="1", head="1", corrupted="", clean="The cat", answer=" is", contrast="")
    assert tab.evaluate("window.Plotly === undefined")
    tab.page.click("[data-set='page'][data-value='lens']")
    tab.settle()
    tab.page.wait_for_selector(".drawn-figure[data-slot='lens_curve'] .main-svg")
    assert tab.evaluate("window.Plotly !== undefined")


def test_heads_are_ranked_beside_the_map(tab: Tab, real_model: HookedModel) -> None:
    """By the score that colours the cells; by attention to the selected key while patterns are shown."""
    tab.open(page="heads", colour="induction", layer="23", head="3")
    scores = interp.readout.head_scores(real_model).values("induction").mean("batch").values
    order = np.argsort(-scores.ravel(), kind="stable")[:10]
    listed = ".page:not([hidden]) .drawn-topheads [data-head]"
    assert tab.each(listed, "e.dataset.head") == ["{}.{}".format(*divmod(int(i), scores.shape[1])) for i in order]
    tab.page.locator(listed).nth(1).click()
    tab.settle()
    assert tab.text(".inspector h2") == "Head {}.{}".format(*divmod(int(order[1]), scores.shape[1]))
    assert "Contribution of each neuron" in tab.text("[data-slot='neurons'] .caption")
    tab.open(page="heads", colour="pattern", layer="23", head="3", query="13", key="9")
    pattern = interp.readout.attention(real_model, CLEAN).values().values[0, :, :, 13, 9]
    best = divmod(int(pattern.argmax()), pattern.shape[1])
    assert tab.each(listed, "e.dataset.head")[0] == f"{best[0]}.{best[1]}"


def test_every_colour_of_the_heads_is_drawn(tab: Tab) -> None:
    tab.open(page="heads", colour="pattern", layer="3", head="3")
    for colour in ("pattern", "direct", "induction", "previous_token", "duplicate_token", "first_token"):
        tab.page.click(f"[data-set='colour'][data-value='{colour}']")
        tab.settle()
        slot = tab.evaluate("interp.contentOf('heads')")
        assert slot == ("thumbs" if colour == "pattern" else "heads")
        key = tab.page.locator(".drawn-mosaic:visible canvas").get_attribute("data-key")
        assert key == tab.evaluate(f"interp.data.{slot}.key")
        assert tab.page.locator(".panel[data-panel='heads']").get_attribute("data-state") == "ready"
        assert tab.text(".panel[data-panel='pattern'] > .panel-status") == ""


def test_ablating_from_the_inspector_and_the_canvas(tab: Tab, real_model: HookedModel) -> None:
    tab.open(page="ablate", layer="23", head="3")
    tab.page.click("[data-act='Ablate']")
    tab.settle()
    tab.click_head(29, 1)
    tab.settle()
    for how in ("zero", "mean", "resample"):
        tab.page.click(f"[data-set='how'][data-value='{how}']")
        tab.settle()
        expected = interp.circuits.ablation(real_model, CLEAN, **QUESTION, nodes=["a23.3", "a29.1"], how=how)
        edited, effect = (float(expected.values(name)[0]) for name in ("edited", "effect"))
        assert tab.number("edited") == pytest.approx(edited, abs=0.006)
        assert f"{effect:+.3g}".replace("-", "−") in tab.text("[data-slot='before_after'] .caption")
        probs = tab.evaluate(f"Array.from({tab.figure('before_after')}._fullData[1].x)")
        assert probs == pytest.approx(expected.values("edited_prob").values[0].tolist(), abs=1e-4)
    tab.page.click("[data-node='a23.3']")
    tab.settle()
    assert "nodes=a29.1" in tab.page.url


def test_a_link_reopens_the_same_view(tab: Tab, new_tab: Callable[..., Tab]) -> None:
    tab.open(page="heads", colour="first_token")
    tab.ask(clean="The keys to the cabinet", corrupted="The key to the cabinet", answer=" are", contrast=" is")
    tab.settle()
    tab.click_head(4, 1)
    tab.page.click(".tokens [data-pos='2']")
    tab.settle()
    tab.page.click("[data-act='set']")
    tab.settle()
    other = new_tab()
    other.page.goto(tab.page.url)
    other.page.wait_for_selector(".lead-numbers strong", timeout=60_000)
    other.settle()
    assert other.evaluate("interp.view") == tab.evaluate("interp.view")
    assert other.text(".inspector h2") == "Head 4.1"
    assert other.number("edited") == tab.number("edited")


def test_back_returns_to_the_page_before(tab: Tab) -> None:
    tab.open(page="lens", layer="1", head="1")
    tab.page.click("[data-set='page'][data-value='heads']")
    tab.settle()
    tab.page.go_back()
    tab.page.wait_for_selector("[data-page='lens']:visible")
    assert tab.evaluate("interp.view.page") == "lens"


def test_theme_toggles_and_stays(new_tab: Callable[..., Tab]) -> None:
    tab = new_tab().open(page="lens")
    ink = f"{tab.figure('lens_curve')}._fullLayout.font.color"
    light = tab.evaluate(ink)
    before = tab.evaluate("getComputedStyle(document.body).backgroundColor")
    tab.page.click("#toggle-theme")
    tab.page.wait_for_timeout(300)
    after = tab.evaluate("getComputedStyle(document.body).backgroundColor")
    assert before != after
    tab.settle()
    assert tab.evaluate(ink) != light
    tab.open(page="lens")
    assert tab.evaluate("getComputedStyle(document.body).backgroundColor") == after


def test_exports(tab: Tab) -> None:
    """Of a canvas and of a figure; every other content is saved without a browser."""
    tab.open(page="heads", layer="23", head="3", colour="first_token")
    starts = {"csv": b"", "html": b"<!doctype html>", "png": b"\x89PNG", "svg": b"<svg", "nc": b"\x89HDF"}
    for slot in ("pattern", "query_key"):
        for kind, start in starts.items():
            with tab.page.expect_download(timeout=60_000) as waiting:
                tab.page.locator(f".panel[data-panel='{slot}'] [data-export='{kind}']").first.click()
            data = waiting.value.path().read_bytes()
            if kind == "csv":
                assert b"key_token" in data.splitlines()[0]
                assert len(data.splitlines()) > 14
            else:
                assert data.startswith(start)


def test_copied_python_gives_the_same_result(
    tab: Tab, real_model: HookedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(interp, "load", lambda name: real_model)
    tab.open(page="ablate", layer="23", head="3", nodes="a23.3,m4", how="resample")
    names: dict[str, object] = {}
    exec(tab.evaluate("interp.data.before_after.python"), names)
    result = names["result"]
    assert isinstance(result, interp.Result)
    assert tab.number("edited") == pytest.approx(float(result.values("edited")[0]), abs=0.006)
    exec(tab.evaluate("interp.data.lens_edited.python"), names)
    after: Any = names["results"]
    shown = tab.evaluate(f"Array.from({tab.figure('lens_edited')}._fullData.at(-1).y)")
    assert shown == after["after"].values("target_rank").values[0, :, -1].tolist()


@pytest.mark.parametrize(("scheme", "rules"), [("light", {}), ("dark", {"runOnly": ["color-contrast"]})])
def test_no_serious_accessibility_violation(new_tab: Callable[..., Tab], scheme: str, rules: dict[str, Any]) -> None:
    """Of the other scheme, whose page is the same, what depends on colours."""
    tab = new_tab(scheme=scheme)
    found: list[str] = []
    tab.open(layer="23", head="3", nodes="a23.3")
    for page in PAGES:
        tab.page.click(f"[data-set='page'][data-value='{page}']")
        tab.settle()
        report = Axe().run(tab.page, options={"resultTypes": ["violations"], **rules})
        for violation in report.response["violations"]:
            if violation["impact"] in ("serious", "critical"):
                found += [f"{page} {violation['id']}: {node['html'][:200]}" for node in violation["nodes"][:3]]
    assert found == []


@pytest.mark.skipif(not os.environ.get("INTERP_SCREENSHOTS"), reason="INTERP_SCREENSHOTS=1 makes the screenshots")
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_screenshots(new_tab: Callable[..., Tab], scheme: str) -> None:
    tab = new_tab(scheme=scheme)
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    for page in PAGES:
        more = {"ablate": {"nodes": "a23.3,a29.1"}, "engines": {"engine": "attribution-patching"}}
        more["sandbox"] = {"second": "toy/kv-shift", "after": "350"}
        tab.open(page=page, layer="23", head="3", **more.get(page, {}))
        if page == "engines":
            tab.page.click("[data-act='run']")
            tab.page.locator("[data-panel='engine_result'] .js-plotly-plot").wait_for()
        tab.page.screenshot(path=SCREENSHOTS / f"{page}_{scheme}.png")

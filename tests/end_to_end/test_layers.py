"""The Layers page in a real browser over the real model: its table is the library's, and a click changes layers."""

import numpy as np
import pytest
from end_to_end.browsing import Tab
from interp_dashboard.pages.layers.state import MEASURED, TESTED
from scipy.stats import rankdata

import interp
from interp import views
from interp.engines import is_packaged
from interp.models import HookedModel
from interp.views.layer_columns import Measure

pytestmark = [pytest.mark.browser, pytest.mark.real_model]

CLEAN = "When Mary and John went to the store, John gave a drink to"
CORRUPTED = "When Mary and John went to the store, Mary gave a drink to"
CORPUS = "[aria-label='Text to measure the layers on']"
TABLE = ".panel[data-panel='layer_table']"


@pytest.fixture(scope="module")
def measures(real_model: HookedModel) -> dict[str, Measure]:
    """Everything that the page measures without a click."""
    there = {
        name: interp.precomputed(real_model, name, **options)
        for name, (options, passes) in MEASURED.items()
        if name != "layer-removal" and (passes == 1 or is_packaged(real_model, name))
    }
    return views.measures_of(there)


def cells(tab: Tab, column: int) -> list[str]:
    """What one column of the table says, from the top down."""
    return tab.each(f".layer-table tbody td.layer-number:nth-child({column + 3})", "e.innerText.replace('−', '-')")


def rows(tab: Tab) -> list[int]:
    """The layers from the top down."""
    return [int(name) for name in tab.each(".layer-table [data-layer]", "e.dataset.layer")]


def test_every_column_is_the_librarys(tab: Tab, measures: dict[str, Measure]) -> None:
    tab.open(page="layers")
    columns = {column["name"]: column for column in tab.evaluate("interp.data.layer_table.columns")}
    assert list(columns) == list(measures)
    for name, measure in measures.items():
        shown = np.array(columns[name]["values"], dtype=float)
        np.testing.assert_allclose(shown, measure.values, rtol=1e-4, atol=1e-5)
    for place, name in enumerate(tab.each("[data-sort]", "e.dataset.sort")):
        expected = [f"{value:.3g}" for value in columns[name]["values"] if value is not None]
        assert [float(text) for text in cells(tab, place) if text != "–"] == pytest.approx(
            [float(text) for text in expected], rel=5e-3
        )


def test_cells_are_shaded_by_rank(tab: Tab) -> None:
    """Equal values alike, so that no outlier leaves its column in one shade; the caption says so."""
    tab.open(page="layers")
    assert "Shaded by rank within each column" in tab.each(".layer-table caption", "e.innerText")[0]
    columns = {column["name"]: column["values"] for column in tab.evaluate("interp.data.layer_table.columns")}
    for place, name in enumerate(tab.each("[data-sort]", "e.dataset.sort")):
        values = np.array([value for value in columns[name] if value is not None])
        shades = ((rankdata(values) - 1) / (len(values) - 1)).tolist()
        expected = tab.evaluate(
            f"{shades}.map((shade) => Object.assign(document.createElement('i').style, "
            "{ background: interp.rgb('sequential', shade) }).background)"
        )
        drawn = tab.each(f".layer-table tbody td.layer-number:nth-child({place + 3})", "e.style.background")
        assert [colour for colour in drawn if colour] == expected


def test_a_heading_sorts_and_a_column_is_chosen(tab: Tab, measures: dict[str, Measure]) -> None:
    tab.open(page="layers")
    name = tab.each("[data-sort]", "e.dataset.sort")[0]
    values = measures[name].values
    assert rows(tab) == list(range(len(values)))
    down = np.argsort(-values, kind="stable").tolist()
    for order, direction, address in ((down, "descending", "by=-"), (None, "ascending", "by=")):
        tab.page.focus(f"[data-sort='{name}']")
        tab.page.keyboard.press("Enter")
        tab.settle()
        assert address in tab.page.url
        assert tab.each("th[aria-sort]", "e.getAttribute('aria-sort')")[0] == direction
        assert rows(tab) == (order or np.argsort(values, kind="stable").tolist())
    other = next(each for each in measures if each not in tab.each("[data-sort]", "e.dataset.sort"))
    tab.page.click(".layer-columns summary")
    tab.page.check(f"[data-measure='{other}']")
    tab.settle()
    assert tab.each("[data-sort]", "e.dataset.sort")[-1] == other
    assert "measures=" in tab.page.url
    drawn = tab.evaluate(f"{tab.figure('layer_curves')}._fullData.at(-1).y.length")
    assert drawn == len(measures[other].values)


def test_a_layer_is_skipped_by_a_click_and_comes_back(tab: Tab, real_model: HookedModel) -> None:
    tab.open(page="layers")
    tab.page.click("[data-change='skip12']")
    tab.settle()
    assert "changed=skip12" in tab.page.url
    assert tab.page.get_attribute("[data-change='skip12']", "aria-pressed") == "true"
    expected = interp.flow.layer_ablation(
        real_model, CLEAN, corrupted=CORRUPTED, target=" Mary", contrast=" John", skipped=(12,), tested=TESTED
    )
    after = np.array(tab.evaluate(f"Array.from({tab.figure('layer_change')}._fullData[1].x)"))
    np.testing.assert_allclose(after, expected.values("edited_prob").values[0], atol=1e-4)
    assert expected.measured in tab.text(".panel[data-panel='layer_change'] .measured")
    tab.page.click("#undo")
    tab.settle()
    assert "changed" not in tab.page.url
    assert tab.page.get_attribute("[data-change='skip12']", "aria-pressed") == "false"
    assert tab.page.get_attribute(".panel[data-panel='layer_change']", "data-state") == "empty"


def test_a_text_that_is_not_there_says_so_and_can_be_typed_anew(tab: Tab) -> None:
    tab.open(page="layers")
    tab.page.fill(CORPUS, "/no/such/folder")
    tab.page.press(CORPUS, "Enter")
    tab.settle()
    line = tab.text(f"{TABLE} > .panel-status")
    assert "there is no corpus '/no/such/folder'" in line
    assert tab.page.input_value(CORPUS) == "/no/such/folder"
    assert tab.number("clean")
    tab.page.fill(CORPUS, "")
    tab.page.press(CORPUS, "Enter")
    tab.settle()
    assert tab.text(f"{TABLE} > .panel-status").find("there is no corpus") == -1
    assert len(rows(tab)) == 30

"""The Probes page in a real browser: the map, the cell that is clicked, and labels from a file."""

from pathlib import Path

import numpy as np
import pytest
from end_to_end.browsing import Tab
from interp_dashboard.pages.probes import OFFSETS, SIZES

import interp
from interp.models import HookedModel

pytestmark = [pytest.mark.browser, pytest.mark.real_model, pytest.mark.slow]


def drawn(tab: Tab, name: str, path: str) -> np.ndarray:
    """What plotly draws; NaN has no JSON."""
    return np.array(tab.evaluate(f"Array.from({tab.figure(name)}._fullData{path}, String)"), dtype=float)


def test_a_generator_is_chosen_and_a_cell_reached_by_keyboard(tab: Tab, real_model: HookedModel) -> None:
    tab.open(page="probes", source="file")
    tab.page.click("[data-set='source'][data-value='planted']")
    tab.settle()
    assert "source=file" not in tab.page.url
    data = interp.precomputed(real_model, "probe", labels="planted", offsets=OFFSETS, **SIZES).data
    shown = drawn(tab, "probe_map", "[0].z.flatMap((row) => [...row])").reshape(data["accuracy"].shape)
    np.testing.assert_allclose(shown, data["accuracy"].values, atol=1e-6)
    tab.page.locator(".drawn-figure[data-slot='probe_map']").focus()
    tab.page.keyboard.press("ArrowDown")
    tab.settle()
    layer = tab.evaluate("interp.view.probed")
    assert layer != real_model.dims.layers // 2
    bars = drawn(tab, "probe_cell", "[0].x")
    np.testing.assert_allclose(bars[0], float(data["accuracy"].sel(pos=0, layer=layer)), atol=1e-6)


def test_a_file_that_lacks_a_label_says_so_in_one_line(tab: Tab, tmp_path: Path) -> None:
    (tmp_path / "words.csv").write_text("text,label\nI saw the horse,animal\nI saw the hammer,\n")
    tab.open(page="probes", source="file", labels=str(tmp_path / "words.csv"))
    line = tab.text(".panel[data-panel='probe_layers'] > .panel-status")
    assert "row 2 has no label; give text and label in every row" in line
    assert "\n" not in line.replace("Try again", "").strip()
    assert tab.page.input_value("[data-labels='path']") == str(tmp_path / "words.csv")


def test_labels_of_a_file_are_mapped_and_a_click_shows_a_cell(
    tab: Tab, real_model: HookedModel, tmp_path: Path
) -> None:
    """Animals and tools in the same frames, a group for each; the path is typed."""
    frames = ("I saw the {}", "We have a {}", "Look at the {}", "There is a {}")
    words = {"animal": ("horse", "rabbit", "monkey"), "tool": ("hammer", "needle", "knife")}
    rows = [f"{frame.format(word)},{label},{word}" for frame in frames for label in words for word in words[label]]
    (tmp_path / "words.csv").write_text("\n".join(["text,label,group", *rows]))
    tab.open(page="probes", source="file")
    field = tab.page.locator("[data-labels='path']")
    field.fill(str(tmp_path / "words.csv"))
    field.press("Enter")
    tab.settle()
    tab.page.wait_for_selector("[data-slot='probe_map'] .main-svg")
    data = interp.probing.probe(real_model, labels=str(tmp_path / "words.csv"), offsets=OFFSETS, **SIZES).data
    shown = drawn(tab, "probe_map", "[0].z.flatMap((row) => [...row])").reshape(data["accuracy"].shape)
    np.testing.assert_allclose(shown, data["accuracy"].values, atol=1e-6)
    tab.click_point("probe_map", 1, 12)
    tab.settle()
    assert "probed=12" in tab.page.url
    cell = data.sel(pos=0, layer=12)
    bars = drawn(tab, "probe_cell", "[0].x")
    np.testing.assert_allclose(bars[0], float(cell["accuracy"]), atol=1e-6)
    np.testing.assert_allclose(bars[-1], float(cell["erased_accuracy"]), atol=1e-6)
    tab.page.click("[data-set='mapped'][data-value='untrained']")
    tab.settle()
    shown = drawn(tab, "probe_map", "[0].z.flatMap((row) => [...row])").reshape(data["accuracy"].shape)
    np.testing.assert_allclose(shown, data["untrained"].values, atol=1e-6)


def test_a_probes_direction_is_ablated(tab: Tab, real_model: HookedModel) -> None:
    """Its name is in the link, the answer changes as the library says, and another model knows nothing of it."""
    tab.open(page="probes", probed=20)
    tab.page.click("[data-act='ablate-direction']")
    tab.page.wait_for_selector("[data-node^='d20.resid_pre.']")
    tab.settle()
    [node] = tab.evaluate("interp.view.nodes")
    assert f"nodes={node}" in tab.page.url
    found = interp.precomputed(real_model, "probe", labels="planted", offsets=OFFSETS, **SIZES)
    direction = interp.directions.from_probe(found, layer=20, pos=0)
    assert str(direction.node) == node
    view = tab.evaluate("interp.view")
    result = interp.circuits.ablation(
        real_model, view["clean"], target=view["answer"], contrast=view["contrast"], nodes=(node,)
    )
    assert "direction 20 ·" in tab.text(".drawn-chips")
    shown = tab.evaluate("interp.exact('ablation').edited")
    np.testing.assert_allclose(shown, float(result.values("edited")[0]), atol=1e-5)

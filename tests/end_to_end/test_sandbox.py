"""The Sandbox page in a real browser: the slider moves every panel, and a step opens on the other pages."""

import numpy as np
import pytest
from end_to_end.browsing import Tab

from interp import sandbox

pytestmark = [pytest.mark.browser, pytest.mark.real_model]
SLIDER = "[aria-label='Step of the training']"


def drawn(tab: Tab, name: str, path: str) -> np.ndarray:
    """What plotly draws."""
    return np.array(tab.evaluate(f"Array.from({tab.figure(name)}._fullData{path}, Number)"), dtype=float)


def test_the_slider_moves_the_panels(tab: Tab) -> None:
    tab.open(page="sandbox")
    run = sandbox.Run("toy/induction")
    losses = run.curves().values("loss").values
    np.testing.assert_allclose(drawn(tab, "training_curves", "[0].y"), losses, rtol=1e-6)
    together = sandbox.attention_by_step("toy/induction").values()
    for index in (len(run.steps) - 1, 3):
        step = run.steps[index]
        tab.page.locator(SLIDER).evaluate(
            "(e, at) => { e.value = at; e.dispatchEvent(new Event('input', { bubbles: true })); }", str(index)
        )
        tab.reach("interp.view.after", step)
        assert tab.text("[data-value='step']") == f"{step:,}"
        shapes = tab.evaluate(f"{tab.figure('training_curves')}.layout.shapes.map((shape) => shape.x0)")
        assert step in shapes
        cells = drawn(tab, "training_patterns", "[0].z.flatMap((row) => [...row])")
        pattern = together.sel(step=step).isel(batch=0).values
        np.testing.assert_allclose(np.nanmax(cells), pattern.max(), atol=1e-6)
    assert f"after={step}" in tab.page.url


def test_it_plays_to_the_last_step(tab: Tab) -> None:
    steps = sandbox.Run("toy/kv-shift").steps
    tab.open(page="sandbox", trained="toy/kv-shift", after=str(steps[-3]))
    tab.page.click("[data-act='play']")
    tab.reach("interp.view.after", steps[-1])
    tab.page.wait_for_selector("[data-act='play']:has-text('Play')")


def test_two_trainings_side_by_side(tab: Tab) -> None:
    tab.open(page="sandbox", second="toy/kv-shift", curve="accuracy")
    expected = sandbox.curves("toy/kv-shift").values("accuracy").values
    np.testing.assert_allclose(drawn(tab, "second_curves", "[0].y"), expected[np.isfinite(expected)], rtol=1e-6)


def test_the_clustering_head_is_drawn_at_a_step(tab: Tab) -> None:
    tab.open(page="sandbox", trained="clustering", after="0", plane="tokens")
    states = sandbox.clustering_head("clustering")
    first = drawn(tab, "clustering_head", "[0].x")
    tab.page.locator(SLIDER).press("End")
    tab.reach("interp.view.after", int(states.data["step"][-1]))
    assert not np.allclose(first, drawn(tab, "clustering_head", "[0].x"))
    assert "toy/induction" in tab.text(".drawn-training")


def test_a_training_that_is_not_there(tab: Tab) -> None:
    tab.open(page="sandbox", trained="toy/nothing")
    assert "there is no trained 'toy/nothing'" in tab.text("#notice")
    tab.open(page="sandbox", after="77")
    steps = sandbox.Run("toy/induction").steps
    assert tab.evaluate("interp.view.after") == min(steps, key=lambda step: abs(step - 77))

"""The Geometry page's figures over tiny models, without a browser: they are the library's own numbers."""

from dataclasses import replace

import numpy as np
import pytest
from delivering import ASKED, answers, checked, numbers
from delivering import traces as shown
from interp_dashboard.pages import geometry
from interp_dashboard.pages.geometry.state import Geometry, channel_of
from interp_dashboard.state import plain
from interp_dashboard.workspace import Workspace

import interp
from interp.models import HookedModel

CHANNEL = "a0.1>q1.2~1"


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INTERP_CACHE", str(tmp_path))


@pytest.fixture
def view(workspace: Workspace) -> Geometry:
    return checked(workspace, Geometry(**ASKED))


def test_shares_by_layer_add_up(workspace: Workspace, model: HookedModel, view: Geometry) -> None:
    bars = {trace["name"]: numbers(trace["y"]) for trace in shown(workspace, view, "geometry")}
    result = interp.geometry.position_context(model, windows=64)
    for part, values in bars.items():
        assert values == pytest.approx(result.data[f"{part}_share"].values[0], abs=1e-6)
    assert sum(bars.values()) == pytest.approx(np.ones(model.dims.layers + 1), abs=1e-5)


def test_one_layers_figures_are_of_that_layer(workspace: Workspace, model: HookedModel, view: Geometry) -> None:
    result = interp.geometry.position_context(model, windows=64)
    for depth in (0, 2):
        (curve,) = shown(workspace, replace(view, depth=depth), "geometry_curve")
        assert numbers(curve["x"]) == pytest.approx(result.data["curve"].values[depth][:, 0], abs=1e-5)
        (gram,) = shown(workspace, replace(view, depth=depth), "geometry_gram")
        assert numbers(gram["z"]) == pytest.approx(result.data["gram"].values[depth], abs=1e-5)
    points = shown(workspace, view, "geometry_context")
    assert sum(len(numbers(trace["x"])) for trace in points) == result.data.sizes["window"]


def test_the_terms_of_the_split_add_up(workspace: Workspace, model: HookedModel, view: Geometry) -> None:
    *terms, score = (numbers(trace["z"]) for trace in shown(workspace, view, "geometry_split"))
    seen = np.isfinite(score)
    assert seen.sum() == 6 * 7 // 2
    np.testing.assert_allclose(sum(terms)[seen], score[seen], atol=1e-4)
    leaning = answers(workspace, view, ["geometry_leaning"])[0]["geometry_leaning"]["values"]
    result = interp.geometry.qk_split(model, view.clean, layer=1, head=1, windows=64)
    share = result.data["position_share"].values[0]
    np.testing.assert_allclose(np.array(leaning, dtype=float), 2 * share - 1, atol=1e-5)


@pytest.mark.parametrize("composition", ["q", "k", "v"])
def test_pairs_and_channels_of_one_composition(
    workspace: Workspace, model: HookedModel, view: Geometry, composition: str
) -> None:
    side = replace(view, composition=composition)
    grey, bright = shown(workspace, side, "geometry_composition")
    frame = interp.geometry.head_composition(model).to_frame()
    mine = frame[frame["receiver"].str.startswith(composition)]
    about = numbers(bright["customdata"])[..., 0]
    assert np.isfinite(about).sum() == len(mine)
    rows, columns = list(bright["y"]), list(bright["x"])
    for sender, receiver, score in zip(mine["sender"], mine["receiver"], mine["score"], strict=True):
        assert about[rows.index(sender), columns.index(receiver)] == pytest.approx(score, rel=1e-5)
    assert np.isfinite(numbers(grey["z"])).sum() + np.isfinite(numbers(bright["z"])).sum() == len(mine)
    bars, _ = shown(workspace, side, "geometry_channels")
    for entry in bars["customdata"]:
        chosen = replace(side, channel=entry[3])
        assert channel_of(entry[3])[1].startswith(composition)
        assert workspace.display("geometry_channel", plain(chosen)).calls


def test_a_channel_is_changed_as_the_library_does(workspace: Workspace, model: HookedModel, view: Geometry) -> None:
    before, after = shown(workspace, replace(view, channel=CHANNEL, factor="2"), "geometry_channel")
    asked = {"target": view.answer, "contrast": view.contrast, "corrupted": view.corrupted}
    result = interp.geometry.channel_ablation(
        model, view.clean, **asked, sender="a0.1", receiver="q1.2", components=(1,), factor=2.0
    )
    for trace, side in ((before, "clean"), (after, "edited")):
        assert numbers(trace["x"]) == pytest.approx(result.data[f"{side}_prob"].values[0], abs=1e-6)
    assert not workspace.display("geometry_channel", plain(view)).calls


def test_a_prompt_longer_than_the_windows_waits_for_longer_ones(
    workspace: Workspace, model: HookedModel, view: Geometry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once, whichever head is looked at."""
    monkeypatch.setattr(geometry.state, "LENGTH", 4)
    long = replace(view, clean="When Mary and John gave a drink to Mary and", corrupted="")
    tokens = len(model.encode(long.clean))
    assert 8 < tokens <= 16
    got, status = answers(workspace, long, ["geometry_split"])
    assert (got, status["errors"]) == ({}, {})
    assert "64 runs over 16 tokens, once" in status["held"]["geometry_split"]
    approved = status["works"]["geometry_split"]
    while workspace.deliver(plain(long), ["geometry_split"], tab="one", have={}, approved=approved[:1]).status[
        "pending"
    ]:
        pass
    for head in (1, 0):
        chosen = replace(long, head=head)
        *_, score = (numbers(trace["z"]) for trace in shown(workspace, chosen, "geometry_split"))
        assert np.isfinite(score).sum() == tokens * (tokens + 1) // 2


def test_every_panel_says_what_it_needs(workspace: Workspace, view: Geometry) -> None:
    unselected = replace(view, layer=None, head=None)
    for content in geometry.PAGE.contents:
        if not workspace.display(content.name, plain(unselected)).calls:
            assert content.hint

"""The Geometry page's answers over tiny models, without a browser: they are the library's own numbers."""

import base64
from dataclasses import replace

import numpy as np
import pytest
from delivering import ASKED, answers
from interp_dashboard.exports import Export, export
from interp_dashboard.geometry import channel_of, statistics
from interp_dashboard.pages import PAGES
from interp_dashboard.state import Known, View, decode
from interp_dashboard.workspace import Workspace

import interp
from interp.models import HookedModel

PAGE = next(page for page in PAGES if page.name == "geometry")


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INTERP_CACHE", str(tmp_path))


@pytest.fixture
def view(workspace: Workspace) -> View:
    return workspace.check(View(**ASKED, page="geometry"))


def floats(text: str) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), dtype="<f4")


def test_every_panel_has_its_answer(workspace: Workspace, view: View) -> None:
    got, status = answers(workspace, view, PAGE.slots(view))
    assert status["errors"] == {}
    assert {name for name in PAGE.slots(view) if name != "geometry_channel"} == set(got)
    for name, payload in got.items():
        assert payload["measured"], name
        assert "interp.load(" in payload["python"]


def test_one_layers_numbers_are_the_librarys(workspace: Workspace, model: HookedModel, view: View) -> None:
    got, _ = answers(workspace, replace(view, depth=1), ["geometry", "geometry_curve", "geometry_context"])
    result = interp.geometry.position_context(model, statistics=statistics(model))
    assert got["geometry"]["shares"]["context"] == pytest.approx(result.data["context_share"].values[0], abs=1e-6)
    curve = got["geometry_curve"]
    assert curve["depth"] == 1
    assert floats(curve["curve"]) == pytest.approx(result.data["curve"].values[1].ravel(), abs=1e-5)
    assert got["geometry_context"]["topics"] == [str(topic) for topic in result.data["topic"].values]


def test_the_terms_of_the_split_add_up(workspace: Workspace, view: View) -> None:
    got, _ = answers(workspace, view, ["geometry_split"])
    maps = {name: floats(text) for name, text in got["geometry_split"]["maps"].items()}
    seen = np.isfinite(maps["score"])
    total = maps["position"] + maps["context"] + maps["residual"]
    assert seen.sum() == 6 * 7 // 2
    np.testing.assert_allclose(total[seen], maps["score"][seen], atol=1e-4)
    assert sum(got["geometry_split"]["chosen"].values()) == pytest.approx(1)


@pytest.mark.parametrize("composition", ["q", "k", "v"])
def test_pairs_and_channels_of_one_composition(
    workspace: Workspace, model: HookedModel, view: View, composition: str
) -> None:
    got, _ = answers(workspace, replace(view, composition=composition), ["geometry_composition"])
    payload = got["geometry_composition"]
    frame = interp.geometry.head_composition(model).to_frame()
    scores = floats(payload["scores"]).reshape(len(payload["rows"]), len(payload["columns"]))
    mine = frame[frame["receiver"].str.startswith(composition)]
    assert np.isfinite(scores).sum() == len(mine)
    for sender, receiver, score in zip(mine["sender"], mine["receiver"], mine["score"], strict=True):
        at = payload["rows"].index(sender), payload["columns"].index(receiver)
        assert scores[at] == pytest.approx(score, rel=1e-5)
    assert all(receiver.startswith(composition) for _, receiver, *_ in payload["channels"])


def test_a_channel_is_changed_as_the_library_does(workspace: Workspace, model: HookedModel, view: View) -> None:
    chosen = replace(view, channel="a0.1>q1.2~1", factor="2")
    got, status = answers(workspace, chosen, ["geometry_channel"])
    assert status["errors"] == {}
    asked = {"target": view.answer, "contrast": view.contrast, "corrupted": view.corrupted}
    result = interp.geometry.channel_ablation(
        model, view.clean, **asked, sender="a0.1", receiver="q1.2", components=(1,), factor=2.0
    )
    assert got["geometry_channel"]["edited"] == pytest.approx(float(result.values("edited")[0]), abs=1e-6)
    assert channel_of(chosen.channel) == ("a0.1", "q1.2", 1)


@pytest.mark.parametrize(
    "text", ["a0.1>q1.2", "a0.1>m1~0", "a9.9>q1.0~0", "a1.0>q0.0~0", "m0>q1.0~0", "a0.1>q1.2~x", "<b>"]
)
def test_a_link_to_a_channel_that_is_not_there(model: HookedModel, text: str) -> None:
    from interp.models.writes import graph_of

    known = Known(pages=("geometry",), methods=(), circuits=("eap",), tasks=(), graph=graph_of(model))
    view, problem = decode(f"?page=geometry&channel={text.replace('>', '%3E')}&depth=1", known)
    assert view.channel == ""
    assert view.depth == 1
    assert "is not a channel" in problem


@pytest.mark.parametrize("kind", ["csv", "html", "png"])
def test_exports(workspace: Workspace, view: View, kind: str) -> None:
    for slot, variant in (("geometry", "energy"), ("geometry_curve", "gram"), ("geometry_split", "heads"),
                          ("geometry_composition", "channels"), ("geometry_linearity", "")):  # fmt: skip
        answers(workspace, view, [slot])
        file, figure = export(workspace, Export(kind, slot, variant), view)
        assert file or figure

"""The Features page's answers over a tiny model, without a browser: they are the library's own numbers."""

from dataclasses import replace

import numpy as np
import pytest
from delivering import ASKED, answers
from interp_dashboard.exports import Export, export
from interp_dashboard.features import STEPS, TOLD, WINDOWS
from interp_dashboard.pages import PAGES
from interp_dashboard.state import Known, View, decode
from interp_dashboard.workspace import Workspace

import interp
from interp.dictionaries import Cards
from interp.models import HookedModel
from interp.models.writes import graph_of

PAGE = next(page for page in PAGES if page.name == "features")
QUESTION = {"corrupted": ASKED["corrupted"], "target": " Mary", "contrast": " John"}


@pytest.fixture(autouse=True)
def _few_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(WINDOWS, "feature_cards", 6)


@pytest.fixture
def view(workspace: Workspace, model: HookedModel) -> View:
    first = interp.dictionaries.feature_activations(model, ASKED["clean"], top=1).data["feature"].values[0, -1, 0]
    return workspace.check(View(**ASKED, page="features", feature=int(first)))


def test_every_panel_has_its_answer(workspace: Workspace, view: View) -> None:
    got, status = answers(workspace, view, PAGE.slots(view))
    assert status["errors"] == {}
    assert set(PAGE.slots(view)) == set(got)
    for name, payload in got.items():
        assert payload["measured"], name
        assert "interp.load(" in payload["python"]


def test_without_a_feature_only_what_needs_none(workspace: Workspace, view: View) -> None:
    slots = [name for name in PAGE.slots(view) if name not in ("features_found", "features_roles")]
    got, _ = answers(workspace, replace(view, feature=None), slots)
    assert set(got) == {"answer", "features_active", "features_effects"}


def test_sources_and_effects_add_up(workspace: Workspace, model: HookedModel, view: View) -> None:
    got, _ = answers(workspace, view, ["features_sources", "features_effects", "features_turned"])
    sources = got["features_sources"]
    total = np.sum(sources["dfa"]) + sources["bias"] + sources["remainder"]
    assert total == pytest.approx(sources["preactivation"], abs=1e-4)
    assert sum(value for _, value in sources["parts"]) == pytest.approx(np.sum(sources["dfa"]), abs=1e-3)
    effects = got["features_effects"]
    listed = sum(row[2] for row in effects["rows"])
    result = interp.dictionaries.feature_attribution(model, ASKED["clean"], **QUESTION, steps=STEPS)
    assert effects["total"] == pytest.approx(float(result.data["total"][0]), abs=1e-5)
    told = np.nansum(result.data["effect"].values[0])
    assert told + effects["rest"] + effects["error"] == pytest.approx(effects["total"], abs=1e-4)
    assert listed == pytest.approx(np.nansum(result.data["effect"].values[0][: len(effects["rows"])]), abs=1e-5)
    turned = interp.dictionaries.feature_ablation(model, ASKED["clean"], **QUESTION, features=(view.feature,))
    assert got["features_turned"]["edited"] == pytest.approx(float(turned.data["edited"][0]), abs=1e-6)


def test_what_is_found_is_what_the_cards_hold(workspace: Workspace, model: HookedModel, view: View) -> None:
    got, _ = answers(workspace, replace(view, sorting="max"), ["features_found", "features_card"])
    result = interp.dictionaries.feature_cards(model, windows=6)
    cards = Cards.open(result.data.attrs["folder"])
    expected = cards.search(order="max", limit=60)
    assert [row[0] for row in got["features_found"]["rows"]] == expected["feature"].tolist()
    card = got["features_card"]
    assert card["density"] == pytest.approx(float(cards.card(view.feature or 0)["density"]))
    for context in card["contexts"]:
        assert context["values"][context["at"]] == pytest.approx(context["value"], abs=1e-3)
    token = card["contexts"][0]["labels"][card["contexts"][0]["at"]]
    got, _ = answers(workspace, replace(view, token=token), ["features_found"])
    assert view.feature in [row[0] for row in got["features_found"]["rows"]]


def test_the_prompts_features(workspace: Workspace, model: HookedModel, view: View) -> None:
    got, _ = answers(workspace, view, ["features_active"])
    result = interp.dictionaries.feature_activations(model, ASKED["clean"], top=TOLD)
    shown = got["features_active"]
    assert shown["active"] == result.data["active"].values[0].tolist()
    assert shown["width"] == result.data.sizes["pos"]
    assert view.feature in shown["names"]


@pytest.mark.parametrize(
    ("search", "problem"),
    [
        ("?page=features&dictionary=nowhere", "there is no dictionary 'nowhere'"),
        ("?page=features&feature=-3", "there is no feature '-3'"),
        ("?page=features&turn=1e9", "there is no turn '1e9'"),
        ("?page=features&sorting=<b>", "there is no sorting"),
    ],
)
def test_links_that_name_what_is_not_there(model: HookedModel, search: str, problem: str) -> None:
    known = Known(
        pages=("features",), methods=(), circuits=("eap",), tasks=(), graph=graph_of(model), dictionaries=("one",)
    )  # fmt: skip
    view, said = decode(search, known)
    assert problem in said
    assert (view.dictionary, view.feature, view.turn, view.sorting) == ("", None, "0", "density")
    assert decode("?page=features&dictionary=one&feature=7&token=%20Mary&turn=4", known)[0] == View(
        page="features", dictionary="one", feature=7, token=" Mary", turn="4"
    )


def test_a_feature_that_is_not_there_is_told_in_its_panels(workspace: Workspace, view: View) -> None:
    got, status = answers(workspace, replace(view, feature=999), ["features_active", "features_sources"])
    assert "features_active" in got
    assert "999" in status["errors"]["features_sources"]


@pytest.mark.parametrize("kind", ["csv", "html", "png"])
def test_exports(workspace: Workspace, view: View, kind: str) -> None:
    for slot in PAGE.slots(view):
        if slot.startswith("features"):
            file, figure = export(workspace, Export(kind, slot), view)
            assert file or figure

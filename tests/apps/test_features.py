"""The Features page's answers over a tiny model, without a browser: they are the library's own numbers."""

from dataclasses import replace
from io import StringIO
from typing import Any

import numpy as np
import pandas as pd
import pytest
from delivering import ASKED, answers, checked, saved
from interp_dashboard.pages.features import PAGE
from interp_dashboard.pages.features.asks import STEPS, TOLD, WINDOWS
from interp_dashboard.pages.features.state import Features
from interp_dashboard.state import Link
from interp_dashboard.workspace import KINDS, Workspace

import interp
from interp.core.errors import InterpError
from interp.dictionaries import Cards
from interp.models import HookedModel

NAMES = [content.name for content in PAGE.contents]
QUESTION = {"corrupted": ASKED["corrupted"], "target": " Mary", "contrast": " John"}


@pytest.fixture(autouse=True)
def _few_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(WINDOWS, "feature_cards", 6)


@pytest.fixture
def view(workspace: Workspace, model: HookedModel) -> Features:
    first = interp.dictionaries.feature_activations(model, ASKED["clean"], top=1).data["feature"].values[0, -1, 0]
    return checked(workspace, Features(**ASKED, feature=int(first)))


def table_of(workspace: Workspace, slot: str, view: Features) -> str:
    return saved(workspace, view, slot, "csv")["content"]


def test_every_panel_has_its_answer(workspace: Workspace, view: Features) -> None:
    got, status = answers(workspace, view, NAMES)
    assert status["errors"] == {}
    assert set(NAMES) == set(got)
    for name, payload in got.items():
        assert payload["measured"], name
        assert "interp.load(" in payload["python"]


def test_without_a_feature_only_what_needs_none(workspace: Workspace, view: Features) -> None:
    slots = [name for name in NAMES if name not in ("features_found", "features_roles")]
    got, _ = answers(workspace, replace(view, feature=None), slots)
    assert set(got) == {"features_active", "features_effects"}


def test_sources_and_effects_add_up(workspace: Workspace, model: HookedModel, view: Features) -> None:
    got, _ = answers(workspace, view, ["features_sources", "features_effects", "features_turned"])
    sources = got["features_sources"]
    total = np.sum(sources["dfa"]) + sources["bias"] + sources["remainder"]
    assert total == pytest.approx(sources["preactivation"], abs=1e-4)
    assert sum(value for _, value in sources["parts"]) == pytest.approx(np.sum(sources["dfa"]), abs=1e-3)
    effects = got["features_effects"]
    listed = [row[2] for row in effects["rows"]]
    result = interp.dictionaries.feature_attribution(model, ASKED["clean"], **QUESTION, steps=STEPS)
    assert effects["total"] == pytest.approx(float(result.data["total"][0]), abs=1e-5)
    assert sum(listed) + effects["rest"] + effects["error"] == pytest.approx(effects["total"], abs=1e-4)
    assert listed == pytest.approx(result.data["effect"].values[0][: len(listed)].tolist(), abs=1e-5)
    turned = interp.dictionaries.feature_ablation(model, ASKED["clean"], **QUESTION, features=(view.feature,))
    assert got["features_turned"]["edited"] == pytest.approx(float(turned.data["edited"][0]), abs=1e-6)


def test_one_source_and_what_had_brought_it(workspace: Workspace, view: Features) -> None:
    got, _ = answers(workspace, view, ["features_sources"])
    whole = got["features_sources"]
    parts = np.zeros(len(whole["dfa"]))
    for key in range(len(parts)):
        one = answers(workspace, replace(view, key=key), ["features_sources"])[0]["features_sources"]
        assert one["source"] == key
        parts[key] = sum(value for _, value in one["parts"])
    assert parts == pytest.approx(np.sum(whole["dfa"], axis=1), abs=1e-3)


def test_what_is_found_is_what_the_cards_hold(workspace: Workspace, model: HookedModel, view: Features) -> None:
    got, _ = answers(workspace, replace(view, sorting="max"), ["features_found", "features_card"])
    result = interp.dictionaries.feature_cards(model, windows=6)
    cards = Cards.open(result.data.attrs["folder"])
    expected = cards.search(order="max", limit=100)
    assert [row[0] for row in got["features_found"]["rows"]] == expected["feature"].tolist()
    card = got["features_card"]
    assert card["density"] == pytest.approx(float(cards.card(view.feature or 0)["density"]))
    for context in card["contexts"]:
        assert context["values"][context["at"]] == pytest.approx(context["value"], abs=1e-3)
    token = card["contexts"][0]["labels"][card["contexts"][0]["at"]]
    got, _ = answers(workspace, replace(view, token=token), ["features_found"])
    assert view.feature in [row[0] for row in got["features_found"]["rows"]]


@pytest.mark.parametrize(
    ("band", "least", "most"), [("dense", 0.1, 1), ("common", 0.01, 0.1), ("rare", 0.001, 0.01), ("rarest", 0, 0.001)]
)
def test_features_of_one_density(workspace: Workspace, view: Features, band: str, least: float, most: float) -> None:
    everything = answers(workspace, view, ["features_found"])[0]["features_found"]["rows"]
    found = answers(workspace, replace(view, density=band), ["features_found"])[0]["features_found"]["rows"]
    assert [row[0] for row in found] == [row[0] for row in everything if least <= row[1] <= most]


def test_features_of_the_selected_head_are_those_of_its_layer(workspace: Workspace, view: Features) -> None:
    own = replace(view, own="head")
    for layer, head in ((0, 1), (None, None)):
        found = answers(workspace, replace(own, layer=layer, head=head), ["features_found"])[0]["features_found"]
        assert (found["rows"], found["elsewhere"]) == ([], 1)
        assert "search(" not in found["python"]
    found = answers(workspace, replace(own, layer=1, head=0), ["features_found"])[0]["features_found"]
    assert found["elsewhere"] is None
    assert {row[5] for row in found["rows"]} == {0}


def test_the_python_of_a_card_and_of_a_search(workspace: Workspace, model: HookedModel, view: Features) -> None:
    """What it gives is what is shown."""
    asked = replace(view, token="a", density="common", sorting="max")
    got, _ = answers(workspace, asked, ["features_card", "features_found"])
    for slot, names in (("features_card", ("card", "contexts")), ("features_found", ("search",))):
        given: dict[str, Any] = {}
        lines = [line for line in got[slot]["python"].splitlines() if not line.startswith("model = ")]
        *before, last = "\n".join(lines).rsplit("\n", 1)
        scope: dict[str, Any] = {"model": model}
        exec(before[0], scope)
        given[slot] = eval(last, scope)
        assert names[-1] in last
        if slot == "features_found":
            assert given[slot]["feature"].tolist() == [row[0] for row in got[slot]["rows"]]
        else:
            assert given[slot]["value"].tolist() == [context["value"] for context in got[slot]["contexts"]]


def test_files_of_a_card_and_of_a_search(workspace: Workspace, view: Features) -> None:
    got, _ = answers(workspace, replace(view, token="a"), ["features_card", "features_found"])
    found = pd.read_csv(StringIO(table_of(workspace, "features_found", replace(view, token="a"))))
    assert found["feature"].tolist() == [row[0] for row in got["features_found"]["rows"]]
    contexts = pd.read_csv(StringIO(table_of(workspace, "features_card", view)))
    assert set(contexts["feature"]) == {view.feature}
    assert len(contexts) == len(got["features_card"]["contexts"])
    drawing = saved(workspace, view, "features_card", "png")
    assert list(drawing["figure"]["data"][0]["y"]) == got["features_card"]["histogram"]


def test_the_prompts_features(workspace: Workspace, model: HookedModel, view: Features) -> None:
    got, _ = answers(workspace, view, ["features_active"])
    result = interp.dictionaries.feature_activations(model, ASKED["clean"], top=TOLD)
    shown = got["features_active"]
    assert shown["active"] == result.data["active"].values[0].tolist()
    assert shown["width"] == result.data.sizes["pos"]
    assert view.feature in shown["names"]


def test_the_first_dictionary_is_the_empty_name(workspace: Workspace, model: HookedModel) -> None:
    first, *_ = interp.dictionaries.known(model)
    link = Link(f"?dictionary={first}", model)
    values = link.read(["features"], [Features])
    assert (values, link.problem) == ({"dictionary": first}, "")
    assert workspace.suited(values)["dictionary"] == ""


def test_a_feature_that_is_not_there_is_told_in_its_panels(workspace: Workspace, view: Features) -> None:
    slots = ["answer", "features_active", "features_sources", "features_turned", "features_card", "features_found"]
    for _ in range(2):  # with the cards made meanwhile, and with those that are kept
        got, status = answers(workspace, replace(view, feature=999), slots)
        assert set(got) == {"answer", "features_active", "features_found"}
        for name in ("features_sources", "features_turned", "features_card"):
            assert "999" in status["errors"][name]


def test_half_a_character_is_told_in_its_panel(workspace: Workspace, view: Features) -> None:
    got, status = answers(workspace, replace(view, token="\ud800"), ["answer", "features_card", "features_found"])
    assert set(got) == {"answer", "features_card"}
    assert "half a character" in status["errors"]["features_found"]


def test_an_unforeseen_fault_stays_in_its_panel(
    workspace: Workspace, view: Features, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(result: object, view: Features) -> dict[str, Any]:
        raise ZeroDivisionError("division by zero")

    content, kind = KINDS["features_found"]
    monkeypatch.setitem(KINDS, "features_found", (replace(content, payload=broken), kind))
    got, status = answers(workspace, view, ["answer", "features_card", "features_found"])
    assert set(got) == {"answer", "features_card"}
    assert status["errors"]["features_found"] == "this cannot be shown: ZeroDivisionError: division by zero"


def test_a_corpus_is_not_read_for_a_file_alone(workspace: Workspace, view: Features) -> None:
    with pytest.raises(InterpError, match="has not ended yet"):
        saved(workspace, view, "features_roles", "csv")

"""The Features page over a tiny model, without a browser: what it shows are the library's own numbers."""

from dataclasses import replace
from io import StringIO
from typing import Any
from urllib.parse import urlencode

import numpy as np
import pandas as pd
import pytest
from delivering import ASKED, answers, checked, numbers, saved, traces
from interp_dashboard.app import open_link
from interp_dashboard.pages.features import PAGE, payloads
from interp_dashboard.pages.features.state import BANDS, STEPS, TOLD, WINDOWS, Features
from interp_dashboard.state import Link, plain
from interp_dashboard.workspace import KINDS, Workspace

import interp
from interp.core.errors import InterpError
from interp.core.nodes import Node
from interp.dictionaries import Cards, known
from interp.models import HookedModel

QUESTION = {"corrupted": ASKED["corrupted"], "target": " Mary", "contrast": " John"}
NAMES = [content.name for content in PAGE.contents]
OVER_CORPUS = {"features_found", "features_card", "features_shape", "features_roles"}


@pytest.fixture(autouse=True)
def _few_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    for engine in WINDOWS:
        monkeypatch.setitem(WINDOWS, engine, 6)


@pytest.fixture
def view(workspace: Workspace, model: HookedModel) -> Features:
    first = interp.dictionaries.feature_activations(model, ASKED["clean"], top=1).data["feature"].values[0, -1, 0]
    return checked(workspace, Features(**ASKED, feature=int(first)))


@pytest.fixture
def cards(model: HookedModel) -> Cards:
    return Cards.open(interp.dictionaries.feature_cards(model, windows=6).data.attrs["folder"])


def searched(workspace: Workspace, view: Features) -> dict[str, Any]:
    return answers(workspace, view, ["features_found"])[0]["features_found"]


def listed(found: dict[str, Any]) -> list[int]:
    return [row[0] for row in found["rows"]]


def test_every_panel_is_filled_and_its_python_gives_it(
    workspace: Workspace, model: HookedModel, view: Features, monkeypatch: pytest.MonkeyPatch
) -> None:
    got, status = answers(workspace, view, NAMES)
    assert (status["errors"], set(got)) == ({}, set(NAMES))
    monkeypatch.setattr(interp, "load", lambda name: model)
    for name, payload in got.items():
        assert payload["measured"], name
        scope: dict[str, Any] = {}
        exec(payload["python"], scope)
        if "figure" in payload:
            assert len(scope["figure"].data) == len(payload["figure"]["data"]), name


def test_without_a_feature_only_what_needs_none(workspace: Workspace, view: Features) -> None:
    open_ = replace(view, feature=None)
    asked = {name for name in NAMES if workspace.display(name, plain(open_)).calls}
    assert asked == {"features_active", "features_first", "features_effects", "features_found", "features_roles"}
    got, _ = answers(workspace, open_, asked - OVER_CORPUS)
    assert set(got) == asked - OVER_CORPUS


def test_the_prompts_features(workspace: Workspace, model: HookedModel, view: Features) -> None:
    shown = answers(workspace, view, ["features_active"])[0]["features_active"]
    result = interp.dictionaries.feature_activations(model, ASKED["clean"], top=TOLD)
    assert shown["active"] == result.data["active"].values[0].tolist()
    assert shown["width"] == result.data.sizes["pos"]
    assert view.feature in shown["names"]


def test_sources_and_what_had_brought_them(workspace: Workspace, model: HookedModel, view: Features) -> None:
    dfa = interp.dictionaries.dfa(model, ASKED["clean"], feature=view.feature).data["dfa"].values[0]
    bars = traces(workspace, view, "features_sources")
    assert sum(numbers(bar["y"]) for bar in bars) == pytest.approx(dfa.sum(1), abs=1e-6)
    everything = sum(numbers(traces(workspace, view, "features_parts")[0]["x"]))
    assert everything == pytest.approx(dfa.sum(), abs=1e-5)
    for key in range(len(dfa)):
        (parts,) = traces(workspace, replace(view, key=key), "features_parts")
        assert sum(numbers(parts["x"])) == pytest.approx(dfa[key].sum(), abs=1e-5)
    earlier = interp.dictionaries.dfa(model, ASKED["clean"], feature=view.feature, position=2).data["dfa"].values[0]
    bars = traces(workspace, replace(view, query=2), "features_sources")
    assert sum(numbers(bar["y"]) for bar in bars) == pytest.approx(earlier.sum(1), abs=1e-6)


def test_effects_and_the_first_feature(workspace: Workspace, model: HookedModel, view: Features) -> None:
    result = interp.dictionaries.feature_attribution(model, ASKED["clean"], **QUESTION, steps=STEPS)
    got, _ = answers(workspace, view, ["features_effects", "features_first"])
    (bars,) = got["features_effects"]["figure"]["data"]
    shown = numbers(bars["x"])
    assert sum(shown) == pytest.approx(float(result.data["total"][0]), abs=1e-5)
    assert shown[:-2] == pytest.approx(result.data["effect"].values[0][: len(shown) - 2], abs=1e-5)
    assert got["features_first"]["feature"] == bars["customdata"][0][1]
    assert [len(about) for about in bars["customdata"][-2:]] == [1, 1]  # others and the error are none to choose


@pytest.mark.parametrize(
    ("chosen", "change"),
    [
        ({}, {"factor": 0.0}),
        ({"turn": "4"}, {"factor": 4.0}),
        ({"turn": "4", "way": "plus"}, {"factor": 1.0, "steer": 4.0}),
    ],
)
def test_the_feature_is_scaled_or_added(
    workspace: Workspace, model: HookedModel, view: Features, chosen: dict[str, str], change: dict[str, float]
) -> None:
    result = interp.dictionaries.feature_ablation(
        model, ASKED["clean"], **QUESTION, features=(view.feature,), **change
    ).data.isel(batch=0)
    before, after = traces(workspace, replace(view, **chosen), "features_tokens")
    for trace, side in ((before, "clean"), (after, "edited")):
        assert numbers(trace["x"]) == pytest.approx(result[f"{side}_prob"].values, abs=1e-6)
    (bars,) = traces(workspace, replace(view, **chosen), "features_turned")
    drawn = result["control"].values[result["control_feature"].values != ""]
    assert numbers(bars["x"]) == pytest.approx([float(result["effect"]), *drawn], abs=1e-6)


# Cards


def test_a_search_and_a_card_are_what_the_cards_hold(workspace: Workspace, view: Features, cards: Cards) -> None:
    got, _ = answers(workspace, replace(view, sorting="max"), ["features_found", "features_card", "features_shape"])
    assert listed(got["features_found"]) == cards.search(order="max", limit=100)["feature"].tolist()
    card, row = got["features_card"], cards.card(view.feature or 0)
    assert card["density"] == pytest.approx(float(row["density"]))
    for context in card["contexts"]:
        assert context["values"][context["at"]] == pytest.approx(context["value"], abs=1e-3)
    histogram, heads = got["features_shape"]["figure"]["data"]
    assert numbers(histogram["y"]).tolist() == list(row["histogram"])
    assert numbers(heads["y"]) == pytest.approx(row["head_weights"])
    token = card["contexts"][0]["labels"][card["contexts"][0]["at"]]
    assert view.feature in listed(searched(workspace, replace(view, token=token)))


@pytest.mark.parametrize("band", [name for name in BANDS if name])
def test_features_of_one_density(workspace: Workspace, view: Features, band: str) -> None:
    bounds = {"min_density": 0, "max_density": 1} | BANDS[band][1]
    everything = searched(workspace, view)["rows"]
    inside = [row[0] for row in everything if bounds["min_density"] <= row[1] <= bounds["max_density"]]
    assert listed(searched(workspace, replace(view, density=band))) == inside


def test_features_of_the_selected_head_are_those_of_its_layer(workspace: Workspace, view: Features) -> None:
    own = replace(view, own="head")
    for layer, head in ((0, 1), (None, None)):
        found = searched(workspace, replace(own, layer=layer, head=head))
        assert (found["rows"], found["elsewhere"]) == ([], 1)
        assert ".iloc[:0]" in found["python"]  # a table without rows
    found = searched(workspace, replace(own, layer=1, head=0))
    assert found["elsewhere"] is None
    assert {row[5] for row in found["rows"]} == {0}
    key = workspace.display("features_found", plain(view)).key({})
    assert workspace.display("features_found", plain(replace(view, head=0))).key({}) == key


def test_the_python_of_a_card_and_of_a_search(
    workspace: Workspace, model: HookedModel, view: Features, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it gives is what is shown."""
    monkeypatch.setattr(interp, "load", lambda name: model)
    asked = replace(view, token="a", density="common", sorting="max")
    got, _ = answers(workspace, asked, ["features_card", "features_found"])
    search, contexts = (_table(got[name]["python"]) for name in ("features_found", "features_card"))
    assert search["feature"].tolist() == listed(got["features_found"])
    assert contexts["value"].tolist() == [context["value"] for context in got["features_card"]["contexts"]]


def _table(python: str) -> pd.DataFrame:
    scope: dict[str, Any] = {}
    exec(python, scope)
    return scope["table"]


def test_files_of_a_card_and_of_a_search(workspace: Workspace, view: Features) -> None:
    asked = replace(view, token="a")
    got, _ = answers(workspace, asked, ["features_card", "features_found"])
    found = pd.read_csv(StringIO(saved(workspace, asked, "features_found", "csv")["content"]))
    assert found["feature"].tolist() == listed(got["features_found"])
    contexts = pd.read_csv(StringIO(saved(workspace, asked, "features_card", "csv")["content"]))
    assert set(contexts["feature"]) == {view.feature}
    assert len(contexts) == len(got["features_card"]["contexts"])


@pytest.mark.parametrize("kind", ["csv", "html", "png"])
def test_exports(workspace: Workspace, view: Features, kind: str) -> None:
    with pytest.raises(InterpError, match="has not finished"):
        saved(workspace, view, "features_roles", kind)
    answers(workspace, view, NAMES)
    assert all(saved(workspace, view, name, kind) for name in NAMES)


def test_cards_are_searched_once_for_every_tab(
    workspace: Workspace, view: Features, monkeypatch: pytest.MonkeyPatch
) -> None:
    searches: list[object] = []
    search = Cards.search
    monkeypatch.setattr(Cards, "search", lambda *given, **more: searches.append(more) or search(*given, **more))
    for tab in ("one", "two"):
        for sorting in ("max", "density", "max"):
            answers(workspace, replace(view, sorting=sorting), ["features_found"], tab)
    assert len(searches) == 2


# What is not there


@pytest.mark.parametrize(
    ("search", "problem"),
    [
        ("?page=features&dictionary=nowhere", "there is no dictionary 'nowhere'"),
        ("?page=features&feature=-3", "there is no feature '-3'"),
        ("?page=features&turn=1e9", "there is no turn '1e9'"),
        ("?page=features&sorting=<b>", "there is no sorting"),
        ("?page=features&density=all", "there is no density 'all'"),
    ],
)
def test_links_that_name_what_is_not_there(workspace: Workspace, search: str, problem: str) -> None:
    accepted, notice, *_ = open_link(workspace, search)
    assert problem in notice["text"]
    given = {name: accepted["view"][name] for name in ("dictionary", "feature", "turn", "sorting", "density")}
    assert given == {"dictionary": "", "feature": None, "turn": "0", "sorting": "density", "density": ""}


def test_a_link_of_every_field(workspace: Workspace, model: HookedModel) -> None:
    first, *_ = known(model)
    given = {"feature": 7, "token": " Mary", "turn": "4", "way": "plus", "own": "head", "density": "rare"}
    link = "&".join(f"{name}={value}".replace(" ", "%20") for name, value in given.items())
    accepted, notice, *_ = open_link(workspace, f"?page=features&dictionary={first}&{link}")
    assert not notice["text"].startswith("Part of this link")
    assert {name: accepted["view"][name] for name in given} == given
    assert accepted["view"]["dictionary"] == ""  # the first: one view has one form


def test_a_feature_that_is_not_there_is_told_in_its_panels(workspace: Workspace, view: Features) -> None:
    names = ["answer", *(name for name in NAMES if name != "features_roles")]
    wrong = {name for name in names if not workspace.display(name, plain(replace(view, feature=None))).calls} - {
        "answer"
    }
    for _ in range(2):  # with the cards made meanwhile, and with those that are kept
        got, status = answers(workspace, replace(view, feature=999), names)
        assert set(got) == set(names) - wrong
        assert set(status["errors"]) == wrong
        assert all("999" in error for error in status["errors"].values())


def test_half_a_character_is_told_in_its_panel(workspace: Workspace, view: Features) -> None:
    got, status = answers(workspace, replace(view, token="\ud800"), ["answer", "features_card", "features_found"])
    assert set(got) == {"answer", "features_card"}
    assert "lone surrogate" in status["errors"]["features_found"]


def test_an_unforeseen_fault_stays_in_its_panel_and_can_be_tried_again(
    workspace: Workspace, view: Features, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*given: object) -> Cards:
        raise ZeroDivisionError("division by zero")

    names = ["answer", "features_active", "features_found"]
    with monkeypatch.context() as patch:
        patch.setattr(payloads, "cards_of", broken)
        got, status = answers(workspace, view, names)
    assert set(got) == {"answer", "features_active"}
    assert status["errors"]["features_found"] == "drawing this panel failed: ZeroDivisionError: division by zero"
    again = status["failures"]["features_found"]
    assert workspace.deliver(plain(view), names, tab="one", have={}).status["errors"]
    assert not workspace.deliver(plain(view), names, tab="one", have={}, again=again).status["errors"]


def test_values_survive_packing(workspace: Workspace, model: HookedModel, view: Features) -> None:
    shown = answers(workspace, view, ["features_active"])[0]["features_active"]
    values = numbers({"bdata": shown["values"], "dtype": "<f4", "shape": f"{len(shown['names'])},{shown['width']}"})
    result = interp.dictionaries.feature_activations(model, ASKED["clean"], top=TOLD)
    row = shown["names"].index(view.feature)
    told = result.values("feature").values[0] == view.feature
    expected = np.where(told.any(1), np.where(told, result.values("activation").values[0], 0).sum(1), np.nan)
    np.testing.assert_allclose(values[row], expected, rtol=1e-6)


def test_without_a_dictionary_nothing_is_asked_and_one_panel_says_what_to_do(
    workspace: Workspace, view: Features, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = next(iter(known(workspace.model).values()))
    for module in ("interp_dashboard.pages.features.state", "interp.dictionaries.sae.catalogue"):
        monkeypatch.setattr(f"{module}.known", lambda model: {})
    got, status = answers(workspace, view, NAMES)
    assert (got, status["errors"]) == ({}, {})
    assert "interp train sae" in KINDS["features_active"][0].hint
    given, status = answers(workspace, replace(view, dictionary=str(folder)), NAMES)
    assert (status["errors"], set(given)) == ({}, set(NAMES))
    named = {"dictionary": str(folder)}
    assert Link("?" + urlencode(named), workspace.model).read(["features"], [Features]) == named


@pytest.mark.parametrize(
    ("dictionary", "says"),
    [("somebody/saes:layer_1", "only when it is typed"), ("x" * 5000, "no dictionary"), ("a\0b", "no dictionary")],
)
def test_a_link_fetches_no_dictionary(model: HookedModel, dictionary: str, says: str) -> None:
    link = Link("?" + urlencode({"dictionary": dictionary}), model)
    assert link.read(["features"], [Features]) == {}
    assert says in link.problem


def test_the_feature_that_opens_is_active_on_the_prompt(model: HookedModel) -> None:
    question = {"corrupted": ASKED["corrupted"], "target": " Mary", "contrast": " John"}
    result = interp.dictionaries.feature_attribution(model, ASKED["clean"], **question, top=24)
    clean = result.data["clean"].copy()
    clean[0, :2] = 0  # the two strongest are those of the corrupted prompt alone
    clean[0, 2] = 1
    changed = replace(result, data=result.data.assign(clean=clean))
    assert payloads.first(changed)["feature"] == Node.of(str(result.data["node"].values[0, 2])).index
    silent = replace(result, data=result.data.assign(clean=clean * 0))
    assert payloads.first(silent)["feature"] is None

"""The Attribution page's answers over tiny models, without a browser: they are the library's own numbers."""

import base64
import io
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from delivering import ASKED, answers, checked, saved
from interp_dashboard.app import _about, open_link
from interp_dashboard.packing import packed_signed
from interp_dashboard.pages.attribution import PAGE, Attribution, methods
from interp_dashboard.pages.attribution.methods import FIRST, METHODS, first_methods
from interp_dashboard.state import state
from interp_dashboard.workspace import Workspace

import interp
from interp.core.errors import InterpError
from interp.models import HookedModel

NAMES = [content.name for content in PAGE.contents]
FAST = ("attnlrp", "gradient-x-input", "rollout")


@pytest.fixture
def view(workspace: Workspace) -> Attribution:
    return checked(workspace, Attribution(**ASKED))


def by_library(model: HookedModel, name: str, view: Attribution) -> interp.Result:
    return METHODS[name](model, view.clean, target=view.answer, contrast=view.contrast)


def floats(text: str) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), dtype="<f4")


def test_the_page_opens_with_methods_that_support_the_model(workspace: Workspace, view: Attribution) -> None:
    assert view.methods == first_methods(workspace.model) == tuple(name for name in FIRST if name in METHODS)
    assert _about(workspace)["defaults"]["methods"] == list(view.methods)


def test_every_method_gives_the_librarys_numbers(workspace: Workspace, model: HookedModel, view: Attribution) -> None:
    able = [name for name, spec in METHODS.items() if spec.obstacle(model) is None]
    got, status = answers(workspace, replace(view, methods=tuple(able)), [f"relevance {name}" for name in able])
    assert status["errors"] == {}
    for name in able:
        data = by_library(model, name, view).data.isel(batch=0)
        payload = got[f"relevance {name}"]
        assert floats(payload["values"]) == pytest.approx(data["relevance"].values.astype("f4"))
        for field in ("total", "remainder", "first_token_share"):
            assert payload[field] == pytest.approx(float(data[field]))
        assert payload["tokens"] + payload["absorbed"] + payload["remainder"] == pytest.approx(payload["total"])


@pytest.mark.parametrize("name", FAST)
def test_the_insides_are_one_methods_own(
    workspace: Workspace, model: HookedModel, view: Attribution, name: str
) -> None:
    got = answers(workspace, replace(view, method=name), ["insides"])[0]["insides"]
    result = by_library(model, name, view)
    data = result.data.isel(batch=0)
    assert got["method"] == name
    assert sum(value for _, _, value in got["ledger"]) == pytest.approx(got["total"], abs=1e-6)
    frame = result.to_frame("ledger")
    assert [row[:2] for row in got["ledger"]] == frame[["at", "term"]].values.tolist()
    if "heads" in data:
        assert np.array(got["heads"]) == pytest.approx(data["heads"].values.sum(-1), abs=1e-6)
    else:
        assert got["heads"] is None
    stream = got["stream"]
    raw = np.frombuffer(base64.b64decode(stream["data"]), dtype="<i2").reshape(stream["layers"], stream["size"])
    assert raw / 32767 * stream["limit"] == pytest.approx(data["stream"].values, abs=stream["limit"] / 60000)


def test_signed_numbers_survive_their_packing() -> None:
    for values in (np.random.default_rng(0).normal(size=(3, 5)), np.zeros((2, 2)), np.array([[np.nan, -2.0]])):
        packed = packed_signed(values)
        raw = np.frombuffer(base64.b64decode(packed["data"]), dtype="<i2").reshape(values.shape)
        assert raw / 32767 * packed["limit"] == pytest.approx(np.nan_to_num(values), abs=packed["limit"] / 60000)


def test_the_deletion_curve_is_the_evaluations(workspace: Workspace, model: HookedModel, view: Attribution) -> None:
    got = answers(workspace, replace(view, method="attnlrp"), ["deletion"])[0]["deletion"]
    result = interp.evaluation.faithfulness(
        model, view.clean, target=view.answer, contrast=view.contrast, methods=("attnlrp",)
    )
    data = result.data.isel(batch=0)
    assert got["morf"] == pytest.approx(data["curve"].values[0, 0].tolist(), abs=1e-4)
    assert got["lerf"] == pytest.approx(data["curve"].values[0, 1].tolist(), abs=1e-4)
    assert got["low"] == pytest.approx(data["random_lower"].values.tolist(), abs=1e-4)
    own, control, low, high = got["scores"]["comprehensiveness"]
    assert own == pytest.approx(float(data["comprehensiveness"][0]), abs=1e-4)
    assert (control, low, high) == pytest.approx(
        [float(data[name][0]) for name in ("control", "control_lower", "control_upper")], abs=1e-4
    )


def test_slow_methods_wait_for_a_click_on_long_prompts(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """What costs a pass a token says so; methods by one backward pass start at once, however long the prompt."""
    slow = [name for name in METHODS if name not in methods.QUICK and methods.passes(name, 60) >= 60]
    assert slow
    view = checked(workspace, Attribution(clean="Mary gave a drink to John and " * 8, corrupted="", answer=" Mary"))
    view = replace(view, methods=(*FAST, slow[0]))
    monkeypatch.setattr("interp_dashboard.workspace.MANY_TOKENS", 600)
    _, status = answers(workspace, view, NAMES)
    assert set(status["held"]) == {f"relevance {slow[0]}", "compared", "deletion"}
    assert f"{methods.passes(slow[0], 56)} runs over" in status["held"][f"relevance {slow[0]}"]


def test_a_refused_method_is_offered_with_its_reason(model: HookedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    refusing = replace(METHODS["attnlrp"], obstacle=lambda model: "it has no <b>norm</b>")
    monkeypatch.setitem(METHODS, "attnlrp", refusing)
    offered = {entry["name"]: entry["obstacle"] for entry in PAGE.about(model)["methods"]}
    assert offered["attnlrp"] == "it has no <b>norm</b>"
    assert "attnlrp" not in first_methods(model)
    assert "gradient-x-input" in first_methods(model)


def test_a_refused_method_in_a_link_fails_alone(workspace: Workspace, view: Attribution, monkeypatch) -> None:
    refusing = replace(METHODS["rollout"], obstacle=lambda model: "it has no pattern")
    monkeypatch.setitem(METHODS, "rollout", refusing)
    asked = replace(view, methods=("attnlrp", "rollout"))
    got, status = answers(workspace, asked, NAMES)
    assert "it has no pattern" in status["errors"]["relevance rollout"]
    assert "relevance attnlrp" in got


def test_the_comparison_exports_what_has_been_computed(
    workspace: Workspace, model: HookedModel, view: Attribution
) -> None:
    with pytest.raises(InterpError, match="has been computed yet"):
        saved(workspace, view, "compared", "csv")
    answers(workspace, view, ["relevance attnlrp", "relevance rollout"])
    table: Any = pd.read_csv(io.StringIO(saved(workspace, view, "compared", "csv")["content"]))
    assert list(table.columns) == ["method", "pos", "token", "relevance"]
    for name in ("attnlrp", "rollout"):
        shown = table[table["method"] == name]["relevance"].to_numpy()
        assert shown == pytest.approx(by_library(model, name, view).data["relevance"].values[0])
    figure = saved(workspace, view, "compared", "png")
    assert "2 methods" in figure["figure"]["layout"]["title"]["text"]


@pytest.mark.parametrize("family", ["gpt2", "gemma3", "gptneox", "bert-classifier", "bert-masked"])
def test_every_family_opens_the_page(tiny: Callable[..., HookedModel], family: str) -> None:
    workspace = Workspace(tiny(family))
    try:
        opened, *_ = open_link(workspace, "?page=attribution")
        view = state(Attribution, opened["view"])
        assert view.methods
        got, status = answers(workspace, view, NAMES)
        assert status["errors"] == {}
        assert {f"relevance {name}" for name in view.methods} <= set(got)
    finally:
        workspace.close()

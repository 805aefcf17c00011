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
from interp_dashboard.pages.attribution import PAGE
from interp_dashboard.pages.attribution.state import (
    FIRST,
    METHODS,
    QUICK,
    RELEVANCE,
    Attribution,
    first_methods,
    passes,
)
from interp_dashboard.state import plain, state
from interp_dashboard.workspace import Workspace

import interp
from interp import views
from interp.core.errors import InterpError, ResultError
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
    asked = replace(view, method=name, ledger="layer")
    got, status = answers(workspace, asked, ["insides", "insides_heads", "insides_stream"])
    assert status["errors"] == {}
    data = by_library(model, name, view).data.isel(batch=0)
    for content in ("insides", "insides_stream"):
        shown = workspace.result(workspace.display(content, plain(asked)))
        assert shown.provenance.engine == name
        assert shown.data["ledger"].values[0] == pytest.approx(data["ledger"].values)
    frame = by_library(model, name, view).to_frame("ledger")
    places: Any = frame["at"].iloc[1:-1].unique()
    assert len(got["insides"]["figure"]["data"][0]["customdata"]) == len(places) + 3  # tokens, remainder, target
    if "heads" in data:
        shown = np.array(got["insides_heads"]["values"])
        assert shown == pytest.approx(data["heads"].values.sum(-1), abs=1e-6)
    else:
        assert got["insides_heads"]["missing"] == f"{name} has no latent relevance: it does not attribute to heads."


def test_what_a_method_does_not_say_is_no_error(workspace: Workspace, view: Attribution) -> None:
    asked = replace(view, methods=("integrated-gradients",))
    got, status = answers(workspace, asked, ["insides", "insides_heads", "insides_stream"])
    assert status["errors"] == {}
    assert "figure" in got["insides"]
    for content in ("insides_heads", "insides_stream"):
        assert "integrated-gradients" in got[content]["missing"]
        assert "has no" in got[content]["missing"]


def test_methods_disagree_where_there_are_two_of_them(workspace: Workspace, view: Attribution) -> None:
    got, _ = answers(workspace, replace(view, methods=("attnlrp",)), ["disagreement"])
    assert got == {}
    asked = replace(view, methods=("attnlrp", "rollout"))
    got, status = answers(workspace, asked, ["disagreement"])
    assert status["errors"] == {}
    results = workspace.result(workspace.display("disagreement", plain(asked)))
    shares = [r.data["relevance"].values[0] / np.abs(r.data["relevance"].values[0]).sum() for r in results.values()]
    gaps = np.abs(shares[0] - shares[1])
    assert got["disagreement"]["measured"].startswith("range of the share")
    assert views.disagreement(results).data[0].y == pytest.approx(gaps, abs=1e-6)
    with pytest.raises(ResultError, match="a disagreement needs at least two methods"):
        views.disagreement({"attnlrp": results["attnlrp"]})


def test_the_deletion_curve_is_the_evaluations(workspace: Workspace, model: HookedModel, view: Attribution) -> None:
    asked = replace(view, method="attnlrp")
    got, _ = answers(workspace, asked, ["deletion"])
    result = interp.evaluation.faithfulness(
        model, view.clean, target=view.answer, contrast=view.contrast, methods=("attnlrp",)
    )
    shown = workspace.result(workspace.display("deletion", plain(asked))).data
    for name in ("curve", "random", "comprehensiveness", "control"):
        assert shown[name].values == pytest.approx(result.data[name].values, abs=1e-5)
    assert len(got["deletion"]["figure"]["data"]) == 5  # the random band's ends and mean, and both orders


def test_slow_methods_wait_for_a_click_on_long_prompts(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """What costs a pass a token says so; methods by one backward pass start at once, however long the prompt."""
    slow = [name for name in METHODS if name not in QUICK and passes(name, 60) >= 60]
    assert slow
    view = checked(workspace, Attribution(clean="Mary gave a drink to John and " * 8, corrupted="", answer=" Mary"))
    view = replace(view, methods=(*FAST, slow[0]))
    monkeypatch.setattr("interp_dashboard.workspace.MANY_TOKENS", 600)
    _, status = answers(workspace, view, NAMES)
    assert set(status["held"]) == {f"relevance {slow[0]}", "deletion"}
    assert f"{passes(slow[0], 56)} runs over" in status["held"][f"relevance {slow[0]}"]


def test_a_refused_method_is_offered_with_its_reason(model: HookedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    refusing = replace(METHODS["attnlrp"], obstacle=lambda model: "it has no <b>norm</b>")
    monkeypatch.setitem(METHODS, "attnlrp", refusing)
    offered = {entry["name"]: entry["obstacle"] for entry in PAGE.about(model)["methods"]}
    assert offered["attnlrp"] == "it has no <b>norm</b>"
    assert "attnlrp" not in first_methods(model)
    assert "gradient-x-input" in first_methods(model)


def test_a_refused_method_in_a_link_fails_alone(workspace: Workspace, view: Attribution, monkeypatch) -> None:
    refusing = replace(METHODS["rollout"], obstacle=lambda model: "it has no pattern")
    monkeypatch.setitem(RELEVANCE, "rollout", replace(RELEVANCE["rollout"], engine=refusing))
    asked = replace(view, methods=("attnlrp", "rollout"))
    got, status = answers(workspace, asked, NAMES)
    assert "it has no pattern" in status["errors"]["relevance rollout"]
    assert "relevance attnlrp" in got


def test_the_comparison_exports_what_has_been_computed(
    workspace: Workspace, model: HookedModel, view: Attribution
) -> None:
    with pytest.raises(InterpError, match="no result to compare yet"):
        saved(workspace, view, "compared", "csv")
    answers(workspace, view, ["relevance attnlrp", "relevance rollout"])
    table: Any = pd.read_csv(io.StringIO(saved(workspace, view, "compared", "csv")["content"]))
    assert list(table.columns) == ["result", "pos", "token", "relevance"]
    for name in ("attnlrp", "rollout"):
        shown = table[table["result"] == name]["relevance"].to_numpy()
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

"""Questions and answers of the dashboard over a tiny model, without a browser."""

import base64
import tempfile
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from delivering import ASKED, answers, checked, run_all, saved
from interp_dashboard import shell
from interp_dashboard.app import open_link
from interp_dashboard.packing import encode
from interp_dashboard.pages import PAGES
from interp_dashboard.pages.circuit.state import CircuitView
from interp_dashboard.pages.heads import COLOURS, Heads
from interp_dashboard.state import Values, View, plain, state
from interp_dashboard.workspace import KINDS, QuestionError, Workspace

import interp
from interp.core.errors import InterpError
from interp.models import HookedModel

MORE = {
    "nodes": ("a1.1", "m0"),
    "picked": "m1",
    "versus": "eap-ig",
    "channel": "a0.1>q1.2~1",
    "feature": 3,
    "changed": ("skip1",),
}
FORMATS = ("csv", "html", "png", "svg", "nc")
COLOURED = [name for name in COLOURS if name != "pattern"]


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INTERP_CACHE", str(tmp_path))


def full(workspace: Workspace, kind: type[View]) -> View:
    """A view of a page in which everything is chosen."""
    return checked(workspace, kind(**ASKED | {k: v for k, v in MORE.items() if k in kind.__dataclass_fields__}))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_everything_that_a_page_shows_arrives(workspace: Workspace, page: Any) -> None:
    view = full(workspace, page.state)
    names = [content.name for content in (*page.contents, *shell.CONTENTS)]
    got, status = run_all(workspace, view, names)
    assert status["errors"] == {}
    asked = {name for name in names if workspace.display(name, plain(view)).calls}
    assert set(got) == asked
    for name in asked:
        assert "import interp" in got[name]["python"]
        assert got[name]["measured"], name


def test_every_name_is_of_one_content() -> None:
    for page in PAGES:
        for content in (*page.contents, *shell.CONTENTS):
            assert KINDS[content.name][0] is content


def test_what_is_shown_depends_on_what_is_asked_and_shown_and_on_nothing_else(workspace: Workspace) -> None:
    def key(name: str, view: View, theme: str = "light") -> str:
        return workspace.display(name, plain(view), theme).key({})

    view = View(layer=1, head=1)
    assert key("pattern", view) != key("pattern", replace(view, head=2))
    assert key("lens", view) == key("lens", replace(view, layer=5, nodes=("m1",)), "dark")
    assert key("lens_curve", view) != key("lens_curve", view, "dark")
    assert key("lens_curve", view) != key("lens_curve", replace(view, query=2))
    assert workspace.display("ablation", plain(view)).calls == {}


def test_the_answer_is_the_models(workspace: Workspace, model: HookedModel) -> None:
    view = checked(workspace, View(**ASKED))
    got = answers(workspace, view, ["answer"])[0]["answer"]
    for side, text in (("clean", view.clean), ("corrupted", view.corrupted)):
        prompts = interp.Prompts.of(model, text, target=" Mary", contrast=" John")
        logits = model.logits(prompts)
        assert prompts.metric is not None
        assert got[f"{side}_value"] == pytest.approx(prompts.metric(logits).item(), abs=1e-5)
        best = int(logits[0, -1].argmax())
        assert got[f"{side}_top"][0][0] == model.token_label(best)
        assert got[f"{side}_top"][0][1] == pytest.approx(float(logits[0, -1].softmax(-1)[best]), abs=1e-5)
    assert got["label"] == 'logit(" Mary") − logit(" John")'
    alone = answers(workspace, replace(view, corrupted=""), ["answer"])[0]["answer"]
    assert alone["clean_value"] == pytest.approx(got["clean_value"], abs=1e-5)
    assert (alone["corrupted_value"], alone["corrupted_top"]) == (None, [])


@pytest.mark.parametrize("colour", COLOURED)
def test_every_colour_has_a_value_a_head(workspace: Workspace, model: HookedModel, colour: str) -> None:
    view = checked(workspace, Heads(**ASKED, colour=colour))
    got = answers(workspace, view, ["heads"])[0]["heads"]
    values = np.array(got["values"], dtype=float)
    assert values.shape == (model.dims.layers, model.dims.heads)
    assert got["saying"] == COLOURS[colour]
    assert got["kind"] == ("diverging" if colour in ("resample", "zero", "direct") else "sequential")


def test_edits_of_two_tabs_never_mix(workspace: Workspace, model: HookedModel) -> None:
    names = ["ablation", "lens_edited"]
    views = [
        checked(workspace, View(**ASKED, nodes=nodes, how=how))  # pyright: ignore[reportArgumentType]
        for nodes, how in ((("a0.1",), "zero"), (("m0",), "mean"), (("a1.0", "a0.0"), "resample"))
    ]
    for index, view in enumerate(views):
        workspace.deliver(plain(view), names, tab=f"tab {index}", have={})
    for index, view in enumerate(views):
        got = answers(workspace, view, names, tab=f"tab {index}")[0]["ablation"]
        expected = interp.circuits.ablation(
            model,
            view.clean,
            corrupted=view.corrupted,
            target=" Mary",
            contrast=" John",
            nodes=view.nodes,
            how=view.how,
        )
        assert got["edited"] == pytest.approx(float(expected.values("edited")[0]))


def test_results_that_are_compared_arrive_as_they_are_ready(workspace: Workspace) -> None:
    """Two readouts under one panel: what is drawn grows, and its key with it."""
    view = checked(workspace, View(**ASKED, nodes=("a0.1",)))
    both = workspace.display("lens_edited", plain(view))
    assert list(both.calls) == ["before", "after"]
    first = both.calls["before"].run(workspace.model)
    assert both.key({"before": first}) != both.key({"before": first, "after": first})
    got = answers(workspace, view, ["lens_edited"])[0]["lens_edited"]
    assert {trace["name"] for trace in got["figure"]["data"]} == {"before", "after"}


def test_long_work_waits_for_a_click_or_after_a_cancel(
    workspace: Workspace, model: HookedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    view = checked(workspace, View(**ASKED))
    monkeypatch.setattr("interp_dashboard.workspace.MANY_TOKENS", 3)
    _, status = answers(workspace, view, ["effects"])
    assert f"{model.dims.layers * model.dims.heads} runs" in status["held"]["effects"]
    work = status["works"]["effects"]
    approved = workspace.deliver(plain(view), ["effects"], tab="one", have={}, approved=work)
    assert approved.status["held"] == {}
    stopped = workspace.deliver(plain(view), ["lens"], tab="two", have={}, stopped=work)
    assert stopped.status["held"] == {}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"clean": ""}, "empty"),
        ({"clean": "a " * 200, "corrupted": ""}, "context of 64"),
        ({"corrupted": "When"}, "differ in length"),
        ({"answer": " cabinets of drink"}, "tokens long; give a single token"),
        ({"contrast": " Mary"}, "always zero"),
        ({"clean": "a\0b"}, "NUL"),
        ({"clean": "a\ud800b"}, "surrogate"),
    ],
)
def test_bad_questions(workspace: Workspace, change: dict[str, Any], says: str) -> None:
    with pytest.raises(QuestionError, match=says) as caught:
        workspace.check(ASKED | change)
    assert "\n" not in str(caught.value)


def test_an_offer_is_one_token(workspace: Workspace, model: HookedModel) -> None:
    with pytest.raises(QuestionError) as caught:
        workspace.check(ASKED | {"answer": " Mary John", "contrast": ""})
    assert caught.value.offers
    for field, text in caught.value.offers:
        assert field == "answer"
        assert len(model.encode_continuation(text)) == 1


def test_an_empty_answer_is_the_models_first_choice(workspace: Workspace, model: HookedModel) -> None:
    asked = workspace.check(ASKED | {"corrupted": "", "answer": "", "contrast": ""})
    best = int(model.logits(interp.Prompts.of(model, ASKED["clean"]))[0, -1].argmax())
    assert asked.values["answer"] == model.token_label(best)


SAVED = [
    name for name in KINDS if not name.startswith("engine_")
]  # an engine runs when it is told to: test_engines_page

# What a page shows only of a choice that it does not open with
CHOSEN = {"second_curves": {"second": "toy/kv-shift"}, "clustering_head": {"trained": "clustering", "after": 0}}


@pytest.mark.parametrize("name", SAVED)
def test_everything_is_saved_in_every_format(workspace: Workspace, name: str) -> None:
    content, kind = KINDS[name]
    if name in ("selector", "variables"):  # of a compiled program only
        workspace = Workspace(interp.load("rasp/hist"))
        view = kind(clean="a b a", corrupted="", answer="2", contrast="1", layer=0, head=0)
    else:
        view = replace(full(workspace, kind), **CHOSEN.get(name, {}))
    if not workspace.display(name, plain(view)).calls:
        view = replace(view, methods=(name.removeprefix("relevance "),))  # pyright: ignore[reportCallIssue]
    run_all(workspace, view, [name])
    result = workspace.result(workspace.display(name, plain(view)))
    for kind in (*FORMATS, *content.files):
        file = saved(workspace, view, name, kind)
        if kind == "csv":
            assert file["content"].count("\n") > 1
        if kind in ("png", "svg"):
            assert file["figure"]["data"] is not None
        if kind == "nc" and not isinstance(result, dict):
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / file["filename"]
                path.write_bytes(base64.b64decode(file["content"]))
                assert interp.Result.load(path).data.identical(result.data)


def test_values_that_no_link_could_have_given_are_told_in_one_line(workspace: Workspace) -> None:
    delivery = workspace.deliver(ASKED | {"colour": "red", "layer": "x"}, ["heads", "answer"], tab="one", have={})
    assert set(delivery.status["errors"]) == {"heads", "answer"}
    assert "layer = 'x'" in delivery.status["errors"]["answer"]
    with pytest.raises(QuestionError, match="layer = 'x'"):
        workspace.check(ASKED | {"layer": "x"})


def test_a_format_that_does_not_exist_is_refused(workspace: Workspace) -> None:
    view = full(workspace, View)
    answers(workspace, view, ["answer"])
    with pytest.raises(InterpError, match="cannot be saved as '../x'"):
        saved(workspace, view, "answer", "../x")


def test_probabilities_survive_their_encoding() -> None:
    values = np.random.default_rng(0).random((3, 5, 5))
    for kind, error in (("uint8", 1 / 510), ("uint16", 1 / 131070)):
        raw = np.frombuffer(base64.b64decode(encode(values, kind)), dtype=kind)
        assert np.abs(raw.reshape(values.shape) / np.iinfo(kind).max - values).max() <= error + 1e-7


@pytest.mark.parametrize("width", [3, 32, 33, 100])
def test_thumbnails_keep_the_brightest_of_each_block(width: int) -> None:
    values = np.random.default_rng(0).random((2, width, width))
    small = interp.views.pooled(values, 32)
    side = min(width, 32)
    assert small.shape == (2, side, side)
    for row in range(0, side, 7):
        for column in range(0, side, 5):
            top, bottom, left, right = (int(i * width / side) for i in (row, row + 1, column, column + 1))
            assert (small[:, row, column] == values[:, top:bottom, left:right].max((1, 2))).all()


@pytest.mark.parametrize(
    "query",
    [
        "page=nowhere", "layer=99&head=-1", "layer=1e9&query=zz", "nodes=a99.1,%00,m4", "how=burn&colour=red",
        "%ff%fe=%ff&x=<script>", "answer=+Mississippian", "methods=attnlrp,<b>&method=none", "clean=",
    ],
)  # fmt: skip
def test_nonsense_in_a_link_is_told_and_something_is_shown(workspace: Workspace, query: str) -> None:
    opened, notice, *_ = open_link(workspace, f"?{query}")
    assert notice["text"]
    assert "\n" not in notice["text"]
    assert workspace.check(opened["view"]).tokens


@pytest.mark.parametrize("family", ["bert-classifier", "bert-masked", "gpt2"])
def test_a_model_of_any_kind_opens_with_a_question_that_it_can_answer(
    tiny: Callable[..., HookedModel], family: str
) -> None:
    """Opened by its bare address, without a word of complaint, whatever the worked example would have asked."""
    workspace = Workspace(tiny(family))
    try:
        opened, notice, *_ = open_link(workspace, "")
        assert notice == {"text": "", "form": False}
        asked = workspace.check(opened["view"])
        assert asked.values["answer"]
        assert opened["prompt"]["tokens"]
        view = state(View, asked.values)
        got, status = answers(workspace, view, ["answer", "lens_curve"])
        assert "answer" in got
        assert set(status["errors"]) <= {"lens_curve"}  # a classifier has no unembedding
    finally:
        workspace.close()


def test_long_work_goes_on_while_another_page_of_the_same_view_is_looked_at(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    view = checked(workspace, CircuitView(**ASKED, circuit="acdc"))
    gate = threading.Event()
    workspace.runner.submit(
        "before", gate.wait, label="waiting", quick=True, watcher="another"
    )  # nothing else runs yet
    workspace.deliver(plain(view), ["circuit"], tab="one", have={})

    def labels(values: Values, names: list[str]) -> set[str]:
        return {job["label"] for job in workspace.deliver(values, names, tab="one", have={}).status["jobs"]}

    search = "finding a circuit by acdc"
    assert search in labels(plain(view), ["lens"])
    assert search not in labels(plain(view) | {"circuit": "eap"}, ["lens"]), "this view asks for no search"
    workspace.deliver(plain(view), ["circuit"], tab="one", have={})
    work = workspace.deliver(plain(view), ["circuit"], tab="one", have={}).status["works"]["circuit"]
    stopped = workspace.deliver(plain(view), ["lens"], tab="one", have={}, stopped=work)
    assert search not in {job["label"] for job in stopped.status["jobs"]}
    gate.set()


def test_what_a_question_does_not_allow_falls_back_to_the_first_that_it_does(workspace: Workspace) -> None:
    asked = workspace.check(ASKED | {"corrupted": "", "colour": "resample", "how": "resample", "versus": "kept"})
    assert {name: asked.values[name] for name in ("colour", "how", "versus")} == {
        "colour": "zero", "how": "zero", "versus": "",
    }  # fmt: skip
    assert set(asked.replacements) == {"colour", "how", "versus"}
    assert "“the kept circuit” needs a kept circuit; “nothing”" in asked.replacements["versus"]
    kept = workspace.check(ASKED | {"colour": "resample", "how": "resample"})
    assert (kept.values["colour"], kept.values["how"], kept.replacements) == ("resample", "resample", {})


def test_it_is_known_which_panels_show_the_model_with_the_edits(workspace: Workspace) -> None:
    view = checked(workspace, View(**ASKED, nodes=("a0.1",)))
    names = ["answer", "ablation", "before_after", "lens", "lens_edited", "effects"]
    _, status = answers(workspace, view, names)
    assert status["edited"] == ["ablation", "before_after", "lens_edited"]
    assert answers(workspace, replace(view, nodes=()), names)[1]["edited"] == []

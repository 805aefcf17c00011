"""Questions and answers of the dashboard over a tiny model, without a browser."""

import base64
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from delivering import ASKED, answers
from interp_dashboard.app import _open
from interp_dashboard.exports import Export, export
from interp_dashboard.packing import encode
from interp_dashboard.pages import PAGES
from interp_dashboard.slots import SLOTS, pooled
from interp_dashboard.state import COLOURS, View
from interp_dashboard.workspace import QuestionError, Workspace

import interp
from interp.core.errors import InterpError
from interp.models import HookedModel

RUNS = ("circuit_runs", "circuit_growth")  # numbers of the page alone, without a result of the library
EXPORTS = [(slot, "") for slot in SLOTS if slot not in RUNS]
EXPORTS += [("insides", variant) for variant in ("ledger", "stream", "heads")]


def test_every_slot_of_every_page_arrives(workspace: Workspace) -> None:
    asked = ASKED | {"nodes": ("a1.1", "m0"), "versus": "eap-ig", "channel": "a0.1>q1.2~1", "feature": 3}
    view = workspace.check(View(**asked))
    for page in PAGES:
        slots = [*page.slots(view), "effects", "pattern", "ablation"]
        got, status = answers(workspace, view, slots)
        assert status["errors"] == {}
        assert set(got) == set(slots)
    for name in SLOTS:
        assert "import interp" in answers(workspace, view, [name])[0][name]["python"]


@pytest.mark.parametrize("colour", [name for name in COLOURS if name != "pattern"])
def test_every_colour_has_a_value_a_head(workspace: Workspace, model: HookedModel, colour: str) -> None:
    view = workspace.check(View(**ASKED, colour=colour))
    values = np.array(answers(workspace, view, ["heads"])[0]["heads"]["values"], dtype=float)
    assert values.shape == (model.dims.layers, model.dims.heads)


def test_edits_of_two_tabs_never_mix(workspace: Workspace, model: HookedModel) -> None:
    views = [
        workspace.check(View(**ASKED, nodes=nodes, how=how))
        for nodes, how in ((("a0.1",), "zero"), (("m0",), "mean"), (("a1.0", "a0.0"), "resample"))
    ]
    for index, view in enumerate(views):
        workspace.deliver(view, ["ablation", "lens_edited"], tab=f"tab {index}", have={})
    for index, view in enumerate(views):
        got = answers(workspace, view, ["ablation", "lens_edited"], tab=f"tab {index}")[0]["ablation"]
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


def test_long_work_waits_for_a_click_or_after_a_cancel(
    workspace: Workspace, model: HookedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    view = workspace.check(View(**ASKED))
    monkeypatch.setattr("interp_dashboard.workspace.MANY_TOKENS", 3)
    _, status = answers(workspace, view, ["effects"])
    assert f"{model.dims.layers * model.dims.heads} runs" in status["held"]["effects"]
    work = status["works"]["effects"]
    approved = workspace.deliver(view, ["effects"], tab="one", have={}, approved=[work])
    assert approved.status["held"] == {}
    stopped = workspace.deliver(view, ["zero", "lens"][1:], tab="two", have={}, stopped=[work])
    assert stopped.status["held"] == {}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"clean": ""}, "empty"),
        ({"clean": "a " * 200, "corrupted": ""}, "exceeds the 64"),
        ({"corrupted": "When"}, "differ in length"),
        ({"answer": " cabinets of drink"}, "tokens; use one"),
        ({"contrast": " Mary"}, "always zero"),
        ({"clean": "a\0b"}, "NUL"),
        ({"clean": "a\ud800b"}, "surrogate"),
    ],
)
def test_bad_questions(workspace: Workspace, change: dict[str, Any], says: str) -> None:
    view = View(**ASKED | change)
    with pytest.raises(QuestionError, match=says) as caught:
        workspace.check(view)
    assert "\n" not in str(caught.value)


def test_an_offer_is_one_token(workspace: Workspace, model: HookedModel) -> None:
    with pytest.raises(QuestionError) as caught:
        workspace.check(replace(View(**ASKED), answer=" Mary John", contrast=""))
    assert caught.value.offers
    for field, text in caught.value.offers:
        assert field == "answer"
        assert len(model.encode_continuation(text)) == 1


def test_an_empty_answer_is_the_models_first_choice(workspace: Workspace, model: HookedModel) -> None:
    view = workspace.check(replace(View(**ASKED), corrupted="", answer="", contrast=""))
    best = int(model.logits(interp.Prompts.of(model, view.clean))[0, -1].argmax())
    assert view.answer == model.token_label(best)


@pytest.mark.parametrize("kind", ["csv", "html", "png", "svg"])
@pytest.mark.parametrize(("slot", "variant"), EXPORTS)
def test_every_slot_exports(workspace: Workspace, slot: str, variant: str, kind: str) -> None:
    view = workspace.check(View(**ASKED, nodes=("a1.1",), versus="eap-ig", channel="a0.1>q1.2~1", feature=3))
    answers(workspace, view, [f"relevance {name}" for name in view.methods] if slot == "compared" else [slot])
    file, figure = export(workspace, Export(kind, slot, variant), view)
    assert (file is None) != (figure is None)
    if kind == "csv":
        assert file["content"].count("\n") > 1


@pytest.mark.parametrize("slot", RUNS)
def test_what_has_no_file_says_so(workspace: Workspace, slot: str) -> None:
    view = workspace.check(View(**ASKED))
    answers(workspace, view, [slot])
    with pytest.raises(InterpError, match="copy its Python"):
        export(workspace, Export("csv", slot), view)


def test_probabilities_survive_their_encoding() -> None:
    values = np.random.default_rng(0).random((3, 5, 5))
    for kind, error in (("uint8", 1 / 510), ("uint16", 1 / 131070)):
        raw = np.frombuffer(base64.b64decode(encode(values, kind)), dtype=kind)
        assert np.abs(raw.reshape(values.shape) / np.iinfo(kind).max - values).max() <= error + 1e-7


@pytest.mark.parametrize("width", [3, 32, 33, 100])
def test_small_patterns_keep_the_brightest_of_each_block(width: int) -> None:
    values = np.random.default_rng(0).random((2, width, width))
    small = pooled(values, 32)
    side = min(width, 32)
    assert small.shape == (2, side, side)
    for row in range(0, side, 7):
        for column in range(0, side, 5):
            top, bottom, left, right = (int(i * width / side) for i in (row, row + 1, column, column + 1))
            assert (small[:, row, column] == values[:, top:bottom, left:right].max((1, 2))).all()


@pytest.mark.parametrize("family", ["bert-classifier", "bert-masked", "gpt2"])
def test_a_model_of_any_kind_opens_with_a_question_that_it_can_answer(tiny, family):
    """Opened by its bare address, without a word of complaint, whatever the worked example would have asked."""
    workspace = Workspace(tiny(family))
    try:
        opened, notice, *_ = _open(workspace, "")
        assert notice == {"text": "", "form": False}
        assert workspace.check(View.from_dict(opened["view"])).answer
    finally:
        workspace.runner.close()

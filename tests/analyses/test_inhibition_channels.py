"""Lists have the answer that their words give; the study measures what plain runs give, and fills its document."""

import re

import numpy as np
import pytest
from numpy.testing import assert_allclose

from analyses.inhibition_channels import lists as lists_module
from analyses.inhibition_channels import run
from analyses.inhibition_channels.lists import lists
from interp import tasks
from interp.core.errors import TargetError
from interp.geometry import channel_ablation
from interp.geometry.channel_ablation import Channel

SOME = ("store", "gave", "drink", "book", "keys", "cabinet", "lent")


@pytest.fixture
def model(tiny, monkeypatch):
    monkeypatch.setattr(lists_module, "ITEMS", SOME)
    monkeypatch.setattr(lists_module, "TEMPLATES", ("{all}, {name} took {taken} and the", "{all}; not {taken} the"))
    monkeypatch.setattr(run, "MOVERS", ("q2.0", "q2.3"))
    monkeypatch.setattr(run, "PAIRS", (("a1.2", "q2.0"), ("a1.2", "q2.3"), ("a1.0", "v2.1")))
    monkeypatch.setattr(run, "LENGTHS", (2, 3))
    return tiny("llama")


def test_the_answer_is_the_item_named_once(model):
    found = lists(model, items=3, n=12)
    places = []
    for text, tokens in zip(found.prompts.texts, found.items.tolist(), strict=True):
        named = [word for word in re.findall(r"\w+", text) if word in SOME]
        once = [word for word in named if named.count(word) == 1]
        assert len(named) == 5
        assert once == [model.token_label(tokens[0]).strip()]
        assert {model.token_label(token).strip() for token in tokens[1:]} == set(named) - set(once)
        places.append(named.index(once[0]))
    assert [places.count(place) for place in range(3)] == [4, 4, 4]
    assert len(set(found.prompts.texts)) == 12
    with pytest.raises(TargetError, match="needs 20"):
        lists(model, items=20, n=1)


def test_margins_are_over_the_largest_other(model):
    found = lists(model, items=3, n=4)
    logits = model.run(found.prompts, answer=found.prompts.metric).logits
    for row, (answer, *others) in enumerate(found.items.tolist()):
        assert found.margin(logits)[row] == logits[row][answer] - max(logits[row][other] for other in others)


def test_effects_are_those_of_channel_ablation(model):
    pairs = tasks.ioi(model, n=2)
    runs = run.Runs(model, pairs.clean, pairs.metric.of_rows)
    ends = {"sender": "a1.2", "receiver": "q2.0", "components": (1, 4)}
    expected = channel_ablation(model, pairs, **ends, factor=3.0).data
    assert_allclose(runs.clean, expected.clean, atol=1e-5)
    assert_allclose(runs.effect([Channel(*ends.values())], 3.0), expected.effect, atol=1e-5)


def test_the_strongest_channel_of_every_pair(model):
    found = run.strongest_channels(model)
    assert list(found.index) == list(run.PAIRS)
    assert (found["channel_score"] >= found["score"]).all()  # a head's score is a mean of its channels'
    assert np.isfinite(found["null_sd"]).all()


def test_the_document_is_filled(model, checkpoint, tmp_path):
    document = tmp_path / "README.md"
    document.write_text("<!-- tables -->\n<!-- end of tables -->\n")
    folder = str(checkpoint("llama"))
    places = ["--readme", str(document), "--out", str(tmp_path)]
    run.main(["--model", folder, "--n", "2", "--lists", "2", "--controls", "2", *places])
    assert "change of the logit difference" in (tmp_path / "scaling.html").read_text()
    text = document.read_text()
    assert all(f"| {sender} → {receiver} |" in text for sender, receiver in run.PAIRS)
    assert text.count("\n| ") == 2 * 3 + 3 + len(run.FACTORS) + 2

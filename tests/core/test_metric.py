"""The metric, against values worked out by hand."""

import math
from dataclasses import replace

import pytest
import torch

from interp.core.errors import TargetError
from interp.core.metric import Metric, answer_id
from interp.core.prompts import Prompts

# Two prompts of three positions over a vocabulary of four; the first is read at position 1, the second at 2.
LOGITS = torch.tensor(
    [
        [[9.0, 9, 9, 9], [0, math.log(2), math.log(3), math.log(4)], [9, 9, 9, 9]],
        [[9.0, 9, 9, 9], [9, 9, 9, 9], [math.log(5), math.log(1), math.log(3), math.log(1)]],
    ],
    dtype=torch.float64,
)
# Probabilities: .1 .2 .3 .4 and .5 .1 .3 .1.
METRIC = Metric(((3,), (0,)), ((1,), (2,)), (1, 2), ("d", "a"), ("b", "c"))
SETS = Metric(((2, 3), (0,)), ((0, 1), (1, 2, 3)), (1, 2), ("d", "a"), ("b", "c"))
LOG = math.log

EXPECTED = {
    ("logit", "one"): [LOG(4) - LOG(2), LOG(5) - LOG(3)],
    ("logprob", "one"): [LOG(0.4) - LOG(0.2), LOG(0.5) - LOG(0.3)],
    ("prob", "one"): [0.4 - 0.2, 0.5 - 0.3],
    ("logit", "alone"): [LOG(4), LOG(5)],
    ("logprob", "alone"): [LOG(0.4), LOG(0.5)],
    ("prob", "alone"): [0.4, 0.5],
    # A set's logit or log-probability is the mean over it, its probability the sum.
    ("logit", "sets"): [(LOG(3) + LOG(4)) / 2 - LOG(2) / 2, LOG(5) - LOG(3) / 3],
    ("logprob", "sets"): [
        (LOG(0.3) + LOG(0.4)) / 2 - (LOG(0.1) + LOG(0.2)) / 2,
        LOG(0.5) - (LOG(0.1) + LOG(0.3) + LOG(0.1)) / 3,
    ],
    ("prob", "sets"): [0.7 - 0.3, 0.5 - 0.5],
}
ASKED = {"one": METRIC, "alone": replace(METRIC, contrasts=None, contrast_labels=None), "sets": SETS}


@pytest.mark.parametrize(("scale", "asked"), EXPECTED)
def test_by_hand(scale, asked):
    metric = replace(ASKED[asked], scale=scale)
    expected = pytest.approx(EXPECTED[scale, asked], abs=1e-12)
    assert metric(LOGITS).tolist() == expected
    assert metric.of_rows(torch.stack([LOGITS[0, 1], LOGITS[1, 2]])).tolist() == expected


@pytest.mark.parametrize("scale", ["logit", "logprob", "prob"])
def test_higher_is_better_and_contrast_turns_the_sign(scale):
    metric = replace(METRIC, scale=scale)
    turned = replace(metric, targets=metric.contrasts, contrasts=metric.targets)
    assert (metric(LOGITS) > 0).all()
    assert metric(LOGITS).tolist() == pytest.approx((-turned(LOGITS)).tolist())
    better = LOGITS.clone()
    better[0, 1, 3] += 1
    assert metric(better)[0] > metric(LOGITS)[0]
    assert metric(better)[1] == metric(LOGITS)[1]


def test_rows_may_repeat():
    picked = METRIC.select([1, 0, 1, 1])
    assert len(picked) == 4
    assert picked(LOGITS[[1, 0, 1, 1]]).tolist() == METRIC(LOGITS)[[1, 0, 1, 1]].tolist()
    assert picked.target_labels == ("a", "d", "a", "a")
    alone = ASKED["alone"].select([1, 1])
    assert alone.contrasts is None
    assert alone.contrast_labels is None


def test_a_classifier_has_no_positions(tiny):
    model = tiny("bert-classifier")
    prompts = Prompts.of(model, ["the keys", "the"], target="LABEL_2", contrast="LABEL_0")
    metric = prompts.metric
    assert metric is not None
    assert metric.positions is None
    logits = model.logits(prompts)
    assert metric(logits).tolist() == pytest.approx([row[2] - row[0] for row in logits.tolist()])
    assert metric.select([1, 1])(logits[[1, 1]])[0] == metric(logits)[1]
    with pytest.raises(TargetError, match="has no class 'good'; choose one of LABEL_0, LABEL_1, LABEL_2"):
        Prompts.of(model, "the", target="good")


def test_agrees_with_the_model(tiny):
    model = tiny("llama")
    prompts = Prompts.of(model, ["The keys to", "The"], target=[" are", " is"], contrast=" Mary")
    are, is_, mary = (model.encode_continuation(text) for text in (" are", " is", " Mary"))
    logits = model.logits(prompts).double()
    expected = [(logits[0, 2, are] - logits[0, 2, mary]).item(), (logits[1, 0, is_] - logits[1, 0, mary]).item()]
    assert prompts.metric is not None
    assert prompts.metric(logits).tolist() == pytest.approx(expected)


@pytest.mark.parametrize(("scale", "unit"), [("logit", "logits"), ("logprob", "nats"), ("prob", "probability")])
def test_unit_and_label(scale, unit):
    metric = replace(METRIC, scale=scale)
    assert metric.unit == unit
    assert metric.label == f"{scale}(answer) − {scale}(contrast)"
    assert metric.select([0]).label == metric.select([0, 0]).label == f'{scale}("d") − {scale}("b")'
    assert replace(ASKED["alone"], scale=scale).select([1]).label == f'{scale}("a")'


def test_reading_asks_nothing():
    reading = Metric.reading([1, 2])
    assert len(reading) == 2
    assert reading.at_answer(LOGITS).tolist() == [LOGITS[0, 1].tolist(), LOGITS[1, 2].tolist()]
    assert Metric.reading([1], pooled=True).positions is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            " Mary and John",
            "the answer ' Mary and John' is 3 tokens long; give a single token, such as its first: ' Mary'",
        ),
        ("", "the answer is empty; give one token, such as ' Mary' with its leading space"),
        ("🗝️", "the answer '🗝️' is .* tokens long; give a single token, such as its first"),
    ],
)
def test_an_answer_is_one_token(tiny, text, message):
    model = tiny("llama")
    with pytest.raises(TargetError, match=message):
        answer_id(model, text)
    with pytest.raises(TargetError, match=message.replace("answer", "contrast", 1)):
        Prompts.of(model, "The keys", target=" are", contrast=text)


def test_the_first_token_that_is_offered_is_taken(tiny):
    model = tiny("llama")
    assert answer_id(model, " Mary") == model.encode(" Mary and John")[0]

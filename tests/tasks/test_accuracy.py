"""Task accuracy against a plain loop over prompts."""

import numpy as np
import pytest
import torch

from interp import tasks
from interp.core.errors import OptionError, TargetError
from interp.core.progress import reporting
from interp.core.prompts import PromptPairs, Prompts


def some_logits(prompts):
    """Logits that depend on the prompt alone, not on its batch."""
    seeds = [int(row[keep].sum()) for row, keep in zip(prompts.tokens, prompts.mask, strict=True)]
    rows = [torch.randn(700, generator=torch.Generator().manual_seed(seed)) for seed in seeds]
    return torch.stack(rows)[:, None].expand(-1, prompts.width, -1)


@pytest.mark.parametrize("batch_size", [1, 4, 7, 100])
def test_batches_do_not_matter(words, batch_size):
    model = words(answer=some_logits)
    pairs = tasks.ioi(model, n=11)
    result = tasks.task_accuracy(model, pairs, batch_size=batch_size)
    assert pairs.metric is not None
    assert pairs.metric.contrasts is not None
    expected = []
    for row in range(11):
        logits = some_logits(pairs.clean[[row]])[0, -1]
        expected.append(float(logits[pairs.metric.targets[row][0]] - logits[pairs.metric.contrasts[row][0]]))
    np.testing.assert_allclose(result.values("difference"), expected, rtol=1e-6)
    np.testing.assert_array_equal(result.values("correct"), np.array(expected) > 0)
    assert sum(model.batches) == 11
    assert max(model.batches) <= batch_size


def test_summary_gives_the_share_and_the_mean(words, tmp_path):
    model = words(answer=some_logits)
    result = tasks.task_accuracy(model, tasks.ioi(model, n=20))
    means = result.summary().iloc[0]
    assert means["difference"] == pytest.approx(float(result.values("difference").mean()))
    assert means["correct"] == float((result.values("difference") > 0).mean())
    assert means["correct_low"] <= means["correct"] <= means["correct_high"]
    assert type(result).load(result.save(tmp_path / "accuracy")).data.identical(result.data)


def test_a_draw_is_not_right(words):
    model = words()  # all logits equal
    assert not tasks.task_accuracy(model, tasks.ioi(model, n=3)).values("correct").any()


def test_a_contrast_is_needed(words):
    with pytest.raises(TargetError, match="give a contrast"):
        tasks.task_accuracy(words(), "Mary went", target=" home")


def test_batch_size_is_at_least_one(words):
    with pytest.raises(OptionError, match="batch_size = 0"):
        tasks.task_accuracy(words(), "Mary went", target=" home", contrast=" away", batch_size=0)


def test_progress_is_told(words):
    model, steps = words(), []
    prompts = tasks.ioi(model, n=10)
    with reporting(lambda label, done, total: steps.append((done, total))):
        tasks.task_accuracy(model, prompts, batch_size=4)
    assert steps == [(0, 3), (1, 3), (2, 3), (3, 3)]


def test_padded_prompts_and_pairs_agree_with_single_prompts(tiny):
    """Only the clean side counts, and padding changes nothing."""
    model = tiny("llama")
    texts = ["When Mary and John went to the store, John gave a drink to", "The keys to the cabinet"]
    answers = {"target": [" Mary", " are"], "contrast": [" John", " is"]}
    prompts = Prompts.of(model, texts, **answers)
    together = tasks.task_accuracy(model, prompts).values("difference")
    paired = tasks.task_accuracy(model, PromptPairs(prompts, prompts)).values("difference")
    alone = [
        float(tasks.task_accuracy(model, text, target=right, contrast=wrong).values("difference")[0])
        for text, right, wrong in zip(texts, *answers.values(), strict=True)
    ]
    np.testing.assert_allclose(together, alone, atol=1e-5)
    np.testing.assert_allclose(paired, together)


def test_classifiers_can_be_measured_on_their_classes(tiny):
    model = tiny("bert-classifier")
    right, wrong = model.class_names[:2]
    result = tasks.task_accuracy(model, "Mary went to the store", target=right, contrast=wrong)
    logits = model.logits(Prompts.of(model, "Mary went to the store"))[0]
    assert float(result.values("difference")[0]) == pytest.approx(float(logits[0] - logits[1]), abs=1e-5)

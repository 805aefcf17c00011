"""What every task keeps: alignment, one-token answers, determinism, clear refusals."""

import pytest
from tiny import FAMILIES

from interp import tasks
from interp.core.errors import EngineError, OptionError, PromptError, TargetError
from interp.core.metric import Metric
from interp.core.prompts import PromptPairs
from interp.tasks import TASKS, TaskSpec

CAUSAL = [family for family in FAMILIES if not family.startswith("bert")]
VARIANTS = [
    ("ioi", {}),
    ("ioi", {"corruption": "s2-third", "order": "ABBA"}),
    ("ioi", {"corruption": "abc", "order": "BABA"}),
    ("subject-verb-agreement", {}),
    ("subject-verb-agreement", {"verb": "lexical", "attractor": "same"}),
    ("subject-verb-agreement", {"verb": "was", "attractor": "none"}),
    ("greater-than", {}),
    ("induction", {}),
    ("induction", {"length": 5}),
    ("docstring", {}),
    ("docstring", {"corruption": "random-definition"}),
    ("docstring", {"corruption": "random-docstring"}),
    ("facts", {}),
    ("facts", {"relation": "any"}),
]
OF_TEXT = [task for task in TASKS if task.name != "program"]  # which compiled models alone can be asked
every_task = pytest.mark.parametrize("task", OF_TEXT, ids=lambda task: task.name)
every_variant = pytest.mark.parametrize(("name", "options"), VARIANTS, ids=str)


def asked(pairs: PromptPairs) -> Metric:
    assert pairs.metric is not None
    assert pairs.metric.contrasts is not None
    return pairs.metric


def check_pairs(model, pairs, n):
    """Aligned, different, asked at the last token, right and wrong answers disjoint single tokens."""
    metric = asked(pairs)
    assert len(pairs) == len(metric) == n
    assert len({tuple(row[keep].tolist()) for row, keep in zip(pairs.clean.tokens, pairs.clean.mask, strict=True)}) == n
    assert (pairs.clean.mask == pairs.corrupted.mask).all()
    assert (pairs.clean.tokens != pairs.corrupted.tokens).any(-1).all()
    assert metric.positions == tuple(int(keep.sum()) - 1 for keep in pairs.clean.mask)
    for right, wrong in zip(metric.targets, metric.contrasts or (), strict=True):
        assert right
        assert wrong
        assert not set(right) & set(wrong)
        assert all(0 <= token < model.vocabulary_size for token in right + wrong)


@every_variant
def test_pairs_are_aligned_and_their_answers_are_tokens(words, name, options):
    model = words()
    check_pairs(model, tasks.find(name)(model, n=40, **options), 40)


@every_task
def test_same_seed_gives_the_same_prompts(words, task: TaskSpec):
    first, again, other = (task(words(), n=8, seed=seed) for seed in (3, 3, 4))
    assert first.hash == again.hash
    assert first.clean.texts == again.clean.texts
    assert first.metric == again.metric
    assert first.hash != other.hash


@every_task
def test_more_prompts_begin_with_the_same(words, task: TaskSpec):
    """A larger n only adds: results on the first prompts stay comparable."""
    longer, shorter = (task(words(), n=n) for n in (12, 5))
    assert longer[:5].hash == shorter.hash
    assert asked(longer[:5]) == asked(shorter)


@every_task
@pytest.mark.parametrize("family", CAUSAL)
def test_a_small_vocabulary_gives_prompts_or_one_clear_line(tiny, family: str, task: TaskSpec):
    model = tiny(family)
    refusal = ""
    try:
        check_pairs(model, task(model, n=6), 6)
    except (TargetError, PromptError) as error:
        refusal = str(error)
    assert not refusal or (model.name in refusal and "\n" not in refusal)


@pytest.mark.parametrize("family", CAUSAL)
@pytest.mark.parametrize("name", ["ioi", "subject-verb-agreement", "induction"])
def test_tiny_models_can_be_asked_the_common_tasks(tiny, family: str, name: str):
    assert len(tasks.find(name)(tiny(family), n=6)) == 6


@every_task
@pytest.mark.parametrize(
    ("family", "reason"), [("bert-masked", "masked language model"), ("bert-classifier", "classifier")]
)
def test_models_that_do_not_continue_text_are_refused(tiny, task: TaskSpec, family: str, reason: str):
    with pytest.raises(EngineError, match=f"{task.name} does not support .*{reason}.*causal"):
        task(tiny(family))


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_names_reach_the_records(task: TaskSpec):
    assert tasks.find(task.name) is task
    assert getattr(tasks, task.name.replace("-", "_")) is task
    assert task.summary
    assert task.source


def test_an_unknown_task_lists_those_there_are():
    with pytest.raises(OptionError, match="no task 'iou'; choose one of ioi, subject-verb-agreement, greater-than"):
        tasks.find("iou")


def test_bad_options_are_named(words):
    with pytest.raises(OptionError, match="ioi, corruption = 'swap'"):
        tasks.ioi(words(), corruption="swap")
    with pytest.raises(OptionError, match="ioi has no option 'colour'; it has corruption, order"):
        tasks.ioi(words(), colour="red")
    with pytest.raises(OptionError, match="n = 0"):
        tasks.ioi(words(), n=0)
    with pytest.raises(OptionError, match=r"length = 300.*600 tokens.*512"):
        tasks.induction(words(), length=300)


def test_exhausted_templates_say_how_many_there_are(words):
    with pytest.raises(PromptError, match=r"only \d+ different prompts .* not 5000; request fewer"):
        tasks.facts(words(), n=5000)


def test_prompts_longer_than_the_context_are_not_made(words):
    with pytest.raises(PromptError, match="fit the context of 20 tokens"):
        tasks.docstring(words(context=20), n=2)
    assert tasks.ioi(words(context=17), n=8).clean.width <= 17


@every_task
@pytest.mark.real_model
def test_answers_are_the_tokens_that_would_follow(real_model, task: TaskSpec):
    """Written after its prompt, a right answer is the one more token that the metric asks for."""
    pairs = task(real_model, n=30)
    check_pairs(real_model, pairs, 30)
    if task.name == "induction":
        return
    for text, answers in zip(pairs.clean.texts, asked(pairs).targets, strict=True):
        for answer in answers:
            assert real_model.encode(text + real_model.token_label(answer)) == [*real_model.encode(text), answer]


@pytest.mark.real_model
@pytest.mark.parametrize(
    ("name", "n", "least"),
    [
        ("ioi", 60, 0.95),
        ("subject-verb-agreement", 60, 0.85),
        ("greater-than", 30, 0.95),
        ("induction", 30, 0.95),
        ("docstring", 24, 0.9),
        ("facts", 40, 0.9),
    ],
)
def test_the_default_model_has_the_behaviour(real_model, name: str, n: int, least: float):
    """Right far more often than chance, whose 99.9 % bound is 0.80 of 24; and the mean is surely positive."""
    means = tasks.task_accuracy(real_model, tasks.find(name)(real_model, n=n)).summary().iloc[0]
    assert means["correct"] >= least
    assert means["difference_low"] > 0

"""What the form proposes, over a tiny model and the real one, without a browser."""

import contextlib
from typing import Any

import pytest
from delivering import ASKED
from interp_dashboard import questions
from interp_dashboard.app import _answerable
from interp_dashboard.state import View, plain
from interp_dashboard.workspace import Workspace

from interp import groundtruth, tasks
from interp.core.errors import InterpError
from interp.models import HookedModel

OF_TEXT = [task for task in tasks.TASKS if task.name != "program"]
PARIS = {" Paris": [1], "Paris": [2, 3], "London": [4], " London": [5], " Bern": [6, 7], "Bern": [8], "9": [9]}


class Spelling:
    """A tokenizer that knows a few words."""

    is_classifier = False

    def encode_continuation(self, text: str) -> list[int]:
        return PARIS.get(text, [0, 0])


@pytest.mark.parametrize(
    ("clean", "answer", "offered", "says"),
    [
        ("The capital is", "Paris", " Paris", "“Paris” is 2 tokens"),
        ("The capital is", "London", " London", "“London” is another token"),
        ("The capital is", " Paris", None, ""),
        ("The capital is", "Bern", None, ""),  # several tokens with its space
        ("The capital is ", "Paris", None, ""),
        ("The capital is “", "Paris", None, ""),
        ("17", "9", None, ""),  # a digit goes on with the number
        ("The capital is", "", None, ""),
    ],
)
def test_a_word_without_its_space(clean: str, answer: str, offered: str | None, says: str) -> None:
    model: Any = Spelling()
    for field in ("answer", "contrast"):
        text, offers = questions.hints(model, clean, **{field: answer})
        assert offers == ([] if offered is None else [(field, offered)])
        assert says in text
        assert bool(text) == bool(offered)


def asked_as_the_task_asks(workspace: Workspace, name: str, seed: int) -> None:
    """The page reads the tokens that the task has, and its answers are among the task's."""
    model = workspace.model
    question, _ = questions.example(model, name, seed)
    assert questions.example(model, name, seed)[0] == question
    several = name in ("induction", "program")  # not every one can be written, or is asked at the end
    pairs = tasks.find(name)(model, n=questions.DRAWN if several else 1, seed=seed)
    row = pairs.clean.texts.index(question["clean"])
    asked = workspace.check(ASKED | question | {"layer": None, "head": None})
    assert asked.tokens == pairs.clean.labels[row]
    assert asked.corrupted == pairs.corrupted.labels[row]
    assert pairs.metric is not None
    assert pairs.metric.contrasts is not None
    for text, tokens in ((question["answer"], pairs.metric.targets), (question["contrast"], pairs.metric.contrasts)):
        assert model.encode_continuation(text)[0] in tokens[row]


def test_examples_of_the_tasks_that_a_tiny_model_can_be_asked(workspace: Workspace, model: HookedModel) -> None:
    names = [name for name, _ in questions.examples(model)]
    assert names == [questions.WORKED, *(task.name for task in OF_TEXT)]
    fitting = 0
    for name in names[1:]:
        with contextlib.suppress(InterpError):
            questions.example(model, name, 0)
            asked_as_the_task_asks(workspace, name, 0)
            fitting += 1
    assert fitting


@pytest.mark.parametrize("name", ["reverse", "sort", "dyck1"])
def test_a_compiled_program_is_asked_what_it_computes(name: str) -> None:
    workspace = Workspace(groundtruth.load(name))
    assert [task for task, _ in questions.examples(workspace.model)] == [questions.WORKED, "program"]
    for seed in range(3):
        asked_as_the_task_asks(workspace, "program", seed)
    checked, problem = _answerable(workspace, plain(View()))
    assert not problem
    assert checked.tokens[0] == "BOS"
    workspace.close()


@pytest.mark.real_model
@pytest.mark.parametrize("task", OF_TEXT, ids=lambda task: task.name)
def test_examples_of_every_task(real_model: HookedModel, task: tasks.TaskSpec) -> None:
    workspace = Workspace(real_model)
    for seed in range(3):
        asked_as_the_task_asks(workspace, task.name, seed)
    workspace.close()

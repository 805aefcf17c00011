"""The job runner: order, sharing, cancelling, failing, forgetting."""

import threading
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from interp_dashboard.work import Failure, Runner

from interp.core.errors import InterpError, PromptError
from interp.core.progress import track


@pytest.fixture
def runner() -> Iterator[Runner]:
    made = Runner()
    yield made
    made.close()


def submit(runner: Runner, key: str, run: Callable[[], object], *, quick: bool = True, watcher: str = "one") -> None:
    runner.submit(key, run, label=key, quick=quick, watcher=watcher)


def test_two_tabs_share_one_run(runner: Runner) -> None:
    gate, runs = threading.Event(), []

    def work() -> str:
        gate.wait(10)
        runs.append(1)
        return "answer"

    submit(runner, "key", work, watcher="one")
    submit(runner, "key", work, watcher="two")
    gate.set()
    runner.wait(["key"], 10)
    submit(runner, "key", work, watcher="three")
    assert runner.find("key") == "answer"
    assert runs == [1]


def test_quick_work_goes_between_the_steps_of_long_work(runner: Runner) -> None:
    started, gate, order = threading.Event(), threading.Event(), []

    def long() -> str:
        for step in track(range(3), 3, "steps"):
            order.append(f"long {step}")
            started.set()
            gate.wait(10)
        return "long"

    submit(runner, "long", long, quick=False)
    started.wait(10)
    submit(runner, "quick", lambda: order.append("quick") or "quick")
    gate.set()
    runner.wait(["long", "quick"], 10)
    assert order == ["long 0", "quick", "long 1", "long 2"]


def test_quick_work_is_never_nested_in_quick_work(runner: Runner) -> None:
    """A quick job may hold edits while it reports progress; nothing else may run then."""
    started, gate, order = threading.Event(), threading.Event(), []

    def first() -> str:
        for step in track(range(2), 2, "steps"):
            order.append(f"first {step}")
            started.set()
            gate.wait(10)
        return "first"

    submit(runner, "first", first)
    started.wait(10)
    submit(runner, "second", lambda: order.append("second") or "second")
    gate.set()
    runner.wait(["first", "second"], 10)
    assert order == ["first 0", "first 1", "second"]


def test_work_that_nobody_waits_for_is_cancelled(runner: Runner) -> None:
    started, gate, steps = threading.Event(), threading.Event(), []

    def long() -> str:
        for step in track(range(100), 100, "steps"):
            steps.append(step)
            started.set()
            gate.wait(10)
        return "done"

    submit(runner, "long", long, quick=False, watcher="one")
    submit(runner, "long", long, quick=False, watcher="two")
    started.wait(10)
    runner.keep_only("one", [])
    assert [job.key for job in runner.progress("two")] == ["long"]
    runner.keep_only("two", [])
    gate.set()
    runner.wait(["long"], 10)
    assert runner.find("long") is None
    assert len(steps) == 1
    submit(runner, "long", lambda: "again", watcher="one")
    runner.wait(["long"], 10)
    assert runner.find("long") == "again"


def test_a_failure_becomes_one_line_and_the_runner_goes_on(runner: Runner) -> None:
    def bad() -> None:
        raise PromptError("the prompt is empty; enter some text")

    def worse() -> None:
        raise ValueError("first line\nsecond line")

    submit(runner, "bad", bad)
    submit(runner, "worse", worse)
    runner.wait(["bad", "worse"], 10)
    assert str(runner.find("bad")) == "the prompt is empty; enter some text"
    assert str(runner.find("worse")) == "worse failed: ValueError: first line"
    assert runner.result("good", lambda: 3, label="good") == 3
    with pytest.raises(InterpError, match="empty"):
        runner.result("bad", bad, label="bad")


def test_a_failure_is_kept_until_another_try_is_asked_for(runner: Runner) -> None:
    full = True

    def save() -> str:
        if full:
            raise InterpError("the disk is full; free some space")
        return "saved"

    submit(runner, "save", save)
    runner.wait(["save"], 10)
    full, failed = False, runner.find("save")
    assert isinstance(failed, Failure)
    submit(runner, "save", save)
    runner.forget([failed.number + 1])
    assert runner.find("save") is failed
    runner.forget([failed.number])
    assert runner.find("save") is None
    submit(runner, "save", save)
    runner.wait(["save"], 10)
    runner.forget([failed.number])
    assert runner.find("save") == "saved"


def test_the_oldest_answers_are_forgotten_first() -> None:
    class Big:
        data = np.zeros(1000)

    runner = Runner(limit=20_000)
    for key in "abc":
        submit(runner, key, Big)
        runner.wait([key], 10)
        runner.find("a")
    assert runner.find("a") is not None
    assert runner.find("b") is None
    assert runner.find("c") is not None
    runner.close()

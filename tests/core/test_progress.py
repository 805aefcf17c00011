"""Progress: who watches sees every step, and may stop the work."""

import threading

import pytest

from interp.core.errors import Cancelled
from interp.core.progress import reporting, track


def test_every_step_is_told_and_every_item_passes():
    seen = []
    with reporting(lambda *step: seen.append(step)):
        assert list(track("abc", 3, "letters")) == ["a", "b", "c"]
    assert seen == [("letters", 0, 3), ("letters", 1, 3), ("letters", 2, 3), ("letters", 3, 3)]


def test_loops_inside_loops():
    seen = []
    with reporting(lambda *step: seen.append(step)):
        for _ in track(range(2), 2, "outer"):
            list(track(range(1), 1, "inner"))
    inner = [("inner", 0, 1), ("inner", 1, 1)]
    assert seen == [("outer", 0, 2), *inner, ("outer", 1, 2), *inner, ("outer", 2, 2)]


def test_nobody_watches():
    assert list(track(iter("ab"), 2, "x")) == ["a", "b"]


@pytest.mark.parametrize("step", [0, 1, 2])
def test_cancelled_at_any_step(step):
    """The loop stops there, its own clean-up runs, and the next run is not watched."""
    done, closed = [], []

    def report(label, at, total):
        if at == step:
            raise Cancelled("cancelled")

    def work():
        try:
            for item in track(range(3), 3, "work"):
                done.append(item)
        finally:
            closed.append(True)

    with pytest.raises(Cancelled), reporting(report):
        work()
    assert done == list(range(step))
    assert closed == [True]
    assert list(track(range(3), 3, "work")) == [0, 1, 2]


def test_cancelled_in_a_loop_inside():
    def report(label, at, total):
        if (label, at) == ("inner", 1):
            raise Cancelled("cancelled")

    outer = []

    def work():
        for item in track(range(3), 3, "outer"):
            outer.append(item)
            list(track(range(3), 3, "inner"))

    with pytest.raises(Cancelled), reporting(report):
        work()
    assert outer == [0]


def test_the_inner_watcher_hides_the_outer_one():
    first, second = [], []
    with reporting(lambda *step: first.append(step)):
        with reporting(lambda *step: second.append(step)):
            list(track("a", 1, "x"))
        list(track("a", 1, "y"))
    assert [label for label, *_ in first] == ["y", "y"]
    assert [label for label, *_ in second] == ["x", "x"]


def test_two_threads_are_watched_apart():
    seen: dict[str, list[str]] = {"a": [], "b": []}
    together = threading.Barrier(2)

    def work(name):
        with reporting(lambda label, at, total: seen[name].append(label)):
            for _ in track(range(20), 20, name):
                together.wait(5)

    threads = [threading.Thread(target=work, args=(name,)) for name in seen]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == {"a": ["a"] * 21, "b": ["b"] * 21}

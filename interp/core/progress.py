"""Progress and cancellation, without an engine knowing who watches.

An engine wraps its loop in `track`. Whoever wants to see or stop the work (a terminal, the dashboard's job runner)
installs a reporter with `reporting`; with none installed the loop runs silently.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from threading import Lock
from typing import TypeVar

Item = TypeVar("Item")
Reporter = Callable[[str, int, int], None]

_reporter: ContextVar[Reporter | None] = ContextVar("reporter", default=None)


@contextmanager
def reporting(reporter: Reporter) -> Iterator[None]:
    """Send every step of `track` to `reporter(label, done, total)`; it may raise `Cancelled` to stop the work."""
    token = _reporter.set(reporter)
    try:
        yield
    finally:
        _reporter.reset(token)


def tell(label: str, done: int, total: int) -> None:
    """Tell the installed reporter, if there is one, how far a piece of work is."""
    report = _reporter.get()
    if report is not None:
        report(label, done, total)


class Counter:
    """Adds up a piece of work of which several threads do parts, and tells the reporter of the thread that made it."""

    def __init__(self, label: str, total: int) -> None:
        self._label, self._total, self._done = label, total, 0
        self._report, self._lock = _reporter.get(), Lock()

    def add(self, amount: int) -> None:
        """Tell that `amount` more is done; raises what the reporter raises."""
        if self._report is not None:
            with self._lock:
                self._done += amount
                self._report(self._label, self._done, self._total)


def track(items: Iterable[Item], total: int, label: str, *, first: int = 0, each: int = 1) -> Iterator[Item]:
    """Yield `items`, telling the installed reporter before the first and after each.

    An item counts as `each` of the `total`, of which `first` were done before.
    """
    tell(label, first, total)
    for done, item in enumerate(items, start=1):
        yield item
        tell(label, first + done * each, total)

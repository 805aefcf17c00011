"""The job runner: one thread for everything that runs the model, separate from those that serve the pages."""

import hashlib
import itertools
import json
import logging
import sys
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import Any

from plotly.utils import PlotlyJSONEncoder

from interp.core.errors import Cancelled, InterpError, in_words
from interp.core.progress import reporting

log = logging.getLogger(__name__)


@dataclass(eq=False)
class Job:
    """One question in progress. `watchers` are the tabs that wait for it; with none left it is cancelled."""

    key: Hashable
    label: str
    run: Callable[[], Any]
    quick: bool
    watchers: set[str]
    order: tuple[int, int]
    done: int = 0
    total: int = 0
    cancelled: bool = False


@dataclass(frozen=True)
class Failure:
    """What remains of a failed job: one line for the page, and a number by which it can be retried."""

    line: str
    number: int

    def __str__(self) -> str:
        return self.line


@dataclass(frozen=True)
class ShortName:
    """A key that stands for the cached answer with this short name."""

    name: str


class Runner:
    """Runs jobs one at a time, the quick ones first and between the steps of a long one.

    Answers are cached by question, so two tabs with the same question share one run and two with different
    questions never mix. The cache holds the most recent answers up to `limit` bytes.
    """

    def __init__(self, limit: int = 768 * 2**20) -> None:
        self._limit = limit
        self._size = 0
        self._cache: OrderedDict[Hashable, Any] = OrderedDict()
        self._names: dict[str, Hashable] = {}
        self._jobs: dict[Hashable, Job] = {}
        self._count = itertools.count()
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._work, name="interp-model", daemon=True)
        self._thread.start()

    def find(self, key: Hashable) -> Any | None:
        """The cached answer (a `Failure` if the job failed), or None."""
        with self._changed:
            if isinstance(key, ShortName):
                key = self._names.get(key.name, key)
            if key in self._cache:
                self._cache.move_to_end(key)
                return self._cache[key]
        return None

    def keep(self, key: Hashable, answer: Any) -> str:
        """Add an answer that was not computed here. Returns its short name."""
        with self._changed:
            self._drop(key)
            self._keep(key, answer)
        return short(key)

    def answers(self) -> dict[str, Any]:
        """Every cached answer by its short name, the most recently used last."""
        with self._changed:
            return {short(key): answer for key, answer in self._cache.items()}

    def forget(self, failures: Iterable[int]) -> None:
        """Drop these failures, so that their jobs can be submitted again."""
        numbers = set(failures)
        with self._changed:
            for key, answer in list(self._cache.items()):
                if isinstance(answer, Failure) and answer.number in numbers:
                    self._drop(key)

    def derive(self, key: Hashable, make: Callable[[], Any], *, label: str) -> Any:
        """What `make` derives from cached answers, computed at once on the calling thread and cached like them."""
        answer = self.find(key)
        if answer is None:
            answer = self._attempt(make, label)
            with self._changed:
                self._keep(key, answer)
        return answer

    def submit(self, key: Hashable, run: Callable[[], Any], *, label: str, quick: bool, watcher: str) -> None:
        """Request an answer; joins the job already in progress for the same key."""
        with self._changed:
            if key in self._cache:
                return
            job = self._jobs.get(key)
            if job is not None and not job.cancelled:
                job.watchers.add(watcher)
                return
            order = (0 if quick else 1, next(self._count))
            self._jobs[key] = Job(key, label, run, quick, {watcher}, order)
            self._changed.notify_all()

    def keep_only(self, watcher: str, keys: Iterable[Hashable]) -> None:
        """Unsubscribe `watcher` from every other job; a job without watchers is cancelled."""
        needed = set(keys)
        with self._changed:
            for job in list(self._jobs.values()):
                if job.key not in needed and watcher in job.watchers:
                    job.watchers.discard(watcher)
                    if not job.watchers:
                        job.cancelled = True

    def wait(self, keys: Iterable[Hashable], timeout: float) -> None:
        """Wait until every job of `keys` has ended, or `timeout` seconds have passed."""
        pending = set(keys)
        with self._changed:
            self._changed.wait_for(lambda: not pending & set(self._jobs), timeout)

    def result(self, key: Hashable, run: Callable[[], Any], *, label: str) -> Any:
        """An answer now, from the cache or as a quick job. Raises: InterpError if it failed."""
        while True:
            answer = self.find(key)
            if isinstance(answer, Failure):
                raise InterpError(str(answer))
            if answer is not None:
                return answer
            self.submit(key, run, label=label, quick=True, watcher="a request")
            self.wait([key], 600)

    def within(self, key: Hashable, run: Callable[[], Any]) -> Any:
        """An answer that a running job needs, cached or computed now. Raises: InterpError if it failed."""
        answer = self.find(key)
        if isinstance(answer, Failure):
            raise InterpError(str(answer))
        if answer is None:
            answer = run()
            with self._changed:
                self._keep(key, answer)
        return answer

    def progress(self, watcher: str) -> list[Job]:
        """The jobs that `watcher` waits for, in the order in which they will run."""
        with self._changed:
            return sorted((job for job in self._jobs.values() if watcher in job.watchers), key=lambda job: job.order)

    def close(self) -> None:
        """Cancel everything and end the thread."""
        with self._changed:
            self._closed = True
            for job in self._jobs.values():
                job.cancelled = True
            self._changed.notify_all()
        self._thread.join(timeout=30)

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closed or bool(self._jobs))
                if self._closed:
                    return
                job = min(self._jobs.values(), key=lambda job: job.order)
            self._run(job)

    def _run(self, job: Job) -> None:
        answer: Any = None
        if not job.cancelled:
            with reporting(self._reporter(job)):
                answer = self._attempt(job.run, job.label)
        with self._changed:
            if self._jobs.get(job.key) is job:
                del self._jobs[job.key]
            if answer is not None:
                self._keep(job.key, answer)
            self._changed.notify_all()

    def _attempt(self, run: Callable[[], Any], label: str) -> Any:
        """The answer, a `Failure` of one line, or None if the job was cancelled."""
        try:
            return run()
        except Cancelled:
            return None
        except Exception as error:
            cause = in_words(error)
            if cause is None:
                log.exception("%s failed", label)
            first_line = [*str(error).splitlines(), ""][0]
            line = str(cause or InterpError(f"{label} failed: {type(error).__name__}: {first_line}"))
        return Failure(line, next(self._count))

    def _reporter(self, job: Job) -> Callable[[str, int, int], None]:
        def report(label: str, done: int, total: int) -> None:
            job.done, job.total = done, total
            if job.cancelled:
                raise Cancelled(f"{job.label} was cancelled")
            if not job.quick:
                self._run_quick_ones()

        return report

    def _run_quick_ones(self) -> None:
        """Run short jobs between two steps of a long one, when no run is in progress and no edit in force."""
        while True:
            with self._changed:
                quick = [job for job in self._jobs.values() if job.quick]
                if not quick:
                    return
                job = min(quick, key=lambda job: job.order)
            self._run(job)

    def _keep(self, key: Hashable, answer: Any) -> None:
        self._cache[key] = answer
        self._names[short(key)] = key
        self._size += _bytes(answer)
        while self._size > self._limit and len(self._cache) > 1:
            self._drop(next(iter(self._cache)))

    def _drop(self, key: Hashable) -> None:
        if key in self._cache:
            self._size -= _bytes(self._cache.pop(key))
            self._names.pop(short(key), None)


def _bytes(answer: Any) -> int:
    """Its approximate size: that of a result's numbers, or of what a panel receives."""
    if isinstance(answer, dict):
        return len(json.dumps(answer, cls=PlotlyJSONEncoder))
    sizes = (getattr(holder, "nbytes", None) for holder in (answer, getattr(answer, "data", None)))
    return next((int(size) for size in sizes if size is not None), sys.getsizeof(answer))


def short(key: Hashable) -> str:
    """A short name for a key that the browser can compare."""
    return hashlib.blake2b(repr(key).encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()

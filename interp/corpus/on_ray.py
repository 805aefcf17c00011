"""Tasks shared out to Ray workers, here or on a cluster; one that dies is replaced, and its task run again."""

import os
import signal
import socket
import threading
import warnings
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Any, NoReturn, Protocol, TypeVar
from urllib.parse import urlsplit

from interp.core.errors import CorpusError, InterpError

TRIES = 3  # of a task, before the job stops
_PATIENCE = 5.0  # seconds for an address to answer


Key = TypeVar("Key")


class Worker(Protocol):
    """What works in a process of its own; what it needs is loaded with its first task, whose error it then is."""

    @property
    def work(self) -> Callable[..., Any]:
        """What gives the result of one task."""
        ...


def shared_out(
    make: Callable[[], Worker],
    tasks: Mapping[Key, Callable[[], tuple[Any, ...]]],
    failure: Callable[[Key, str], InterpError],
    workers: int,
    address: str | None,
    *,
    gpus: bool = False,
) -> Generator[tuple[Key, Any], None, None]:
    """The results of tasks, as they become ready.

    Each of `workers` (none given: one a CPU of the cluster) makes its worker once and has one task at a time, whose
    arguments are made when it is given out, so that a few at most are in memory. A Ray of our own ends with the
    generator; one that runs in this process is left as it is.
    Raises: CorpusError if Ray is not installed or does not answer; `failure(key, reason)` for a task that fails or ends
    its worker three times; what a worker refuses comes out as it is.
    """
    if not tasks:
        return
    ray = _ray(address)
    with _cluster(ray, workers, address):
        there = ray.cluster_resources()
        cpus = int(there.get("CPU", 1))
        count = min(workers or cpus, cpus, len(tasks))
        share = min(1.0, there.get("GPU", 0) / count) if gpus else 0
        kind = ray.remote(num_cpus=1, num_gpus=share, max_restarts=0)(_Remote)
        yield from _given_out(ray, lambda: kind.remote(make), count, tasks, failure)


def _given_out(
    ray: ModuleType,
    start: Callable[[], Any],
    count: int,
    tasks: Mapping[Key, Callable[[], tuple[Any, ...]]],
    failure: Callable[[Key, str], InterpError],
) -> Generator[tuple[Key, Any], None, None]:
    waiting, failures = deque(tasks), Counter[Key]()
    running: dict[Any, tuple[Any, Key]] = {}

    def give(worker: Any) -> None:
        if waiting:
            key = waiting.popleft()
            running[worker.work.remote(*tasks[key]())] = worker, key

    workers = [start() for _ in range(count)]
    try:
        for worker in workers:
            give(worker)
        while running:
            (ready,), _ = ray.wait(list(running), num_returns=1)
            worker, key = running.pop(ready)
            try:
                result = ray.get(ready)
            except ray.exceptions.RayTaskError as error:  # the worker lives
                if isinstance(error.cause, InterpError):
                    raise error.cause from None
                reason = f"{type(error.cause).__name__}: {error.cause}"
            except ray.exceptions.RayError as error:
                reason = type(error).__name__
                workers.remove(worker)
                ray.kill(worker)
                worker = start()
                workers.append(worker)
            else:
                give(worker)  # it goes on while the result is put away
                yield key, result
                continue
            failures[key] += 1
            if failures[key] == TRIES:
                raise failure(key, " ".join(reason.split()))
            waiting.appendleft(key)
            give(worker)
    finally:
        for worker in workers:
            ray.kill(worker)


class _Remote:
    """A process with a worker of its own."""

    def __init__(self, make: Callable[[], Worker]) -> None:
        self._worker = make()

    def work(self, *task: Any) -> Any:
        """One task's result."""
        return self._worker.work(*task)


def _ray(address: str | None) -> ModuleType:
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # nothing is sent anywhere
    if not address:  # Ray keeps to the loopback where it knows no clusters; its processes look for that here
        os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
    try:
        import ray
        from ray._private import ray_constants
    except ModuleNotFoundError as error:
        raise CorpusError(
            "workers need Ray, which is not installed; run `pip install 'interp[ray]'`, or run without workers"
        ) from error
    if not address:
        ray_constants.ENABLE_RAY_CLUSTER = False  # and this one may have imported it before
    return ray


@contextmanager
def _cluster(ray: ModuleType, workers: int, address: str | None) -> Iterator[None]:
    """Ray, for the length of the block: that of this process if it has one, a cluster's, or one on this machine."""
    if ray.is_initialized() and not address:
        yield
        return
    if address:
        _require_answer(address)
    in_main = threading.current_thread() is threading.main_thread()
    on_terminate = signal.getsignal(signal.SIGTERM)
    # The paths of sockets must be short, which those of a user's own folder are not everywhere.
    with TemporaryDirectory(
        prefix="interp-", dir="/tmp" if Path("/tmp").is_dir() else None, ignore_cleanup_errors=True
    ) as scratch:
        try:
            if address:
                _connect(ray, address)
            else:
                _start(ray, workers, scratch)
            if in_main:  # Ray's own way of ending prints a trace and leaves its folder
                signal.signal(signal.SIGTERM, _leave)
            yield
        finally:
            ray.shutdown()
            if in_main:
                signal.signal(signal.SIGTERM, on_terminate)


def _leave(number: int, frame: object) -> NoReturn:
    raise SystemExit(128 + number)


def _start(ray: ModuleType, workers: int, scratch: str) -> None:
    """A Ray on this machine, which only this machine reaches."""
    try:
        ray.init(
            "local", num_cpus=workers, include_dashboard=False, log_to_driver=False, logging_level="error",
            _node_ip_address="127.0.0.1", _temp_dir=scratch,
        )  # fmt: skip
    except Exception as error:  # whatever its processes could not do
        raise CorpusError(f"Ray does not start on this machine ({_first_line(error)}); run without workers") from error


def _require_answer(address: str) -> None:
    """Ray itself waits for long. Raises: CorpusError for an address of which nothing is heard."""
    try:
        parts = urlsplit(address)
        place = (parts.hostname, parts.port) if parts.scheme == "ray" else (None, None)
    except ValueError:  # a port that is no number
        place = None, None
    if None in place:
        raise CorpusError(f"{address!r} is not a Ray address; write ray://HOST:PORT")
    try:
        socket.create_connection(place, timeout=_PATIENCE).close()  # pyright: ignore[reportArgumentType]
    except OSError as error:
        raise _no_answer(address, error) from error


def _connect(ray: ModuleType, address: str) -> None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what it warns of is said below
            ray.init(address, log_to_driver=False, logging_level="error")
    except Exception as error:  # something else answers, or Ray of another version, or one that wants a token
        raise _no_answer(address, error) from error


def _no_answer(address: str, error: Exception) -> CorpusError:
    return CorpusError(
        f"no Ray cluster responds at {address} ({_first_line(error)}); check the address (ray://HOST:PORT), that the "
        "cluster is running, and its token if it requires one (RAY_AUTH_TOKEN)"
    )


def _first_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)

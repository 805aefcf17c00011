"""A search's journal: what was decided, line by line, so that a run that is killed can be taken up again."""

import hashlib
import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

from filelock import FileLock, Timeout

from interp.core.errors import ResultError
from interp.models.sources import cache_folder

_PAUSE = 1.0  # seconds of decisions that a kill may cost


class Decision(NamedTuple):
    """An edge (places of its ends), how the objective rose without it, what was decided, and the objective then.

    `rise` is NaN where nothing had to be run.
    """

    sender: int
    receiver: int
    rise: float
    removed: bool
    value: float


class Journal:
    """Decisions in the order in which they were made, in a file of JSON lines that only grows.

    The first line holds the `question`: a journal of another one is refused, and so is one that another run is writing.
    `decided` is what the file held; without `resume`, it starts anew. Use it in a `with` block.
    Raises: ResultError.
    """

    def __init__(self, path: Path, question: Mapping[str, Any], *, resume: bool) -> None:
        self.path = path
        self.decided: list[Decision] = []
        self._question = json.loads(json.dumps(question, default=str))
        self._resume = resume
        self._pending: list[Decision] = []
        self._count = 0
        self._written = time.monotonic()
        self._lock = FileLock(f"{path}.lock", timeout=0)

    def __enter__(self) -> Self:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._lock.acquire()
            self._open()
        except Timeout:
            raise ResultError(
                f"another run is writing {self.path}; wait for it, or give this one a journal of its own"
            ) from None
        except OSError as error:
            self._lock.release()
            raise ResultError(
                f"cannot write {self.path}: {error.strerror}; name a journal in another folder"
            ) from error
        except ResultError:
            self._lock.release()
            raise
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            if not isinstance(error, ResultError):  # which may be that nothing can be written any more
                self.flush()
        finally:
            self._file.close()
            self._lock.release()

    def add(self, decision: Decision) -> None:
        """Take note of a decision. Raises: ResultError if the disk is full."""
        turned = self._pending and self._pending[-1].receiver != decision.receiver
        if turned or time.monotonic() - self._written > _PAUSE:
            self.flush()
        self._pending.append(decision)

    def flush(self) -> None:
        """Put on the disk what was decided. Raises: ResultError if the disk is full; what it holds stays good."""
        lines = "".join(json.dumps(decision) + "\n" for decision in self._pending)
        try:
            self._write(lines.encode())
        except OSError as error:
            raise ResultError(
                f"cannot write {self.path}: {error.strerror}; it holds the {self._count} edges decided before: free "
                "some space and resume"
            ) from error
        self._count += len(self._pending)
        self._pending.clear()
        self._written = time.monotonic()

    def remove(self) -> None:
        """Delete the files: the search is done."""
        for path in (self.path, Path(f"{self.path}.lock")):
            path.unlink(missing_ok=True)

    def _open(self) -> None:
        """Read what there is, cut off what a kill left of a line, and stand at the end."""
        held = self.path.read_bytes() if self.path.exists() else b""
        good = self._read(held) if held else 0
        self._file = open(self.path, "r+b" if held else "wb", buffering=0)  # noqa: SIM115 - closed by __exit__
        self._file.truncate(good)
        self._file.seek(good)
        if not good:
            self._write((json.dumps({"question": self._question}) + "\n").encode())

    def _read(self, held: bytes) -> int:
        """Take over the decisions of a journal of this question; returns how much of the file to keep."""
        lines = held.splitlines(keepends=True)
        if not lines[-1].endswith(b"\n"):
            lines.pop()
        if not lines:
            return 0
        try:
            question = json.loads(lines[0])["question"]
        except (ValueError, KeyError, TypeError):
            raise ResultError(f"{self.path} is not a journal of a search; name another file") from None
        if question != self._question:
            raise ResultError(
                f"{self.path} is the journal of another search (other prompts, model or options); name another file"
            )
        if not self._resume:
            return 0
        try:
            self.decided = [Decision(*json.loads(line)) for line in lines[1:]]
        except (ValueError, TypeError):
            raise ResultError(f"{self.path} is damaged; delete it and start again") from None
        self._count = len(self.decided)
        return sum(map(len, lines))

    def _write(self, content: bytes) -> None:
        while content:
            content = content[self._file.write(content) :]
        os.fsync(self._file.fileno())


def journal_of(question: Mapping[str, Any]) -> Path:
    """Where a search's journal is kept if nobody names a file: one of its own for every question."""
    digest = hashlib.blake2b(json.dumps(question, sort_keys=True, default=str).encode(), digest_size=12)
    return cache_folder("searches") / f"{digest.hexdigest()}.jsonl"

"""A search's journal: what was decided, line by line, so that a run that is killed can be taken up again."""

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Generic, NamedTuple, Protocol, Self, TypeVar

from interp.core.errors import ResultError
from interp.core.folders import RunFile
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


class _Step(Protocol):
    """One line of a journal: a tuple that JSON knows, about one receiver."""

    @property
    def receiver(self) -> int:
        """What its edges lead to."""
        ...

    def __iter__(self) -> Iterator[Any]: ...


Record = TypeVar("Record", bound=_Step)


class Journal(RunFile, Generic[Record]):
    """Decisions (or other records) in the order in which they were made, in a file of JSON lines that only grows.

    The first line holds the `question`: a journal of another one is refused, and so is one that another run is writing.
    Every line ends with a checksum over the file up to it, which journals of older versions lack.
    `decided` is what the file held; without `resume`, it starts anew. Use it in a `with` block.
    Raises: ResultError.
    """

    def __init__(
        self, path: Path, question: Mapping[str, Any], *, resume: bool, record: Callable[..., Record] = Decision
    ) -> None:
        super().__init__(path)
        self.decided: list[Record] = []
        self._record = record
        self._question = question
        self._resume = resume
        self._pending: list[Record] = []
        self._count = 0
        self._sum = hashlib.blake2b(digest_size=8)  # of all that is in the file
        self._written_at = time.monotonic()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.enter_context(self.locked())
            with self.writing():
                there = self.path.read_bytes() if self.path.exists() else b""
                good = self._read(there) if there else 0
                self._file = stack.enter_context(open(self.path, "r+b" if there else "wb", buffering=0))
                self._file.truncate(good)  # what a kill left of a line goes
                self._file.seek(good)
                if not good:
                    self._sum = hashlib.blake2b(digest_size=8)
                    header = json.loads(json.dumps({"question": self._question}, default=str))
                    self._write(self._line(header | {"check": self._check(header)}))
            self._open = stack.pop_all()
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        with self._open:
            if not isinstance(error, ResultError):  # which may be that nothing can be written any more
                self.flush()

    @property
    def last_state(self) -> str:
        """What the file holds, in words."""
        return f"it holds the {self._count} decisions made so far" if self._count else ""

    def add(self, decision: Record) -> None:
        """Take note of a decision. Raises: ResultError if the disk is full."""
        is_new_receiver = self._pending and self._pending[-1].receiver != decision.receiver
        if is_new_receiver or time.monotonic() - self._written_at > _PAUSE:
            self.flush()
        self._pending.append(decision)

    def flush(self) -> None:
        """Put on the disk what was decided. Raises: ResultError if the disk is full; what it holds stays good."""
        with self.writing():
            self._write(b"".join(self._line([*each, self._check(each)]) for each in self._pending))
        self._count += len(self._pending)
        self._pending.clear()
        self._written_at = time.monotonic()

    def remove(self) -> None:
        """Delete the file: the search is done."""
        self.path.unlink(missing_ok=True)

    def _read(self, content: bytes) -> int:
        """Take over the decisions of a journal of this question; returns how much of the file to keep."""
        lines = content.splitlines(keepends=True)
        if not lines[-1].endswith(b"\n"):
            lines.pop()
        if not lines:
            return 0
        try:
            header = dict(json.loads(lines[0]))
            question = dict(header["question"])
        except (ValueError, KeyError, TypeError):
            raise ResultError(f"{self.path} is not a search journal; give another file") from None
        self.require_same(question, self._question)
        if not self._resume:
            return 0
        with self.reading(self.path):
            self._take(header, lines)
        self._count = len(self.decided)
        return sum(map(len, lines))

    def _take(self, header: dict[str, Any], lines: list[bytes]) -> None:
        """Take over what lines say. Raises: ValueError where one's checksum is not that of the file up to it."""
        has_checks = set(header) != {"question"}
        if has_checks and header.get("check") != self._check({"question": header["question"]}):
            raise ValueError("the checksum of line 1 is not that of its content")
        self._sum.update(lines[0])
        for number, line in enumerate(lines[1:], start=2):
            *fields, last = json.loads(line)
            has_checks = has_checks or isinstance(last, str)  # once resumed, an older one is checked too
            if has_checks and last != self._check(fields):
                raise ValueError(f"the checksum of line {number} is not that of the file up to it")
            self.decided.append(self._record(*(fields if has_checks else [*fields, last])))
            self._sum.update(line)

    def _check(self, content: Any) -> str:
        """The checksum of the file and of what is to be its next line."""
        whole = self._sum.copy()
        whole.update(json.dumps(content).encode())
        return whole.hexdigest()

    def _line(self, content: Any) -> bytes:
        """A line for the file, which the next one's checksum then covers."""
        line = (json.dumps(content) + "\n").encode()
        self._sum.update(line)
        return line

    def _write(self, content: bytes) -> None:
        while content:
            content = content[self._file.write(content) :]
        os.fsync(self._file.fileno())


def journal_of(question: Mapping[str, Any]) -> Path:
    """Where a search's journal is kept if nobody names a file: one of its own for every question."""
    digest = hashlib.blake2b(json.dumps(question, sort_keys=True, default=str).encode(), digest_size=12)
    return cache_folder("searches") / f"{digest.hexdigest()}.jsonl"

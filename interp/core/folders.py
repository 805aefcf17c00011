"""What a run leaves and a later one resumes: one writer at a time, one run, every file whole or not at all.

What is there can be missing, unfinished, damaged, of another run or of another version: each is told here, in one line
with its remedy, for every kind of run.
"""

import errno
import json
import os
import platform
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

from filelock import FileLock, Timeout
from pydantic import TypeAdapter, ValidationError
from safetensors import SafetensorError

from interp.core.errors import InterpError, ResultError, shortened

Form = TypeVar("Form")
_SCRATCH = ".unfinished"
_LOCK = ".lock"
_LITTLE_SPACE = 1 << 20  # less than this free after a failure: whatever the library said, the disk is full


class RunFile:
    """A file that a run writes and a later one resumes; whatever is wrong with it is raised as an `error`."""

    kind = "file"
    full_disk = "free some disk space or choose another folder"  # the remedy where nothing can be written

    def __init__(self, path: Path, error: type[InterpError] = ResultError) -> None:
        self.path, self.error = path, error

    @property
    def _lock_file(self) -> Path:
        return self.path.with_name(f"{self.path.name}.lock")

    @property
    def last_state(self) -> str:
        """What is safe when a write fails, in words, where there is something to say."""
        return ""

    @contextmanager
    def locked(self, patience: float = 0) -> Iterator[None]:
        """Keep other writers out for the length of the block, after waiting `patience` seconds (−1: for ever) for them.

        Raises: `error` that names the process that holds the lock, or where nothing can be written.
        """
        lock = FileLock(self._lock_file, timeout=patience)
        with self.writing():
            self._lock_file.parent.mkdir(parents=True, exist_ok=True)
            try:
                lock.acquire()
            except Timeout:
                raise self._in_use() from None
        try:
            with suppress(OSError):  # the name is a courtesy
                self._lock_file.write_text(f"process {os.getpid()} on {platform.node()}", encoding="utf-8")
            yield
        finally:
            # Removed before it is released: filelock lets nobody have a lock whose file has lost its name.
            with suppress(OSError):  # Windows keeps open files
                self._lock_file.unlink()
            lock.release()

    @contextmanager
    def writing(self, path: Path | None = None) -> Iterator[None]:
        """Raises: `error` in one line for whatever keeps the block from writing `path`, or all of this."""
        try:
            yield
        except (OSError, SafetensorError) as error:
            raise self.unwritable(error, path) from error
        except InterpError:
            raise
        except Exception as error:  # libraries have many kinds and wordings for a disk that is full
            if not is_of_a_full_disk(error, self.path):
                raise
            raise self.unwritable(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), path) from error

    @contextmanager
    def reading(self, path: Path, remedy: str | None = None) -> Iterator[None]:
        """Raises: `error` in one line for whatever keeps the block from reading `path`."""
        try:
            yield
        except (InterpError, MemoryError):
            raise
        except PermissionError as error:
            raise self.error(f"cannot read {path}: {error.strerror}; check its permissions") from error
        except Exception as error:  # readers raise many kinds; each means that the file is unusable
            raise self.damaged(path, error, remedy) from error

    def require_same(self, there: Mapping[str, Any], here: Mapping[str, Any]) -> None:
        """Raises: `error` naming the first thing in which the run that is there differs from the one wanted."""
        if difference := _difference(there, json.loads(json.dumps(here, default=str))):
            name, old, new = difference
            raise self.error(
                f"{self.path} was made with {name} = {old}, not {new}; give another {self.kind}, or remove it"
            )

    def missing(self, what: str, command: str) -> InterpError:
        """What to say where nothing of that kind has been written."""
        return self.error(f"{self.path} contains no {what}; create them with `{command}`")

    def unfinished(self, what: str, command: str) -> InterpError:
        """What to say where only a part is there."""
        return self.error(f"{self.path} contains only {what}; finish with `{command}`")

    def damaged(self, path: Path, reason: object, remedy: str | None = None) -> InterpError:
        """What to say of a file that does not hold what was written."""
        return self.error(f"{path} is damaged ({_one_line(reason)}); {remedy or f'remove {self.path} and run again'}")

    def unwritable(self, error: Exception, path: Path | None = None) -> InterpError:
        """What to say where nothing can be written."""
        reason = getattr(error, "strerror", None) or _one_line(error)
        state = f" ({self.last_state})" if self.last_state else ""
        return self.error(f"cannot write {path or self.path}: {reason}; {self.full_disk}{state}")

    def _in_use(self) -> InterpError:
        holder = ""
        with suppress(OSError):
            holder = _one_line(self._lock_file.read_text(encoding="utf-8", errors="replace"))
        by = f" ({holder})" if holder else ""
        return self.error(
            f"another process is writing {self.path}{by}; wait for it to finish, or give another {self.kind}"
        )


class RunFolder(RunFile):
    """A folder that a run writes and a later one resumes."""

    kind = "folder"

    @property
    def _lock_file(self) -> Path:
        return self.path / _LOCK

    @contextmanager
    def locked(self, patience: float = 0) -> Iterator[None]:
        """As of a file; what killed processes left unfinished is removed first."""
        with super().locked(patience):
            self._clear()
            yield

    def write(self, name: str, content: bytes | memoryview) -> None:
        """Write a file, whole or not at all."""
        with self.making(name) as scratch:
            (scratch / name).write_bytes(content)

    def write_record(self, name: str, record: Mapping[str, Any]) -> None:
        """Write a file of JSON that says what the run is, or how it went."""
        self.write(name, json.dumps(record, indent=1).encode())

    def record(self, name: str, form: type[Form], remedy: str | None = None) -> Form | None:
        """What a file of JSON says, as a dataclass or `dict`; None where it is missing.

        Raises: `error` for a file that is damaged or of another version.
        """
        path = self.path / name
        if not path.exists():
            return None
        with self.reading(path, remedy):
            try:
                return TypeAdapter(form).validate_json(path.read_bytes())
            except ValidationError as error:
                first = error.errors()[0]
                reason = ": ".join((*map(str, first["loc"]), first["msg"].lower()))
                if first["type"] not in ("missing", "unexpected_keyword_argument"):
                    raise ValueError(reason) from None
                raise self.error(
                    f"{path} is of another version ({reason}); remove {self.path} and run again, or use that version"
                ) from None

    @contextmanager
    def scratch(self, name: str = "") -> Iterator[Path]:
        """A folder to make `name` in, which goes with the block, or after a kill with the next lock or scratch."""
        scratch = self.path / f".{uuid4().hex}{_SCRATCH}"
        new = scratch.with_suffix(".new")
        lock = FileLock(new / _LOCK)
        with self.writing(self.path / name):
            try:
                new.mkdir(parents=True)
                lock.acquire()
                new.rename(scratch)  # only now: what has this name and is not locked was left by a kill
                self._clear()
                yield scratch
            finally:
                lock.release()
                shutil.rmtree(new, ignore_errors=True)
                shutil.rmtree(scratch, ignore_errors=True)

    def _clear(self) -> None:
        """Remove what killed processes left."""
        for scratch in self.path.glob(f".*{_SCRATCH[1:]}"):
            with suppress(OSError, Timeout):
                if not scratch.is_dir():
                    scratch.unlink(missing_ok=True)
                    continue
                if (scratch / _LOCK).exists():
                    FileLock(scratch / _LOCK, timeout=0).acquire().lock.release()
                shutil.rmtree(scratch, ignore_errors=True)

    @contextmanager
    def making(self, last: str) -> Iterator[Path]:
        """A folder whose files are put in place when the block ends well, `last` after all others: it vouches for them.

        Raises: `error` where nothing can be written.
        """
        with self.scratch(last) as scratch:
            yield scratch
            made_here = (path for path in scratch.iterdir() if path.name != _LOCK)
            for file in sorted(made_here, key=lambda path: path.name == last):
                settle(file)
                os.replace(file, self.path / file.name)


def write_whole(path: Path, content: bytes | memoryview) -> None:
    """Write a file: whoever reads `path` finds the old one or the new one.

    Raises: ResultError where the disk is full or the folder cannot be written.
    """
    RunFolder(path.parent).write(path.name, content)


def settle(path: Path) -> None:
    """Make sure that a file, or every file of a folder, is on the disk."""
    for file in [path, *path.rglob("*")]:
        if file.is_file():
            with open(file, "rb+") as stream:
                os.fsync(stream.fileno())


def is_of_a_full_disk(error: BaseException, path: Path) -> bool:
    """Whether a failure to write below `path` was for lack of space: it says so, or hardly any is left."""
    if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT):
        return True
    cause = error.__cause__ or error.__context__
    if cause is not None and is_of_a_full_disk(cause, path):
        return True
    there = next((folder for folder in (path, *path.absolute().parents) if folder.exists()), None)
    return there is not None and shutil.disk_usage(there).free < _LITTLE_SPACE


def _difference(there: Mapping[str, Any], here: Mapping[str, Any]) -> tuple[str, Any, Any] | None:
    """The innermost name whose values differ, and both."""
    for name in [*here, *(name for name in there if name not in here)]:
        old, new = there.get(name), here.get(name)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            if inner := _difference(old, new):
                return inner
        elif old != new or (name in there) != (name in here):
            return name, _one_line(old), _one_line(new)
    return None


def _one_line(value: object) -> str:
    line = " ".join(str(value).split())
    if isinstance(value, Exception) and not line:
        line = type(value).__name__
    return shortened(line, 200)

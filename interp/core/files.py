"""Files that are written whole or not at all."""

import os
from pathlib import Path
from uuid import uuid4

from interp.core.errors import ResultError


def write_whole(path: Path, content: bytes | memoryview) -> None:
    """Write beside `path`, then put it in its place: whoever reads `path` finds the old file or the new one.

    Raises: ResultError where the disk is full or the folder cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _replace(path, content)
    except OSError as error:
        raise ResultError(f"cannot write {path}: {error.strerror}; free some space or choose another folder") from error


def _replace(path: Path, content: bytes | memoryview) -> None:
    temporary = path.with_name(f".{uuid4().hex}.unfinished")
    try:
        with open(temporary, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)

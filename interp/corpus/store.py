"""The folder of a job over a corpus: its windows, its sums so far, and what every window keeps.

Shards are summed up in their own order, whoever measured them and whenever: `totals.npz` holds the sums of the first
shards and how many they are, a `shard-….npz` waits there for those before it. A shard that is written again replaces
itself, and one that the totals hold is not looked at again, so nothing counts twice.
"""

import io
import json
import os
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout

from interp.core.errors import CorpusError
from interp.core.files import write_whole
from interp.corpus.sums import Sums

_ABOUT, _WINDOWS, _TOTALS = "about.json", "windows.npy", "totals.npz"
_DONE = "shards"  # how many shards the totals hold


@dataclass(frozen=True)
class About:
    """What a folder holds sums of; `content` is the hash of the windows' tokens, `asked` what they were cut for."""

    statistic: str
    settings: dict[str, int | float | str]
    model: str
    model_name: str
    content: str
    length: int
    windows: int
    shard: int
    corpus: str
    dropped: int
    unreadable: list[str]
    documents: list[str]
    topics: list[str]
    asked: dict[str, Any]


class Store:
    """A job's folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._written: set[Path] = set()  # rows that may not have reached the disk yet

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep other processes from writing here. Raises: CorpusError if one does, or the folder cannot be written."""
        lock = FileLock(self.folder / ".lock", timeout=0)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            lock.acquire()
        except Timeout:
            raise CorpusError(
                f"another process is writing {self.folder}; wait for it, or give another folder"
            ) from None
        except OSError as error:
            raise self._unwritable(self.folder, error) from error
        try:
            for left_over in self.folder.glob(".*.unfinished"):  # of a process that was killed
                left_over.unlink(missing_ok=True)
            yield
        finally:
            lock.release()

    @property
    def about(self) -> About | None:
        """What the folder holds sums of; None where it is new. Raises: CorpusError for a damaged file."""
        path = self.folder / _ABOUT
        if not path.exists():
            return None
        try:
            return About(**json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError) as error:
            raise self.damaged(path, error) from error

    def begin(self, about: About, tokens: np.ndarray) -> None:
        """Take a new folder for this job."""
        buffer = io.BytesIO()
        np.save(buffer, tokens.astype(np.int32))
        write_whole(self.folder / _WINDOWS, buffer.getbuffer())
        write_whole(self.folder / _ABOUT, json.dumps(asdict(about), indent=1).encode())

    def tokens(self) -> np.ndarray:
        """The windows' tokens. Raises: CorpusError for a damaged file."""
        path = self.folder / _WINDOWS
        try:
            return np.load(path, allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise self.damaged(path, error) from error

    def totals(self) -> tuple[dict[str, np.ndarray], int]:
        """The sums so far, and how many shards they hold. Raises: CorpusError for a damaged file."""
        path = self.folder / _TOTALS
        if not path.exists():
            return {}, 0
        totals = self._load(path)
        return totals, int(totals.pop(_DONE))

    def save_totals(self, totals: Mapping[str, np.ndarray], shards: int) -> None:
        """Keep the sums of the first shards, once their rows are on disk."""
        self._settle_rows()
        self._save(self.folder / _TOTALS, {**totals, _DONE: np.asarray(shards)})

    def waiting(self) -> list[int]:
        """Shards that are done before one of those in front of them."""
        return sorted(self._waiting())

    def save_waiting(self, shard: int, sums: Sums) -> None:
        """Keep a shard that is done early."""
        self._settle_rows()
        self._save(self.folder / f"shard-{shard:06}.npz", {**sums.totals, _DONE: np.asarray(1)})

    def take_waiting(self, shard: int) -> Sums:
        """A shard that was done early."""
        totals = self._load(self._waiting()[shard])
        totals.pop(_DONE)
        return Sums(totals)

    def drop_waiting(self, shards: int) -> None:
        """Remove those of the first shards that waited."""
        for shard, path in self._waiting().items():
            if shard < shards:
                path.unlink(missing_ok=True)

    def write_rows(self, sums: Sums, first: int, windows: int) -> None:
        """Put what each window keeps into its place among all `windows`."""
        for name, values in sums.rows.items():
            path = self.folder / f"{name}.npy"
            shape = (windows, *values.shape[1:])
            try:
                if not path.exists():
                    self._reserve(path, values.dtype, shape)
                # Written, not mapped: a full disk is an error here, and the end of the process there.
                with open(path, "r+b") as file:
                    self._require_header(file, path, values.dtype, shape)
                    file.seek(first * values[0].nbytes, os.SEEK_CUR)
                    file.write(np.ascontiguousarray(values).data)
            except OSError as error:
                raise self._unwritable(path, error) from error
            self._written.add(path)

    def rows(self, name: str) -> np.ndarray:
        """What every window keeps, read as it is needed. Raises: CorpusError for a damaged file."""
        path = self.folder / f"{name}.npy"
        try:
            return np.load(path, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise self.damaged(path, error) from error

    def damaged(self, path: Path, error: object) -> CorpusError:
        """What to say of a file that does not hold what was written."""
        return CorpusError(f"{path} is damaged ({' '.join(str(error).split())}); remove {self.folder} and run again")

    def _reserve(self, path: Path, dtype: np.dtype, shape: tuple[int, ...]) -> None:
        """A file of zeros, all there or not at all."""
        unfinished = path.with_name(f".{path.name}.unfinished")
        with open(unfinished, "wb") as file:
            header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_1_0(file, header)
            file.truncate(file.tell() + int(np.prod(shape)) * dtype.itemsize)
        os.replace(unfinished, path)

    def _require_header(self, file: Any, path: Path, dtype: np.dtype, shape: tuple[int, ...]) -> None:
        try:
            np.lib.format.read_magic(file)
            held = np.lib.format.read_array_header_1_0(file)
        except ValueError as error:
            raise self.damaged(path, error) from error
        if held != (shape, False, dtype):
            raise self.damaged(path, f"it holds {held[2]} {held[0]}, not {dtype} {shape}")

    def _settle_rows(self) -> None:
        for path in self._written:
            try:
                with open(path, "r+b") as file:
                    os.fsync(file.fileno())
            except OSError as error:
                raise self._unwritable(path, error) from error
        self._written.clear()

    def _waiting(self) -> dict[int, Path]:
        return {int(path.stem.partition("-")[2]): path for path in self.folder.glob("shard-*.npz")}

    def _save(self, path: Path, arrays: Mapping[str, np.ndarray]) -> None:
        buffer = io.BytesIO()
        np.savez(buffer, allow_pickle=False, **arrays)
        write_whole(path, buffer.getbuffer())

    def _load(self, path: Path) -> dict[str, np.ndarray]:
        try:
            with np.load(path, allow_pickle=False) as held:
                arrays = dict(held)
        except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile) as error:
            raise self.damaged(path, error) from error
        if _DONE not in arrays:
            raise self.damaged(path, "it holds no sums")
        return arrays

    def _unwritable(self, path: Path, error: OSError) -> CorpusError:
        return CorpusError(f"cannot write {path}: {error.strerror or error}; free some space or choose another folder")

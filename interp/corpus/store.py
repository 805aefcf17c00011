"""The folder of a job over a corpus: its windows, its sums so far, and what every window keeps.

Shards are summed up in their own order, whoever measured them and whenever: `totals.npz` holds the sums of the first
shards and how many they are, a `shard-….npz` waits there for those before it. A shard that is written again replaces
itself, and one that the totals hold is not looked at again, so nothing counts twice.
"""

import io
import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from pydantic.dataclasses import dataclass

from interp.core.errors import CorpusError
from interp.core.folders import RunFolder, settle
from interp.corpus.sums import Sums

_ABOUT, _WINDOWS, _TOTALS = "about.json", "windows.npy", "totals.npz"
_SHARD_COUNT = "shards"  # how many shards the totals hold


@dataclass(frozen=True, config={"extra": "forbid"})
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

    @property
    def identity(self) -> dict[str, Any]:
        """What makes it the same job."""
        return {
            "model": self.model, "statistic": self.statistic, "settings": self.settings, "length": self.length,
            "windows": self.windows, "text": self.content, "shard": self.shard,
        }  # fmt: skip


class Store(RunFolder):
    """A job's folder."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, CorpusError)
        self._new_rows: set[Path] = set()  # that may not have reached the disk yet

    @property
    def about(self) -> About | None:
        """What the folder holds sums of; None where it is new. Raises: CorpusError for a damaged file."""
        return self.record(_ABOUT, About)

    def begin(self, about: About, tokens: np.ndarray) -> None:
        """Take a new folder for this job."""
        buffer = io.BytesIO()
        np.save(buffer, tokens.astype(np.int32))
        self.write(_WINDOWS, buffer.getbuffer())
        self.write_record(_ABOUT, asdict(about))

    def tokens(self) -> np.ndarray:
        """The windows' tokens. Raises: CorpusError for a damaged file."""
        with self.reading(self.path / _WINDOWS):
            return np.load(self.path / _WINDOWS, allow_pickle=False)

    def totals(self) -> tuple[dict[str, np.ndarray], int]:
        """The sums so far, and how many shards they hold. Raises: CorpusError for a damaged file."""
        path = self.path / _TOTALS
        return self._load(path) if path.exists() else ({}, 0)

    def save_totals(self, totals: Mapping[str, np.ndarray], shards: int) -> None:
        """Keep the sums of the first shards, once their rows are on disk."""
        self._save(_TOTALS, totals, shards)

    @property
    def waiting(self) -> dict[int, Path]:
        """Shards that are done before one of those in front of them."""
        return {int(path.stem.partition("-")[2]): path for path in self.path.glob("shard-*.npz")}

    def save_waiting(self, shard: int, sums: Sums) -> None:
        """Keep a shard that is done early."""
        self._save(f"shard-{shard:06}.npz", sums.totals, 1)

    def take_waiting(self, shard: int) -> Sums:
        """A shard that was done early."""
        return Sums(self._load(self.waiting[shard])[0])

    def drop_waiting(self, shards: int) -> None:
        """Remove those of the first shards that waited."""
        for shard, path in self.waiting.items():
            if shard < shards:
                path.unlink(missing_ok=True)

    def write_rows(self, sums: Sums, first: int, windows: int) -> None:
        """Put what each window keeps into its place among all `windows`."""
        for name, values in sums.rows.items():
            path = self.path / f"{name}.npy"
            shape = (windows, *values.shape[1:])
            with self.writing():
                if not path.exists():
                    self._reserve(path.name, values.dtype, shape)
                # Written, not mapped: a full disk is an error here, and the end of the process there.
                with open(path, "r+b") as file:
                    self._require_header(file, path, values.dtype, shape)
                    file.seek(first * values[0].nbytes, os.SEEK_CUR)
                    file.write(np.ascontiguousarray(values).data)
            self._new_rows.add(path)

    def rows(self, name: str) -> np.ndarray:
        """What every window keeps, read as it is needed. Raises: CorpusError for a damaged file."""
        path = self.path / f"{name}.npy"
        with self.reading(path):
            return np.load(path, mmap_mode="r", allow_pickle=False)

    def _reserve(self, name: str, dtype: np.dtype, shape: tuple[int, ...]) -> None:
        """A file of zeros."""
        with self.making(name) as scratch, open(scratch / name, "wb") as file:
            header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_1_0(file, header)
            file.truncate(file.tell() + int(np.prod(shape)) * dtype.itemsize)

    def _require_header(self, file: Any, path: Path, dtype: np.dtype, shape: tuple[int, ...]) -> None:
        with self.reading(path):
            np.lib.format.read_magic(file)
            header = np.lib.format.read_array_header_1_0(file)
        if header != (shape, False, dtype):
            raise self.damaged(path, f"it holds {header[2]} {header[0]}, not {dtype} {shape}")

    def _save(self, name: str, totals: Mapping[str, np.ndarray], shards: int) -> None:
        with self.writing():
            for path in self._new_rows:
                settle(path)
        self._new_rows.clear()
        buffer = io.BytesIO()
        np.savez(buffer, allow_pickle=False, **{**totals, _SHARD_COUNT: np.asarray(shards)})
        self.write(name, buffer.getbuffer())

    def _load(self, path: Path) -> tuple[dict[str, np.ndarray], int]:
        with self.reading(path), np.load(path, allow_pickle=False) as arrays:
            totals = dict(arrays)
            if _SHARD_COUNT not in totals:
                raise ValueError("it holds no sums")
            return totals, int(totals.pop(_SHARD_COUNT))

"""The folder of a job over a corpus: its windows, its sums so far, and what every window keeps.

Shards are summed up in their own order, whoever measured them and whenever: `totals.npz` holds the first shards, a
`shard-….npz` waits there for those before it. A shard that is written again replaces itself, so nothing counts twice.
"""

import io
import json
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout

from interp.core.errors import CorpusError
from interp.core.files import write_whole
from interp.corpus.sums import Sums

_ABOUT, _WINDOWS, _TOTALS = "about.json", "windows.npy", "totals.npz"
_DONE = "shards"  # how many shards the totals hold


class Store:
    """A job's folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep other processes from writing here. Raises: CorpusError if one does."""
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(self.folder / ".lock", timeout=0):
                yield
        except Timeout:
            raise CorpusError(f"another process is writing {self.folder}; wait for it, or give another folder") from None

    @property
    def about(self) -> dict[str, Any]:
        """What the folder holds sums of; empty where it is new. Raises: CorpusError for a damaged file."""
        path = self.folder / _ABOUT
        if not path.exists():
            return {}
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise self._damaged(path, error) from error

    def begin(self, about: Mapping[str, Any], tokens: np.ndarray) -> None:
        """Take a new folder for this job."""
        buffer = io.BytesIO()
        np.save(buffer, tokens.astype(np.int32))
        write_whole(self.folder / _WINDOWS, buffer.getbuffer())
        write_whole(self.folder / _ABOUT, json.dumps(dict(about), indent=1).encode())

    def tokens(self) -> np.ndarray:
        """The windows' tokens. Raises: CorpusError for a damaged file."""
        path = self.folder / _WINDOWS
        try:
            return np.load(path, allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise self._damaged(path, error) from error

    def totals(self) -> tuple[dict[str, np.ndarray], int]:
        """The sums so far, and how many shards they hold. Raises: CorpusError for a damaged file."""
        path = self.folder / _TOTALS
        if not path.exists():
            return {}, 0
        totals = self._load(path)
        return totals, int(totals.pop(_DONE))

    def save_totals(self, totals: Mapping[str, np.ndarray], shards: int) -> None:
        """Keep the sums of the first shards; what waited for them goes."""
        self._save(self.folder / _TOTALS, {**totals, _DONE: np.asarray(shards)})
        for shard, path in self._waiting().items():
            if shard < shards:
                path.unlink(missing_ok=True)

    def waiting(self) -> list[int]:
        """Shards that are done before one of those in front of them."""
        return sorted(self._waiting())

    def save_waiting(self, shard: int, sums: Sums) -> None:
        """Keep a shard that is done early."""
        self._save(self.folder / f"shard-{shard:06}.npz", sums.totals)

    def take_waiting(self, shard: int) -> Sums:
        """A shard that was done early."""
        return Sums(self._load(self._waiting()[shard]))

    def write_rows(self, sums: Sums, first: int, windows: int) -> None:
        """Put what each window keeps into its place among all `windows`."""
        for name, values in sums.rows.items():
            path = self.folder / f"{name}.npy"
            shape = (windows, *values.shape[1:])
            try:
                mode = "r+" if path.exists() else "w+"
                held = np.lib.format.open_memmap(path, mode, dtype=values.dtype, shape=shape)
                held[first : first + len(values)] = values
                held.flush()
            except OSError as error:
                raise CorpusError(
                    f"cannot write {path}: {error.strerror or error}; free some space or choose another folder"
                ) from error

    def rows(self, name: str) -> np.ndarray:
        """What every window keeps, read as it is needed. Raises: CorpusError for a damaged file."""
        path = self.folder / f"{name}.npy"
        try:
            return np.load(path, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise self._damaged(path, error) from error

    def _waiting(self) -> dict[int, Path]:
        return {int(path.stem.partition("-")[2]): path for path in self.folder.glob("shard-*.npz")}

    def _save(self, path: Path, arrays: Mapping[str, np.ndarray]) -> None:
        buffer = io.BytesIO()
        np.savez(buffer, allow_pickle=False, **arrays)
        write_whole(path, buffer.getbuffer())

    def _load(self, path: Path) -> dict[str, np.ndarray]:
        try:
            with np.load(path, allow_pickle=False) as held:
                return dict(held)
        except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile) as error:
            raise self._damaged(path, error) from error

    def _damaged(self, path: Path, error: Exception) -> CorpusError:
        return CorpusError(f"{path} is damaged ({' '.join(str(error).split())}); remove {self.folder} and run again")

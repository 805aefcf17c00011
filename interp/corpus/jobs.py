"""How sums over windows or prompts are made: in which folder they are kept, and by how many workers."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from hashlib import blake2b
from json import dumps
from pathlib import Path

from interp.core.paths import typed_path
from interp.corpus.sums import Statistic


@dataclass
class Job:
    """The folder of the sums (none: they are not kept), the Ray workers, and the windows between two saves."""

    folder: Path | None = None
    workers: int = 0
    address: str | None = None
    shard: int = 32
    sums: int = 0  # how many statistics were summed up in it
    _over: dict[str, list[str]] = field(default_factory=dict, repr=False)  # what each was summed up over, in order

    def folder_of(self, statistic: Statistic, over: str) -> Path:
        """Each statistic has a folder of its own, since an engine may need several, and one for each model and text.

        `over` identifies these. It is not in the name, so that another job is not begun beside the one that is there.
        """
        assert self.folder
        settings = dumps(statistic.settings(), sort_keys=True).encode()
        name = f"{statistic.name}-{blake2b(settings, digest_size=4).hexdigest()}"
        before = self._over.setdefault(name, [])
        if over not in before:
            before.append(over)
        number = before.index(over) + 1
        return self.folder / (name if number == 1 else f"{name}-{number}")


_CURRENT: ContextVar[Job | None] = ContextVar("job", default=None)


def current_job() -> Job:
    """The job of the block that this runs in; one without folder and workers outside of any."""
    return _CURRENT.get() or Job()


@contextmanager
def job(
    *, folder: str | Path | None = None, workers: int = 0, address: str | None = None, shard: int = 32
) -> Iterator[Job]:
    """Every sum over windows or prompts in this block is made in shards, kept in `folder` and shared out to workers.

    With a folder, what is done stays there, and the same call goes on from it. `workers` and `address` are those of
    Ray (`pip install 'interp[ray]'`). The sums are those of one process: shards are added up in their own order.
    """
    where = Job(typed_path(folder) if folder is not None else None, workers, address, shard)
    with _within(where):
        yield where


@contextmanager
def within_a_shard() -> Iterator[None]:
    """What is summed up while one shard is measured is part of that shard."""
    with _within(Job()):
        yield


@contextmanager
def _within(where: Job) -> Iterator[None]:
    token = _CURRENT.set(where)
    try:
        yield
    finally:
        _CURRENT.reset(token)

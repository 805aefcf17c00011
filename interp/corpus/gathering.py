"""Sums over all windows of a corpus: shard by shard, in this process or on Ray, resumed from what is on disk."""

from collections.abc import Generator, Mapping
from contextlib import closing
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

from interp.core.progress import track
from interp.core.prompts import PromptPairs, Prompts
from interp.corpus.jobs import current_job, within_a_shard
from interp.corpus.shards import measure, measured_on_ray, rows_of
from interp.corpus.store import About, Store
from interp.corpus.sums import Statistic, Sums
from interp.corpus.windows import Windows
from interp.models.hooked import HookedModel


@dataclass(frozen=True, eq=False)
class Gathered:
    """A finished job: its windows, totals, and the rows of each window, which stay on disk."""

    windows: Prompts
    totals: dict[str, np.ndarray]
    store: Store
    scratch: TemporaryDirectory | None = None  # keeps a folder of its own alive

    def rows(self, name: str) -> np.ndarray:
        """What every window keeps under that name, read as it is needed."""
        return self.store.rows(name)


def gather(
    model: HookedModel,
    windows: Prompts | PromptPairs,
    statistic: Statistic,
    *,
    out: Path | None = None,
    shard: int | None = None,
    workers: int | None = None,
    address: str | None = None,
) -> Gathered:
    """Sum a statistic up over all windows.

    With `out`, every finished `shard` of windows is kept there, and a job that was stopped goes on from them. With
    `workers` or an `address`, shards are measured by that many Ray workers. What is not said is as the `job` says that
    this runs in. The sums are the same either way: shards are added up in their own order.
    Raises: CorpusError for a folder of another job, a folder that another process writes, a shard that no worker
    survives, or an address that does not answer.
    """
    job = current_job()
    job.sums += 1
    if out is None and job.folder:
        out = job.folder_of(statistic, f"{model.weight_hash} {windows.hash}")
    shard = job.shard if shard is None else shard
    workers, address = job.workers if workers is None else workers, address or job.address
    scratch = None if out else TemporaryDirectory(prefix="interp-")
    store = Store(Path(scratch.name) if scratch else out)  # pyright: ignore[reportArgumentType]
    with store.locked():
        totals, shards_done = _resume(store, _about(model, windows, statistic, shard), windows) if out else ({}, 0)
        summed = _Summed(store, len(windows), shard, totals, shards_done, kept=bool(out))
        missing = summed.missing()
        if workers or address:
            results = measured_on_ray(model, windows, statistic, shard, missing, workers, address)
        else:
            results = _measured_here(model, windows, statistic, shard, missing)
        there = summed.shards - len(missing)
        label = f"{statistic.name}: shards of {shard} windows" + (f", after the {there} there" if there else "")
        with closing(results):  # workers go, however this ends
            for index, sums in track(results, total=len(missing), label=label):
                summed.take(index, sums)
        summed.settle()
    return Gathered(windows.clean, summed.totals, store, scratch)


def _measured_here(
    model: HookedModel, windows: Prompts | PromptPairs, statistic: Statistic, shard: int, missing: list[int]
) -> Generator[tuple[int, Sums], None, None]:
    for index in missing:
        with within_a_shard():
            sums = measure(model, windows[rows_of(index, shard)], statistic, index * shard)
        yield index, sums


class _Summed:
    """What is summed so far, on its way to all shards."""

    def __init__(
        self, store: Store, windows: int, shard: int, totals: dict[str, np.ndarray], done: int, *, kept: bool
    ) -> None:
        self.store, self.windows, self.shard = store, windows, shard
        self.totals, self.done, self.kept = totals, done, kept
        self.saved = done
        self.shards = ceil(windows / shard)

    def missing(self) -> list[int]:
        """Shards that nobody has measured yet."""
        waiting = self.store.waiting
        return [index for index in range(self.done, self.shards) if index not in waiting]

    def take(self, index: int, sums: Sums) -> None:
        """Count a shard in, or put it away until those before it are there."""
        self.store.write_rows(sums, index * self.shard, self.windows)
        if index > self.done:
            self.store.save_waiting(index, sums)
        elif index == self.done:
            self._count(sums)
            self.settle()

    def settle(self) -> None:
        """Count in what has waited long enough."""
        while self.done in self.store.waiting:
            self._count(self.store.take_waiting(self.done))
        if self.done > self.saved:
            if self.kept:
                self.store.save_totals(self.totals, self.done)
            self.store.drop_waiting(self.done)  # only now: before, they were nowhere else
            self.saved = self.done

    def _count(self, sums: Sums) -> None:
        if self.totals:
            Sums(self.totals).add(sums)
        else:
            self.totals = {name: np.array(total) for name, total in sums.totals.items()}
        self.done += 1


def begun(folder: Path, model: HookedModel, settings: Mapping[str, Any]) -> Windows | None:
    """The windows of a folder whose job was begun, as `Windows.cut` would cut them anew; None if there is no job.

    Raises: CorpusError if they were cut for another model, or `asked` for otherwise.
    """
    store = Store(folder)
    about = store.about
    if about is None:
        return None
    store.require_same({"model": about.model, **about.asked}, {"model": model.weight_hash, **settings})
    return _windows(store, about, model)


def opened(folder: Path, model: HookedModel, statistic: Statistic) -> Gathered:
    """A finished job's folder.

    Raises: CorpusError if there is none, if it is of another model or statistic, damaged, or not finished.
    """
    store = Store(folder)
    about = store.about
    command = f"interp corpus stats --out {folder}"
    if about is None:
        raise store.missing("statistics", command)
    identity = {"model": model.weight_hash, "statistic": statistic.name, "settings": statistic.settings()}
    store.require_same({name: about.identity[name] for name in identity}, identity)
    windows = _windows(store, about, model)
    totals, shards_done = store.totals()
    shards = ceil(len(windows) / about.shard)
    if shards_done < shards:
        raise store.unfinished(f"{shards_done} of {shards} shards", command)
    return Gathered(windows, totals, store)


def _windows(store: Store, about: About, model: HookedModel) -> Windows:
    windows = Windows.of_rows(
        model, torch.from_numpy(store.tokens()).long(), corpus=about.corpus, documents=about.documents,
        topics=about.topics, dropped=about.dropped, unreadable=about.unreadable, asked=about.asked,
    )  # fmt: skip
    if windows.hash != about.content:
        raise store.damaged(store.path / "windows.npy", "its tokens are not those that were written")
    return windows


def _about(model: HookedModel, windows: Prompts | PromptPairs, statistic: Statistic, shard: int) -> About:
    of_corpus = isinstance(windows, Windows)
    return About(
        statistic=statistic.name,
        settings=statistic.settings(),
        model=model.weight_hash,
        model_name=model.name,
        content=windows.hash,
        length=windows.clean.width,
        windows=len(windows),
        shard=shard,
        corpus=windows.corpus if of_corpus else "prompts",
        dropped=windows.dropped if of_corpus else 0,
        unreadable=list(windows.unreadable) if of_corpus else [],
        documents=list(windows.documents if of_corpus else windows.clean.texts),
        topics=list(windows.topics if of_corpus else windows.clean.texts),
        asked=dict(windows.asked) if of_corpus else {},
    )


def _resume(store: Store, about: About, windows: Prompts | PromptPairs) -> tuple[dict[str, np.ndarray], int]:
    there = store.about
    if there is None:
        store.begin(about, windows.clean.tokens.numpy())
        return {}, 0
    store.require_same(there.identity, about.identity)
    return store.totals()

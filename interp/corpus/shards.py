"""A shard: windows that are measured together, a batch at a time, wherever that happens."""

from collections.abc import Generator, Sequence
from functools import cached_property, partial
from pathlib import Path

import numpy as np
import torch

from interp.core.errors import CorpusError
from interp.core.prompts import PromptPairs, Prompts
from interp.corpus.batches import step_of
from interp.corpus.sums import Statistic, Sums
from interp.models.hooked import HookedModel
from interp.models.load import load


def rows_of(index: int, shard: int) -> slice:
    """Where a shard's windows stand among all."""
    return slice(index * shard, (index + 1) * shard)


def measure(model: HookedModel, windows: Prompts | PromptPairs, statistic: Statistic, first: int) -> Sums:
    """The sums of one shard, whose first window is number `first` of the corpus; a batch at a time."""
    step = step_of(windows.clean)
    parts: list[Sums] = []
    with torch.no_grad():
        for start in range(0, len(windows), step):
            before = parts[-1].totals if parts else None
            parts.append(statistic.measure(model, windows[start : start + step], first + start, before))
    rows = {name: np.concatenate([sums.rows[name] for sums in parts]) for name in parts[0].rows}
    return Sums(parts[-1].totals, rows)


def measured_on_ray(
    model: HookedModel,
    windows: Prompts | PromptPairs,
    statistic: Statistic,
    shard: int,
    missing: Sequence[int],
    workers: int,
    address: str | None,
) -> Generator[tuple[int, Sums], None, None]:
    """The sums of the missing shards by Ray workers, each with a model of its own, as they become ready.

    Raises: CorpusError as `shared_out` does, if a worker has other weights, and for a shard that cannot be measured.
    """
    from interp.corpus.on_ray import TRIES, shared_out

    def failure(index: int, reason: str) -> CorpusError:
        rows = range(len(windows))[rows_of(index, shard)]
        return CorpusError(
            f"windows {rows[0]} to {rows[-1]} failed {TRIES} times on Ray ({reason}); use smaller shards or fewer "
            "workers"
        )

    place = str(Path(model.name).resolve()) if Path(model.name).exists() else model.name
    dtype = str(model.dtype).removeprefix("torch.")
    make = partial(_Measuring, place, dtype, model.device.type, model.weight_hash, statistic)
    tasks = {index: lambda index=index: (windows[rows_of(index, shard)], index * shard) for index in missing}
    yield from shared_out(make, tasks, failure, workers, address, gpus=model.device.type == "cuda")


class _Measuring:
    """Measures shards with a model of its own, which must be the one that asks."""

    def __init__(self, name: str, dtype: str, device: str, weights: str, statistic: Statistic) -> None:
        self.name, self.dtype, self.device = name, dtype, device
        self.weights, self.statistic = weights, statistic

    @cached_property
    def model(self) -> HookedModel:
        """Loaded with the first shard, so that what is wrong with it is told as a shard's own error is."""
        model = load(self.name, dtype=self.dtype, device=self.device)
        if model.weight_hash != self.weights:
            raise CorpusError(
                f"the workers load different weights for {self.name} ({model.weight_hash}, not {self.weights}); give "
                "them the same files, or run without workers"
            )
        return model

    def work(self, windows: Prompts | PromptPairs, first: int) -> Sums:
        """One shard's sums."""
        return measure(self.model, windows, self.statistic, first)

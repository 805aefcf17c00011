"""A shard: windows that are measured together, a batch at a time, wherever that happens."""

import numpy as np
import torch

from interp.core.prompts import Prompts
from interp.corpus.batches import step_of
from interp.corpus.sums import Statistic, Sums
from interp.models.hooked import HookedModel


def rows_of(index: int, shard: int) -> slice:
    """Where a shard's windows stand among all."""
    return slice(index * shard, (index + 1) * shard)


def measure(model: HookedModel, windows: Prompts, statistic: Statistic, first: int) -> Sums:
    """The sums of one shard, whose first window is number `first` of the corpus; a batch at a time."""
    step = step_of(windows)
    parts: list[Sums] = []
    with torch.no_grad():
        for start in range(0, len(windows), step):
            before = parts[-1].totals if parts else None
            parts.append(statistic.measure(model, windows[start : start + step], first + start, before))
    rows = {name: np.concatenate([sums.rows[name] for sums in parts]) for name in parts[0].rows}
    return Sums(parts[-1].totals, rows)

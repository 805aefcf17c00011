"""The loss of windows when parts of layers add something else to the stream than they do."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from interp.core.intervals import bootstrap_ratio
from interp.core.progress import track
from interp.core.prompts import Prompts
from interp.corpus.batches import step_of
from interp.corpus.enough import require_predictions
from interp.corpus.losses import loss_sums, predictions
from interp.models.hooked import HookedModel, Trace
from interp.models.sites import Site

Change = Callable[[Trace], dict[str, Any]]  # what `model.run` is given, from what the plain run recorded


@dataclass(frozen=True, eq=False)
class Altered:
    """Σ of each window's loss in nats, as it is and under each change, and how many tokens it predicts."""

    tokens: Float[np.ndarray, "window"]
    plain: Float[np.ndarray, "window"]
    changed: Float[np.ndarray, "window change"]

    def increase(self) -> tuple[np.ndarray, np.ndarray]:
        """What each change adds to the loss of a token, with its interval over windows."""
        return bootstrap_ratio(self.changed - self.plain[:, None], self.tokens)

    def mean(self) -> float:
        """The loss of a token in the plain run."""
        return float(self.plain.sum() / self.tokens.sum())


def altered(
    model: HookedModel, windows: Prompts, skip: int, record: list[Site], changes: list[Change], label: str
) -> Altered:
    """Run windows as they are and under every change, a batch at a time.

    Raises: CorpusError if no token is predicted.
    """
    tokens = predictions(windows, skip)
    require_predictions(tokens.sum(), skip)
    plain, changed = np.zeros(len(windows)), np.zeros((len(windows), len(changes)))
    with torch.no_grad():
        for rows, trace, some in _recorded(model, windows, record, len(changes), label):
            if isinstance(some, int):
                changed[rows, some] = loss_sums(
                    model.run(windows[rows], **changes[some](trace)).logits, windows[rows], skip
                )
            else:
                plain[rows] = loss_sums(trace.logits, windows[rows], skip)
    return Altered(tokens, plain, changed)


def _recorded(
    model: HookedModel, windows: Prompts, record: list[Site], changes: int, label: str
) -> Iterator[tuple[slice, Trace, int | None]]:
    """Batches with what their plain run recorded: once, and once more for each change."""
    step = step_of(windows)
    starts = range(0, len(windows), step)
    runs = ((first, change) for first in starts for change in (None, *range(changes)))
    trace = Trace()
    for first, change in track(runs, len(starts) * (changes + 1), label):
        rows = slice(first, first + step)
        if change is None:
            trace = model.run(windows[rows], record=record)
        yield rows, trace, change


def split(windows: Prompts, tested: int) -> tuple[int, Prompts]:
    """How many of the first windows are fitted, and the last windows, which are not; a single one is both."""
    held_out = min(tested, len(windows) // 2)
    return (len(windows) - held_out, windows[len(windows) - held_out :]) if held_out else (1, windows)

"""Windows that are run together."""

from collections.abc import Iterator

from interp.core.progress import track
from interp.core.prompts import Prompts

TOKENS = 2048  # a batch: wide enough for matrices to be fast, small beside the model


def step_of(windows: Prompts) -> int:
    """How many windows are run together."""
    return max(1, TOKENS // windows.width)


def batches(windows: Prompts, label: str) -> Iterator[tuple[int, Prompts]]:
    """Windows that are run together, each batch with the number of its first; progress is told under `label`."""
    step = step_of(windows)
    starts = range(0, len(windows), step)
    for start in track(starts, total=len(starts), label=label):
        yield start, windows[start : start + step]

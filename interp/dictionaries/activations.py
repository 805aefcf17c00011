"""What a site holds while a model reads windows of text, a batch at a time."""

from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor

from interp.core.progress import track
from interp.core.prompts import Prompts
from interp.corpus.gathering import TOKENS
from interp.models.hooked import HookedModel
from interp.models.sites import Site


def batches(windows: Prompts, label: str) -> Iterator[tuple[int, Prompts]]:
    """Windows that are run together, each batch with the number of its first; progress is told under `label`."""
    step = max(1, TOKENS // windows.width)
    starts = range(0, len(windows), step)
    for start in track(starts, total=len(starts), label=label):
        yield start, windows[start : start + step]


def held(model: HookedModel, windows: Prompts, site: Site) -> Float[Tensor, "window pos width"]:
    """What the site holds there, heads side by side; layers above it are not run."""
    with torch.no_grad():
        return model.record(windows, [site])[site].flatten(2)

"""A head's attention replaced by one that words describe, and the loss measured."""

from collections.abc import Callable, Sequence
from functools import cache

import numpy as np
import torch
from torch import Tensor

from interp.core.intervals import percentile_interval, resampling_weights
from interp.core.progress import track
from interp.core.prompts import Prompts
from interp.corpus.batches import step_of
from interp.corpus.losses import loss_sums, predictions, predicts_next
from interp.models.edits import Edit
from interp.models.hooked import HookedModel
from interp.models.key_places import Cells
from interp.models.sites import Site
from interp.models.visible import seen, watch_visible
from interp.patterns.naming import Head
from interp.patterns.predicates import cells_of

LEAST = 1e-6  # nats that ablation has to raise the loss of a window by: less is rounding
Losses = np.ndarray  # summed over each window


def uniform_on(model: HookedModel, head: Head, windows: Prompts, cells: Cells) -> list[Edit]:
    """Edits that make a head attend alike to every selected key that it sees; to the first that it sees where none."""
    layer, index = head
    store: dict[int, Tensor] = {}

    def replace(pattern: Tensor) -> Tensor:
        visible = seen(store, layer, windows.mask.to(pattern.device))
        selected = cells.to(visible.device) & visible
        resting = torch.zeros_like(selected).scatter(-1, visible.long().argmax(-1, keepdim=True), value=True)
        selected = torch.where(selected.any(-1, keepdim=True), selected, resting)
        pattern = pattern.clone()
        pattern[:, index] = selected.to(pattern) / selected.sum(-1, keepdim=True)
        return pattern

    return [*watch_visible(model, store), Edit.through(Site("pattern", layer), replace)]


def replaced_heads(
    model: HookedModel, windows: Prompts, predicates: Sequence[str], heads: Sequence[Sequence[Head]], seed: int
) -> dict[str, np.ndarray]:
    """The loss with each predicate's heads replaced, ablated, made uniform and as they are: `predicate rank` each."""
    tokens = predictions(windows)
    measurable = predicts_next(model) and tokens.any() and model.edit_obstacle(Site("pattern", 0)) is None

    @cache
    def loss(head: Head | None, how: str) -> Losses:
        return _losses(model, windows, _edits(model, head, how))

    shape = (len(heads), len(heads[0]))
    names, values = np.empty(shape, dtype=object), {name: np.full(shape, np.nan) for name in _HOW}
    explained = np.full((*shape, 3), np.nan)
    places = [(at, rank) for at in range(shape[0]) for rank in range(shape[1])]
    for place in track(places, len(places), "heads replaced by predicates"):
        head = heads[place[0]][place[1]]
        names[place] = f"a{head[0]}.{head[1]}"
        if not measurable:
            continue
        runs = {
            name: loss(head if name != "clean" else None, predicates[place[0]] if name == "pattern" else how)
            for name, how in _HOW.items()
        }
        for name, summed in runs.items():
            values[name][place] = summed.sum() / tokens.sum()
        explained[place] = _explained(runs["ablated"], runs["pattern"], runs["clean"], seed)
    return {
        "replaced": names.astype(str),
        **{f"{name}_loss": value for name, value in values.items()},
        "explained": explained[..., 0],
        "explained_interval": explained[..., 1:],
    }


_HOW = {"clean": "", "pattern": "", "uniform": "any", "ablated": "zero"}
_Edits = Callable[[Prompts], list[Edit]]


def _edits(model: HookedModel, head: Head | None, how: str) -> _Edits:
    if head is None:
        return lambda windows: []
    if how == "zero":
        return lambda windows: [Edit.zero(Site("z", head[0]), head=head[1])]
    return lambda windows: uniform_on(model, head, windows, cells_of(model, windows, how))


def _losses(model: HookedModel, windows: Prompts, edits: _Edits) -> Losses:
    step = step_of(windows)
    parts = [windows[first : first + step] for first in range(0, len(windows), step)]
    return np.concatenate([loss_sums(model.run(part, edits=edits(part)).logits, part) for part in parts])


def _explained(ablated: Losses, pattern: Losses, clean: Losses, seed: int) -> tuple[float, float, float]:
    """The share of the ablation's rise that the pattern saves, with its interval over windows."""
    rise, saved = ablated - clean, ablated - pattern
    if not rise.sum() > LEAST * len(rise):  # nor where a loss is no number
        return np.nan, np.nan, np.nan
    share = float(saved.sum() / rise.sum())
    if len(rise) < 2:
        return share, np.nan, np.nan
    weights = resampling_weights(len(rise), seed=seed)
    rises = weights @ rise
    low, high = percentile_interval((weights @ saved)[rises > 0] / rises[rises > 0])
    return share, float(low), float(high)

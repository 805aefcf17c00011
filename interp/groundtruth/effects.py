"""Which edges of a model have an effect, by resampling each alone."""

from collections.abc import Sequence

import numpy as np
import torch

from interp.circuits.interventions.edge_executor import EdgeExecutor
from interp.core.progress import track
from interp.models.hooked import HookedModel
from interp.tasks import program as program_task
from interp.tasks.program import program_of

_TOLERANCE = 1e-9  # of an effect: attention to what a selector leaves out is e⁻¹⁰⁰, or e⁻⁵⁰ beside BOS
_PAIRS, _WAYS = 48, 8


def effects(model: HookedModel, edges: Sequence[tuple[str, str]]) -> list[bool]:
    """Whether any logit moves when an edge alone is resampled, on pairs of the program's task."""
    program = program_of(model.program)
    assert program is not None
    pairs = program_task(model, n=min(_PAIRS, len(program.symbols) ** program.longest))
    assert pairs.metric is not None
    executor = EdgeExecutor(model, pairs, pairs.metric)
    graph, moves = executor.graph, []
    places = [(graph.sender(sender), graph.receiver(receiver)) for sender, receiver in edges]
    starts = range(0, len(places), _WAYS)
    for first in track(starts, len(starts), f"{model.name}: effects of edges"):
        some = places[first : first + _WAYS]
        mask = np.repeat(graph.present[None].astype(float), len(some), 0)
        for way, (sender, receiver) in enumerate(some):
            mask[way, sender, receiver] = 0
        with torch.no_grad():
            change = executor.run(mask).logits - executor.clean_logits
        moves += (change.abs().amax((1, 2)) > _TOLERANCE).tolist()
    return moves

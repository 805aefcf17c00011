"""Many sets of kept edges run on all prompts, some ways and some prompts at a time."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from interp.circuits.interventions.edge_executor import BaseRun, EdgeExecutor, Shift
from interp.circuits.interventions.groups import Group, groups
from interp.circuits.interventions.replacements import How
from interp.core.metric import Metric
from interp.core.progress import track
from interp.core.prompts import PromptPairs, Prompts
from interp.models.finite import require_finite
from interp.models.hooked import HookedModel
from interp.models.writes import graph_of

Mask = Callable[[], np.ndarray]


@dataclass
class Trials:
    """Sets of edges to keep, each made when it is run, and single edges of the whole model to cut.

    `values` (`trial batch`) and `effects` (`edge batch`) are filled by `run`.
    """

    model: HookedModel
    prompts: Prompts | PromptPairs
    metric: Metric
    how: How
    batch_tokens: int
    constants: Float[Tensor, "sender d_model"] | None = None  # what cut edges carry, in place of what `how` says
    masks: list[Mask] = field(default_factory=list)
    values: Float[np.ndarray, "trial batch"] = field(init=False)
    effects: Float[np.ndarray, "edge batch"] = field(init=False)

    def __post_init__(self) -> None:
        self.graph = graph_of(self.model)
        self._groups = groups(self.prompts, self.metric, self.batch_tokens)

    def add(self, masks: Sequence[Mask]) -> slice:
        """Take note of some masks (`[pos] sender receiver`). Returns where their values will stand."""
        self.masks += masks
        return slice(len(self.masks) - len(masks), len(self.masks))

    def ends(self) -> tuple[Float[np.ndarray, "batch"], Float[np.ndarray, "batch"]]:
        """The metric with every edge kept, and with every edge cut."""
        clean, cut = np.zeros((2, len(self.prompts)))
        for group in self._groups:
            executor = self._executor(group)
            clean[group.rows], cut[group.rows] = (
                each.double().cpu() for each in (executor.clean_metric, executor.cut_metric)
            )
        return clean, cut

    def run(self, edges: Sequence[tuple[int, int]] = ()) -> None:
        """Run all masks, and the whole model without each of `edges`, given by their places."""
        self.values = np.zeros((len(self.masks), len(self.prompts)))
        self.effects = np.zeros((len(edges), len(self.prompts)))
        by_receiver = sorted(range(len(edges)), key=lambda index: edges[index][1])
        total = 0
        for group in self._groups:
            total += len(self._chunks(group, range(len(self.masks)))) + len(self._cuts(group, edges, by_receiver))
        for _ in track(self._steps(edges, by_receiver), total, "testing the circuit"):
            pass

    @torch.no_grad()
    def _steps(self, edges: Sequence[tuple[int, int]], order: list[int]) -> Iterator[None]:
        for group in self._groups:
            executor = self._executor(group)
            for chunk in self._chunks(group, range(len(self.masks))):
                masks = _stack([self.masks[index]() for index in chunk], group.clean.width)
                self._put(self.values, chunk, group, executor.metric_of(executor.run(masks)))
                yield
            cuts = self._cuts(group, edges, order)
            base = executor.whole() if cuts else None
            for chunk in cuts:
                assert base is not None
                self._put(self.effects, chunk, group, cut_one(executor, base, [edges[index] for index in chunk]))
                yield

    def _executor(self, group: Group) -> EdgeExecutor:
        executor = EdgeExecutor(self.model, group.prompts, group.metric, self.how)
        require_finite(self.model, group.clean, executor.clean_metric)
        return executor if self.constants is None else executor.with_constants(self.constants)

    def _chunks(self, group: Group, indices: Sequence[int]) -> list[list[int]]:
        ways = max(1, self.batch_tokens // (len(group.rows) * group.clean.width))
        return [list(indices[first : first + ways]) for first in range(0, len(indices), ways)]

    def _cuts(self, group: Group, edges: Sequence[tuple[int, int]], order: list[int]) -> list[list[int]]:
        """Edges into one receiver run side by side."""
        same = (list(some) for _, some in groupby(order, key=lambda index: edges[index][1]))
        return [chunk for some in same for chunk in self._chunks(group, some)]

    @staticmethod
    def _put(values: np.ndarray, rows: list[int], group: Group, new: Tensor) -> None:
        values[np.ix_(rows, group.rows)] = new.double().cpu().numpy()


def cut_one(executor: EdgeExecutor, base: BaseRun, edges: Sequence[tuple[int, int]]) -> Float[Tensor, "edge batch"]:
    """The effect of cutting each of some edges into the same receiver."""
    outputs, cut = (torch.cat(list(run.outputs.values())) for run in (base, executor.cut))
    senders = [sender for sender, _ in edges]
    shift = Shift(edges[0][1], cut[senders] - outputs[senders])
    run = executor.run(executor.graph.present, since=base, shift=shift)
    return executor.metric_of(run) - executor.clean_metric


def _stack(masks: Sequence[np.ndarray], width: int) -> np.ndarray:
    """Masks side by side, with positions where any has them."""
    if all(mask.ndim == 2 for mask in masks):
        return np.stack(masks)
    return np.stack([mask[:width] if mask.ndim == 3 else np.broadcast_to(mask, (width, *mask.shape)) for mask in masks])

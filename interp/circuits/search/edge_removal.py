"""Taking edges out of a circuit, receiver by receiver from the logits down, with nothing run that cannot change.

What senders write below a receiver does not depend on edges that were cut above it. So one run of the circuit as it was
at the start serves as base throughout: cutting an edge changes what its receiver reads there, and no sender.
"""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from interp.circuits.interventions.edge_executor import BaseRun, EdgeExecutor, Shift
from interp.circuits.search.last_layer import LastLayer
from interp.circuits.search.objective import Objective
from interp.circuits.search.work import Work
from interp.core.graph import ComputationGraph
from interp.core.prompts import Prompts
from interp.models.hooked import HookedModel
from interp.models.memory import require_free


class EdgeRemoval:
    """A circuit that loses edges. `value` is the objective of what is left, `forwards` the work done so far.

    Receivers have to come in the order of `visiting_order`.
    """

    def __init__(self, executor: EdgeExecutor, objective: Objective, mask: np.ndarray) -> None:
        self.executor, self.graph, self.objective = executor, executor.graph, objective
        self.mask = mask & executor.graph.present
        self.work = Work(executor.model, executor.clean.width)
        computable = executor.model.obstacle("mlp", "turning", "alone", "attention") is None
        self._last = LastLayer(executor, self.work) if computable else None
        with torch.no_grad(), executor.model.edited(self._last.edits() if self._last else ()):
            run = executor.run(self.mask, keep=True)
            assert run.base is not None
        self._base: BaseRun = run.base
        self.forwards = self.work.above(0)
        if self._last:
            self._last.settle(self._base)
            self.forwards += self._last.settling(range(self.graph.heads))
        self.value = self.objective(run.logits).item()
        cut_outputs = executor.cut.outputs
        self._contributions: Float[Tensor, "sender batch pos d_model"] = torch.cat(
            [self._base.outputs[place] - cut_outputs[place] for place in cut_outputs]
        )
        self._reaches = np.zeros(len(self.graph.receivers), dtype=bool)
        self._reaches[-1] = True

    def reaches_answer(self, receiver: int) -> bool:
        """Whether the logits depend on what a receiver reads; computed once, when its turn comes."""
        senders = self.graph.feeds[receiver]
        self._reaches[receiver] |= bool((self.mask[senders] & self._reaches).any())
        return bool(self._reaches[receiver])

    def cost(self, receiver: int) -> float:
        """What a trial of one edge costs, in forward passes."""
        last = self._last_with(receiver)
        return last.cost(receiver) if last else self.work.above(self._layer(receiver))

    @torch.no_grad()
    def trial_values(self, receiver: int, senders: Sequence[int], removing: bool) -> list[float]:
        """The objective without each of some edges, side by side; with `removing`, without those before it either."""
        total, ways = torch.zeros_like(self._contributions[0]), []
        for sender in senders:
            ways.append(total - self._contributions[sender])
            total = ways[-1] if removing else total
        shift = torch.stack(ways)
        self.forwards += len(ways) * self.cost(receiver)
        mask = torch.as_tensor(self.mask, device=shift.device).to(shift.dtype)
        last = self._last_with(receiver)
        if last:
            logits = last.run(self._base, mask, receiver, shift)
        else:
            logits = self.executor.run(mask, since=self._base, shift=Shift(receiver, shift)).logits
        return self.objective(logits).tolist()

    def remove(self, sender: int, receiver: int, value: float) -> None:
        """Cut an edge; the objective is then `value`."""
        self.mask[sender, receiver] = False
        self._read_by(receiver).sub_(self._contributions[sender])
        self.value = value

    def settle(self, receiver: int) -> None:
        """Say that a receiver will lose no more edges."""
        last = self._last_with(receiver)
        if last and self.executor.block_of(receiver).part == "attention":
            last.settle(self._base, receiver)
            self.forwards += 2 * last.settling(last.heads(receiver))  # once for what trials share

    def _read_by(self, receiver: int) -> Float[Tensor, "batch pos d_model"]:
        block = self.executor.block_of(receiver)
        return self._base.inputs[block][receiver - self.graph.receivers_at(block).start]

    def _layer(self, receiver: int) -> int:
        return self.executor.block_of(receiver).layer

    def _last_with(self, receiver: int) -> LastLayer | None:
        """The last layer as it can be computed at the answer alone, where the receiver stands in it."""
        return self._last if self._last and self._layer(receiver) >= self._last.layer else None


def visiting_order(graph: ComputationGraph) -> list[int]:
    """Receivers from output to input: the logits, then each layer's MLP, values, keys and queries, heads ascending."""
    order = [graph.receiver("logits")]
    for layer in reversed(range(graph.layers)):
        order.append(graph.receiver(f"m{layer}"))
        for kind, heads in (("v", graph.kv_heads), ("k", graph.kv_heads), ("q", graph.heads)):
            order += [graph.receiver(f"{kind}{layer}.{head}") for head in range(heads)]
    return order


def require_memory_for_removal(model: HookedModel, graph: ComputationGraph, prompts: Prompts, ways: int) -> None:
    """Refuse a search that cannot fit in the memory that is free.

    Counted: what every sender writes in the two runs, their differences and sums, what every receiver reads, and for
    each trial what senders write and a layer's receivers read.
    Raises: MemoryLimitError with both numbers.
    """
    senders, receivers = len(graph.senders), len(graph.receivers)
    tensors = 6 * senders + receivers + ways * (2 * senders + 4 * graph.attention_receivers + 8)
    size = tensors * len(prompts) * prompts.width * model.dims.d_model * model.dtype.itemsize
    work = f"{len(prompts)} prompts of {prompts.width} tokens and {ways} trials side by side"
    require_free(size, model.device, work, "give fewer prompts, or a smaller batch")

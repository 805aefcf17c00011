"""What a cut edge carries where it carries a constant of its sender: the mean over a data set, or what hurts least."""

from collections.abc import Callable, Iterable, Sequence
from itertools import cycle, islice
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from interp.circuits.interventions.edge_executor import EdgeExecutor
from interp.circuits.interventions.groups import Group
from interp.circuits.search.objective import Objective
from interp.core.progress import track
from interp.models.memory import require_memory_for_gradient

STEPS = 200  # of Adam
_RATE = 0.03  # in units of how much the sender varies

Constants = Float[Tensor, "sender d_model"]


class Average(NamedTuple):
    """Each sender's mean over the positions of all prompts, and how far it is from it (root mean square)."""

    mean: Constants
    spread: Float[Tensor, "sender one"]


def mean_constants(executors: Iterable[EdgeExecutor]) -> Average:
    """The average of what senders write; executors are taken one after another."""
    total = square = torch.zeros(())
    count, dtype = 0, torch.float32
    for executor in executors:
        dtype = executor.model.dtype
        mask = executor.clean.mask.to(executor.model.device)
        writes = torch.cat(list(executor.whole().outputs.values()))[:, mask].double()
        total, square = total + writes.sum(1), square + (writes**2).sum(1)
        count = count + writes.shape[1]
    mean = total / count
    spread = (square / count - mean**2).clamp_min(0).mean(-1, keepdim=True).sqrt()
    return Average(mean.to(dtype), spread.to(dtype))


def optimal_constants(groups: Sequence[Group], executor_of: Callable[[Group], EdgeExecutor], seed: int) -> Constants:
    """The constants that change the answer least: those that minimise KL(model ‖ circuit) over random circuits.

    A circuit's size is a share of the edges drawn evenly from 0 to 1; Adam from the data set's mean. `executor_of` is
    asked for a group's executor again at every step, so that no more than one is in memory.
    Source: Li & Janson 2024, "Optimal ablation for interpretability", sections 2.2 and 3.
    Differs: one set of constants for circuits of all sizes, as MIB evaluates them, not one for each circuit.
    """
    mean, spread = mean_constants(map(executor_of, groups))
    shift = torch.zeros_like(mean, requires_grad=True)
    optimiser = torch.optim.Adam([shift], lr=_RATE)
    noise = torch.Generator().manual_seed(seed)
    for group in track(islice(cycle(groups), STEPS), STEPS, "learning what cut edges carry"):
        executor = executor_of(group)
        require_memory_for_gradient(executor.model, group.clean)
        share = torch.rand((), generator=noise)
        kept = torch.rand(executor.graph.present.shape, generator=noise) < share
        # A mask that takes a gradient keeps the run from writing over what the gradient needs.
        mask = (kept & torch.as_tensor(executor.graph.present)).to(mean).requires_grad_()
        with torch.enable_grad():
            logits = executor.with_constants(mean + spread * shift).run(mask).logits
            loss = Objective("kl", executor.metric, executor.clean_logits)(logits)[0]
            (shift.grad,) = torch.autograd.grad(loss, [shift])
        optimiser.step()
    return (mean + spread * shift).detach()

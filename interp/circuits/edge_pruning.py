"""Edge pruning: a mask on every edge, learned by gradient descent so that few edges preserve the model's answer."""

from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import Float
from pydantic import Field
from pydantic.dataclasses import dataclass
from torch import Tensor

from interp.circuits.interventions.edge_executor import EdgeExecutor
from interp.circuits.interventions.replacements import How
from interp.circuits.search.found_circuit import Faithfulness, found_circuit
from interp.circuits.search.hard_concrete import open_probability, sampled, settled
from interp.circuits.search.objective import Objective
from interp.circuits.search.work import Work
from interp.core.engine import engine
from interp.core.metric import Metric
from interp.core.options import Fraction, Rate, Seed
from interp.core.progress import track
from interp.core.prompts import PromptPairs, Prompts
from interp.kinds import FoundCircuit
from interp.models.finite import require_finite
from interp.models.hooked import HookedModel
from interp.models.memory import require_free
from interp.models.writes import graph_obstacle, graph_of

_OPEN = 4.0  # where locations start: masks of 1, near enough to the edge to move
_STEP = 3  # a forward and a backward pass, in forward passes


@dataclass(frozen=True)
class EdgePruningOptions:
    """The target sparsity of the circuit, and how masks are learned."""

    sparsity: float = Field(
        0.9, gt=0, lt=1, allow_inf_nan=False, description="target sparsity: the share of edges to cut"
    )
    steps: int = Field(300, ge=1, le=10**5, description="optimiser steps (Adam)")
    warmup: Fraction = Field(0.5, description="the share of steps over which the target sparsity is ramped up")
    learning_rate: Rate = Field(0.3, description="learning rate of the masks")
    penalty_rate: Rate = Field(0.3, description="learning rate of the multipliers that enforce the sparsity")
    how: How = Field("resample", description="what a cut edge carries: the corrupted run's value, zero, or the mean")
    seed: Seed = Field(0, description="seed of the masks' noise")


@engine(obstacle=graph_obstacle)
def edge_pruning(
    model: HookedModel, prompts: Prompts | PromptPairs, metric: Metric, options: EdgePruningOptions
) -> FoundCircuit:
    """A mask for every edge, learned so that few edges preserve the answer.

    Learn a mask of every edge, and keep the edges whose mask is at least one half.

    Minimised: KL(model ‖ masked model) at the answer + λ₁ (t − s) + λ₂ (t − s)², where s is the expected share of masks
    that are 0 and t the sparsity asked for, growing from 0 at first; λ₁ and λ₂ rise by gradient ascent. Returns the
    kept edges' `score` (axis `edge`, with `sender` and `receiver`), `mask` and `kept` of every edge (axis `candidate`),
    and totals.

    Unit: none; a mask lies between 0 and 1.
    Raises: OptionError if resampling is asked for without corrupted prompts; EngineError where activations are not
    finite; MemoryLimitError.
    Source: Bhaskar et al. 2024, "Finding Transformer Circuits with Edge Pruning", section 3; hard concrete masks:
    Louizos et al. 2018.
    Differs: edges have masks, nodes have none of their own; KL is taken at the answer's position.
    """
    clean = prompts.clean
    require_memory_for_masks(model, clean)
    executor = EdgeExecutor(model, prompts, metric, options.how)
    require_finite(model, clean, executor.clean_metric)
    faithfulness = Faithfulness(executor)
    objective = Objective("kl", metric, executor.clean_logits)
    edges = np.nonzero(executor.graph.present)
    mask = np.zeros(executor.graph.present.shape)
    for gates in track(_learn(executor, objective, options), options.steps, "learning masks"):
        mask[edges] = gates
    binary = (mask >= 0.5).astype(float)
    runs = _STEP * options.steps + (4 if options.how == "resample" else 3)
    return found_circuit(
        faithfulness,
        binary,
        {"mask": mask},
        {"forwards": runs * Work(model, clean.width).above(0)},
        score="mask",
        measured=f"mask learned at a sparsity of {options.sparsity:g} ({options.how}), of edges kept (mask ≥ ½)",
        sign="1: the edge carries its own value; 0: it is cut",
        supports="",
    )


def _learn(
    executor: EdgeExecutor, objective: Objective, options: EdgePruningOptions
) -> Iterator[Float[np.ndarray, "edge"]]:
    """The masks without noise, after each step."""
    device = executor.model.device
    present = torch.as_tensor(executor.graph.present, device=device)
    noise = torch.Generator().manual_seed(options.seed)
    location = torch.full((int(present.sum()),), _OPEN, device=device, requires_grad=True)
    multipliers = torch.zeros(2, device=device, requires_grad=True)
    masks = torch.optim.Adam([location], lr=options.learning_rate)
    penalties = torch.optim.Adam([multipliers], lr=options.penalty_rate, maximize=True)
    for step in range(options.steps):
        target = options.sparsity * min(1.0, (step + 1) / max(1.0, options.warmup * options.steps))
        uniform = torch.rand(len(location), generator=noise).clamp(1e-6, 1 - 1e-6).to(device)
        with torch.enable_grad():
            mask = torch.zeros(present.shape, device=device).masked_scatter(present, sampled(location, uniform))
            loss = objective(executor.run(mask).logits)[0] + _penalty(location, multipliers, target)
            location.grad, multipliers.grad = torch.autograd.grad(loss, (location, multipliers))
        masks.step()
        penalties.step()
        with torch.no_grad():
            yield settled(location).cpu().numpy()


def _penalty(location: Float[Tensor, "edge"], multipliers: Float[Tensor, "two"], target: float) -> Tensor:
    """λ₁ (t − s) + λ₂ (t − s)²."""
    missing = target - (1 - open_probability(location)).mean()
    return multipliers[0] * missing + multipliers[1] * missing**2


def require_memory_for_masks(model: HookedModel, prompts: Prompts) -> None:
    """Counted: what every sender writes, once a layer, what every receiver reads, thrice, and the layers' own.

    Raises: MemoryLimitError with both numbers.
    """
    graph, dims = graph_of(model), model.dims
    vectors = (dims.layers + 4) * len(graph.senders) + 3 * len(graph.receivers) + 24 * dims.layers
    patterns = dims.layers * 2 * dims.heads * prompts.width
    size = len(prompts) * prompts.width * (vectors * dims.d_model + patterns) * model.dtype.itemsize
    work = f"gradients of every edge's mask on {len(prompts)} prompts of {prompts.width} tokens"
    require_free(size, model.device, work, "give fewer or shorter prompts")

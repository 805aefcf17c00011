"""Subnetwork probing: a mask on every head and MLP, learned by gradient descent so that few preserve the answer."""

from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import Float
from pydantic import Field
from pydantic.dataclasses import dataclass

from interp.circuits.edge_pruning import require_memory_for_masks
from interp.circuits.interventions.edge_executor import EdgeExecutor
from interp.circuits.interventions.replacements import How
from interp.circuits.search.found_circuit import Faithfulness, found_circuit
from interp.circuits.search.hard_concrete import open_probability, sampled, settled
from interp.circuits.search.objective import Objective
from interp.circuits.search.work import Work
from interp.core.engine import engine
from interp.core.graph import ComputationGraph
from interp.core.metric import Metric
from interp.core.options import Rate, Seed
from interp.core.progress import track
from interp.core.prompts import PromptPairs, Prompts
from interp.kinds import FoundCircuit
from interp.models.finite import require_finite
from interp.models.hooked import HookedModel
from interp.models.writes import graph_obstacle

_OPEN = 2.0  # where locations start: masks of 0.95
_STEP = 3  # a forward and a backward pass, in forward passes


@dataclass(frozen=True)
class SubnetworkProbingOptions:
    """The price of a node, and how masks are learned."""

    penalty: float = Field(
        0.02, ge=0, le=1e3, allow_inf_nan=False, description="price of keeping a node, in nats of KL(model ‖ circuit)"
    )
    steps: int = Field(300, ge=1, le=10**5, description="optimiser steps (Adam)")
    learning_rate: Rate = Field(0.1, description="learning rate of the masks")
    how: How = Field("resample", description="what a cut node writes: the corrupted run's value, zero, or the mean")
    seed: Seed = Field(0, description="seed of the masks' noise")


@engine(obstacle=graph_obstacle)
def subnetwork_probing(
    model: HookedModel, prompts: Prompts | PromptPairs, metric: Metric, options: SubnetworkProbingOptions
) -> FoundCircuit:
    """A mask for every head and MLP, learned so that few nodes preserve the answer.

    Learn a mask of every node but the embedding, and keep the nodes whose mask is at least one half, with all edges
    among them, the embedding and the logits.

    Minimised: KL(model ‖ masked model) at the answer + penalty · the expected number of masks that are not 0. What is
    read of a node is its mask times its own value and the rest of what a cut node writes. Returns the kept edges'
    `score` (axis `edge`, with `sender` and `receiver`), `mask` and `kept` of every edge (axis `candidate`): the product
    of the masks of its two nodes, of a key or value that heads share the largest; and totals.

    Unit: none; a mask lies between 0 and 1.
    Raises: OptionError if resampling is asked for without corrupted prompts; EngineError where activations are not
    finite; MemoryLimitError.
    Source: Cao et al. 2021, "Low-Complexity Probing via Finding Subnetworks", section 3; nodes as in Conmy et al. 2023,
    appendix D; hard concrete masks: Louizos et al. 2018.
    Differs: masks of nodes, not of weights; a cut node writes another run's value, not zero, unless asked for; KL is
    taken at the answer's position.
    """
    clean = prompts.clean
    require_memory_for_masks(model, clean)
    executor = EdgeExecutor(model, prompts, metric, options.how)
    require_finite(model, clean, executor.clean_metric)
    faithfulness = Faithfulness(executor)
    *_, nodes = track(_learn(executor, options), options.steps, "learning masks")
    runs = _STEP * options.steps + (4 if options.how == "resample" else 3)
    return found_circuit(
        faithfulness,
        _edges_among(executor.graph, (nodes >= 0.5).astype(float)),
        {"mask": _edges_among(executor.graph, nodes)},
        {"forwards": runs * Work(model, clean.width).above(0)},
        score="mask",
        measured=f"masks learned at {options.penalty:g} nats a node ({options.how}), of edges among kept nodes",
        sign="1: both of the edge's nodes write their own value; 0: one of them is cut",
        supports="",
    )


def _learn(executor: EdgeExecutor, options: SubnetworkProbingOptions) -> Iterator[Float[np.ndarray, "sender"]]:
    """The masks of all senders without noise, after each step; that of the embedding is 1."""
    device, graph = executor.model.device, executor.graph
    present = torch.as_tensor(graph.present, device=device)
    objective = Objective("kl", executor.metric, executor.clean_logits)
    noise = torch.Generator().manual_seed(options.seed)
    location = torch.full((len(graph.senders) - 1,), _OPEN, device=device, requires_grad=True)
    optimiser, embedding = torch.optim.Adam([location], lr=options.learning_rate), torch.ones(1, device=device)
    for _ in range(options.steps):
        uniform = torch.rand(len(location), generator=noise).clamp(1e-6, 1 - 1e-6).to(device)
        with torch.enable_grad():
            nodes = torch.cat([embedding, sampled(location, uniform)])
            loss = objective(executor.run(present * nodes[:, None]).logits)[0]
            loss = loss + options.penalty * open_probability(location).sum()
            (location.grad,) = torch.autograd.grad(loss, [location])
        optimiser.step()
        with torch.no_grad():
            yield torch.cat([embedding, settled(location)]).cpu().double().numpy()


def _edges_among(graph: ComputationGraph, nodes: Float[np.ndarray, "sender"]) -> Float[np.ndarray, "sender receiver"]:
    """The product of the masks of what an edge joins; the logits' is 1."""
    reading = (graph.feeds * nodes).max(1)
    reading[-1] = 1
    return np.where(graph.present, nodes[:, None] * reading, 0)

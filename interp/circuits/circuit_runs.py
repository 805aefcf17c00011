"""Running a circuit on its own, and as it grows."""

from typing import Any

import numpy as np
import torch

from interp.circuits.interventions.edge_executor import EdgeExecutor
from interp.circuits.search.found_circuit import Faithfulness
from interp.core.progress import track
from interp.kinds import Circuit, CircuitAblation, CircuitGrowth, EdgeScores, Extraction
from interp.models.comparison import answers

FAITHFULNESS = "faithfulness = (circuit − all edges cut) / (whole model − all edges cut), not clamped"


def circuit_ablation(executor: EdgeExecutor, circuit: Circuit, top: int = 10) -> CircuitAblation:
    """The answer of the whole model and of the circuit alone: every other edge is cut.

    Axes `batch` and `batch rank`, as those of `ablation`; `faithfulness` over all prompts.
    Unit: that of the metric; probabilities for the tokens; a share.
    Source: Wang et al. 2022, section 4.
    """
    with torch.no_grad():
        alone = executor.run(circuit.mask[None]).logits[0]
        ends = Faithfulness(executor)
    values = answers(executor.model, executor.metric, executor.clean_logits, alone, top=top)
    share = ends.of(values["edited"].double().mean().item())
    other = {"resample": "the corrupted prompt's value", "mean": "its sender's mean over the prompt", "zero": "zero"}
    return CircuitAblation.of(
        executor.clean,
        values | {"corrupted": executor.cut_metric, "faithfulness": np.array(share)},
        unit=executor.metric.unit,
        measured=f"{executor.metric.label} with only the circuit's edges; every other edge carries "
        f"{other[executor.how]}",
        sign=FAITHFULNESS,
    )


def circuit_growth(
    executor: EdgeExecutor,
    scores: EdgeScores,
    extraction: Extraction = "top",
    sizes: int = 9,
    draws: int = 2,
    seed: int = 0,
) -> CircuitGrowth:
    """Faithfulness of the strongest edges, from ten to all in even steps of the logarithm, and of random edges.

    Axes `budget` (number of edges) and `budget draw`. Of the strongest edges, those that dangle are left out.
    Unit: shares.
    Raises: ResultError for scores whose prompts have no positions in common.
    """
    graph, random, ends = executor.graph, np.random.default_rng(seed), Faithfulness(executor)
    most, places = graph.edge_count, np.argwhere(graph.present)
    budgets = sorted({int(size) for size in np.geomspace(min(10, most), most, sizes)})
    shares = []
    for size in track(budgets, len(budgets), "running circuits"):
        masks = np.zeros((1 + draws, *graph.present.shape), dtype=bool)
        masks[0] = Circuit.of(scores, size, extraction=extraction).mask
        for mask in masks[1:]:
            mask[tuple(places[random.choice(len(places), size, replace=False)].T)] = True
        with torch.no_grad():
            values = executor.metric_of(executor.run(masks)).double().mean(1)
        shares.append([ends.of(value) for value in values.tolist()])
    curve: Any = np.array(shares)
    return CircuitGrowth.of(
        executor.clean,
        {"faithfulness": curve[:, 0], "edges": np.array(budgets), "random_faithfulness": curve[:, 1:]},
        measured=f"faithfulness of the strongest edges by {scores.provenance.engine or 'their scores'}, and of the "
        "same number of random edges",
        sign="1: as the whole model; 0: as with every edge cut",
        budget=("budget", np.array(budgets)),
    )

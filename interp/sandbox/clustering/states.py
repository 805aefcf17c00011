"""All that the Clustering Head computes at every step of its training, as one result."""

from typing import Any

import numpy as np
import torch

from interp.kinds import ClusterStates
from interp.sandbox.clustering.lesson import ClusteringLesson
from interp.sandbox.clustering.model import ClusteringHead
from interp.sandbox.lessons import Run
from interp.sandbox.reading import over_steps, result_of

GRID = 41  # points a side
_MARGIN = 1.15


@torch.no_grad()
def clustering_states(run: Run, lesson: ClusteringLesson, *, sequences: int = 256) -> ClusterStates:
    """What the head computes on the first test sequences, and its measures on all of them, at every step.

    Source: facebookresearch/pal, projects/visualization.
    """
    tokens = lesson.test_tokens[:sequences]
    reach = _MARGIN * max(float(state.abs().max()) for state in _embeddings(run, lesson, tokens))
    side = torch.linspace(-reach, reach, GRID)
    grid = torch.stack(torch.meshgrid(side, side, indexing="xy"), -1)
    steps, values = over_steps(run, lesson, lambda model: _read(model, lesson, tokens, grid))
    labels = {"cluster": lesson.clusters[:sequences], "answer": lesson.test_answers[:sequences]}
    return result_of(
        ClusterStates,
        "clustering-states",
        values | labels,
        measured=f"the Clustering Head on {len(lesson.test_tokens):,} test sequences; {len(tokens)} are drawn",
        lesson=lesson,
        model=run.path.name,
        step=steps,
        grid_row=side.numpy(),
        grid_column=side.numpy(),
    )


def _embeddings(run: Run, lesson: ClusteringLesson, tokens: torch.Tensor) -> Any:
    for step in run.steps:
        state = run.load(lesson, step).follow(tokens)
        yield torch.cat([state.embedding, state.output])


def _read(model: ClusteringHead, lesson: ClusteringLesson, tokens: torch.Tensor, grid: torch.Tensor) -> dict[str, Any]:
    state, everything = model.follow(tokens), torch.cat(list(model.vocabulary()))
    alone = model.follow(everything)
    attention = model.follow(lesson.test_tokens).attention
    within = attention[:, : lesson.options.task.support]
    evenness = torch.special.entr(within / within.sum(-1, keepdim=True)).sum(-1) / np.log(max(within.shape[-1], 2))
    values = {
        "attention_evenness": evenness.mean(),
        "embedding_norm": state.embedding.norm(dim=-1).mean(),
        "token_vector": model.tokens,
        "position_vector": model.positions,
        "attention": attention.mean(0),
        "query_vector": model.query,
        "sum_vector": alone.sums,
        "normalised_vector": alone.normalised,
        "value_vector": alone.values,
        "embedding": state.embedding,
        "mlp_input": state.mlp_input,
        "output": state.output,
        "probability": (model.transform(grid)[1] @ model.tokens.T).softmax(-1).permute(2, 0, 1),
        "output_probability": (grid @ model.tokens.T).softmax(-1).permute(2, 0, 1),
        "receptor": model.receptors.weight,
        "assembler": model.assemblers.weight.T,
        "bias": model.receptors.bias,
    }
    arrays = {name: value.numpy().copy() for name, value in values.items()}
    return arrays | {name: np.float64(value) for name, value in lesson.measure(model).items()}

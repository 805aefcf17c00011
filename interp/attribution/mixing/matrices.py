"""Mixing: how much of each position's state a layer takes from each position below it, one row a query.

Methods that multiply such matrices layer by layer want one row of the product, that of the position where the answer
is read; a row times a matrix is a `query_pos`th of the work of a product of matrices.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from interp.core.metric import Metric
from interp.core.prompts import Prompts
from interp.models.hooked import HookedModel


def answer_row(model: HookedModel, prompts: Prompts, metric: Metric | None) -> Float[Tensor, "batch pos"]:
    """One at the position where each prompt's answer is read, zero elsewhere.

    Raises: PromptError if nothing was asked and a masked model's prompt has no mask.
    """
    given = None if metric is None else metric.positions
    positions = given or prompts.answer_positions(model)
    row = torch.zeros(prompts.mask.shape, dtype=torch.float64, device=model.device)
    row[torch.arange(len(prompts)), list(positions)] = 1
    return row


def at_answer(row: Float[Tensor, "batch pos"], values: Float[Tensor, "batch pos d"]) -> Float[Tensor, "batch d"]:
    """`values` where `row`, of one position each, stands; in float64."""
    return values[torch.arange(len(values), device=values.device), row.argmax(-1)].double()


def row_normalised(weights: Float[Tensor, "batch query_pos key_pos"]) -> Float[Tensor, "batch query_pos key_pos"]:
    """Each query's weights divided by their sum, in float64; a query without any keeps its own state."""
    weights = weights.double()
    size = weights.sum(-1, keepdim=True)
    own = torch.eye(weights.shape[-1], dtype=weights.dtype, device=weights.device)
    return torch.where(size > 0, weights / size.where(size > 0, 1), own)


def carried(
    row: Float[Tensor, "batch query_pos"], mixing: Float[Tensor, "batch query_pos key_pos"]
) -> Float[Tensor, "batch key_pos"]:
    """A row over a layer's outputs as a row over its inputs."""
    return torch.einsum("bq,bqk->bk", row, mixing)

"""The tokens that a direction of the stream raises and lowers directly, past all later layers."""

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from interp.core.ranking import Strongest, strongest
from interp.models.hooked import HookedModel

ROWS = 256  # directions whose logits are held at once


class Promoted(NamedTuple):
    """The tokens whose logits each row raises most, or lowers most, strongest first, and by how much."""

    token: Int[Tensor, "row rank"]
    weight: Float[Tensor, "row rank"]


def promoted_tokens(
    model: HookedModel, rows: Float[Tensor, "row d_model"], most: int = 10
) -> tuple[Promoted, Promoted]:
    """The tokens that each row promotes and suppresses.

    The last norm's factor is folded in (and its centring, where it centres); its division by the scale of the stream is
    left out, and so are biases: weights compare tokens of one row, in logits at a scale of 1.
    """
    if model.has("ln_final_scale"):
        rows = model.centred(rows) * model.weights.norm("ln_final")[0].to(rows)
    unembedding = model.weights.unembedding().to(rows)
    most = min(most, unembedding.shape[1])
    up, down = [], []
    for part in rows.split(ROWS):
        logits = part @ unembedding
        up.append(strongest(logits, most))
        down.append(strongest(logits, most, largest=False))
    return _join(up), _join(down)


def _join(parts: list[Strongest]) -> Promoted:
    return Promoted(torch.cat([part.indices for part in parts]), torch.cat([part.values for part in parts]))

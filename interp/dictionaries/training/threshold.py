"""The threshold of a dictionary that was trained to keep the k largest features a token, over a whole batch.

Such a dictionary (BatchTopK, Matryoshka) is saved as a JumpReLU. The threshold that sae-lens saves is a running mean of
the smallest feature that was kept: after a short training it is far too low, and where activations were scaled for the
training it is not scaled back with the weights.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float
from torch import Tensor

if TYPE_CHECKING:
    from sae_lens import SAE

_TOKENS = 1024  # at a time, so that all features of all tokens never stand in memory together


@torch.no_grad()
def threshold_for(k: int, sae: "SAE[Any]", values: Float[Tensor, "token width"]) -> float:
    """The threshold above which `k` features a token are active on average, on these activations; 0 if fewer are.

    It is a pre-activation itself, the first that is not counted: ties apart, the mean is `k` exactly.
    Source: Bussmann et al. 2024, BatchTopK, section 2.
    Differs: an order statistic of all tokens together, rather than the mean over batches of each one's smallest.
    """
    count = k * len(values) + 1
    largest = values.new_empty(0)
    for part in values.split(_TOKENS):
        before = (sae.process_sae_in(part) @ sae.W_enc + sae.b_enc).flatten()  # pyright: ignore[reportOperatorIssue]
        largest = torch.cat((largest, before[before > 0]))
        if len(largest) > count:
            largest = largest.topk(count, sorted=False).values
    return float(largest.min()) if len(largest) == count else 0.0


@torch.no_grad()
def measures(sae: "SAE[Any]", values: Float[Tensor, "token width"]) -> dict[str, float]:
    """Mean active features a token, explained variance and never active features of a dictionary, as it is used."""
    active, error = torch.zeros(sae.cfg.d_sae, device=values.device), 0.0
    for part, features in _encode(sae, values):
        active += (features > 0).sum(0)
        error += float((sae.decode(features) - part).double().square().sum())
    spread = float((values - values.mean(0)).double().square().sum())
    return {
        "l0": float(active.sum()) / len(values),
        "explained_variance": 1 - error / spread if spread else float("nan"),
        "dead": int((active == 0).sum()),
    }


def _encode(sae: "SAE[Any]", values: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    for part in values.split(_TOKENS):
        yield part, sae.encode(part)  # decoded before the next: some keep the norm of what they encode until then

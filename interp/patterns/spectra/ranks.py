"""Over how many directions a matrix spreads, from its singular values."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

NAMES = ("stable_rank", "effective_rank", "rank_90")
_SHARE = 0.9


def ranks(singular: Float[Tensor, "*batch component"]) -> np.ndarray:
    """Stable rank, effective rank and `rank_90` of each matrix, in the order of `NAMES`; NaN of a matrix of zeros.

    Source: Rudelson & Vershynin 2007 for the stable rank; Roy & Vetterli 2007, equation 3, for the effective one.
    """
    singular = singular.double().sort(-1, descending=True).values
    energy, largest = singular.square(), singular[..., 0]
    stable = energy.sum(-1) / largest.square()
    effective = torch.special.entr(singular / singular.sum(-1, keepdim=True)).sum(-1).exp()
    below = energy.cumsum(-1) / energy.sum(-1, keepdim=True) < _SHARE - 1e-12
    fewest = 1.0 + below.sum(-1)
    measures = torch.stack([stable, effective, fewest])
    return torch.where(largest > 0, measures, torch.nan).cpu().numpy()


def gaussian(shape: Sequence[int], generator: torch.Generator) -> Tensor:
    """A random matrix of independent normal entries."""
    return torch.randn(*shape, generator=generator, dtype=torch.float64)

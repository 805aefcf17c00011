"""How often features are active in a corpus, and which others are active as often."""

from collections.abc import Sequence
from math import log

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from interp.core.prompts import Prompts
from interp.dictionaries.activations import batches, held
from interp.dictionaries.attached import Attached

FACTOR = 2.0  # within which densities count as the same


def densities(dictionary: Attached, windows: Prompts, label: str) -> Float[Tensor, "feature"]:
    """The share of the windows' tokens at which each feature is active: (count + 1/2) / (tokens + 1), never 0."""
    active = torch.zeros(dictionary.sae.cfg.d_sae, dtype=torch.float64)
    for _, some in batches(windows, label):
        with torch.no_grad():
            features = dictionary.encode(held(dictionary.model, some, dictionary.site))
        active += (features[some.mask.to(features.device)] != 0).sum(0).double().cpu()
    return (active + 0.5) / (int(windows.mask.sum()) + 1)


def as_often(
    density: Float[Tensor, "feature"], features: Sequence[int], active: Bool[Tensor, "feature"], draws: int
) -> list[list[int]]:
    """For each draw, another feature for each of `features`, none twice; fewer draws where no more are as often active.

    Those that are active on the prompt go first, then those of the nearest density.
    """
    waiting = [_near(density, feature, active) for feature in features]
    used, found = set(features), []
    for _ in range(draws):
        draw: list[int] = []
        for candidates in waiting:
            other = next((at for at in candidates if at not in used), None)
            if other is None:
                return found
            used.add(other)
            draw.append(other)
        found.append(draw)
    return found


def _near(density: Float[Tensor, "feature"], feature: int, active: Bool[Tensor, "feature"]) -> list[int]:
    far = (density / density[feature]).log().abs().tolist()
    within = [at for at in range(len(far)) if far[at] <= log(FACTOR) + 1e-9]
    return sorted(within, key=lambda at: (not active[at], far[at]))

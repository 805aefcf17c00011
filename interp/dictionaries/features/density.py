"""How often features are active in a corpus, and which others are active as often."""

from collections.abc import Sequence
from dataclasses import astuple
from math import log
from typing import NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from interp.core.errors import CorpusError
from interp.corpus.batches import batches
from interp.corpus.options import CorpusOptions, windows_of
from interp.dictionaries.sae.attached import Attached
from interp.dictionaries.sae.hashing import dictionary_hash
from interp.models.hooked import HookedModel

FACTOR = 2.0  # within which densities count as the same
SKIP = 1  # first positions of every window left out, as cards do: the very first often holds an outlier


class Densities(NamedTuple):
    """The share of a corpus' tokens at which each feature is active, and what the corpus was."""

    shares: Float[Tensor, "feature"]
    windows: str


# A slider asks for the same ones again and again; they go when their model goes.
_KNOWN: "WeakKeyDictionary[HookedModel, dict[tuple, Densities]]" = WeakKeyDictionary()


def densities(dictionary: Attached, options: CorpusOptions, label: str) -> Densities:
    """How often each feature is active, (count + 1/2) / (tokens + 1), never 0; counted once for a model's lifetime.

    The first position of every window is left out, as cards do.
    Raises: CorpusError for a corpus that cannot be read, or of which nothing is left.
    """
    known = _KNOWN.setdefault(dictionary.model, {})
    key = (dictionary_hash(dictionary), dictionary.site, *astuple(options))
    if key not in known:
        known[key] = _counted(dictionary, options, label)
    return known[key]


def _counted(dictionary: Attached, options: CorpusOptions, label: str) -> Densities:
    windows = windows_of(dictionary.model, options)
    counted = windows.mask.clone()
    counted[:, :SKIP] = False
    if not counted.any():
        raise CorpusError("nothing is left after the first position of every window; use longer windows")
    active = torch.zeros(dictionary.sae.cfg.d_sae, dtype=torch.float64)
    for first, some in batches(windows, label):
        with torch.no_grad():
            features = dictionary.features(some)
        kept = counted[first : first + len(some), : some.width].to(features.device)
        active += (features[kept] != 0).sum(0).double().cpu()
    return Densities(
        (active + 0.5) / (int(counted.sum()) + 1), f"{windows.described}, without the first position of each"
    )


def as_often(
    density: Float[Tensor, "feature"],
    features: Sequence[int],
    active: Bool[Tensor, "feature"],
    draws: int,
    *,
    seed: int = 0,
) -> list[list[int]]:
    """For each draw, another feature for each of `features`, none twice; fewer draws where no more are as often active.

    At random among those of a density within a factor of two; those that are active on the prompt go first.
    """
    random = np.random.default_rng(seed)
    waiting = [_near(density, feature, active, random) for feature in features]
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


def _near(
    density: Float[Tensor, "feature"], feature: int, active: Bool[Tensor, "feature"], random: np.random.Generator
) -> list[int]:
    far = (density / density[feature]).log().abs().numpy()
    within = random.permutation(np.flatnonzero(far <= log(FACTOR) + 1e-9)).tolist()
    return sorted(within, key=lambda at: not active[at])

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
from interp.core.prompts import Prompts
from interp.corpus.batches import batches
from interp.corpus.options import CorpusOptions, windows_of
from interp.dictionaries.cards.harvesting import harvest_folder
from interp.dictionaries.cards.queries import Cards
from interp.dictionaries.sae.attached import Attached
from interp.dictionaries.sae.hashing import dictionary_hash
from interp.models.hooked import HookedModel
from interp.models.sources import shipped_folder

FACTOR = 2.0  # within which densities count as the same
SKIP = 1  # first positions of every window left out, as cards do: the very first often holds an outlier


class Densities(NamedTuple):
    """The share of a corpus' tokens at which each feature is active, and what the corpus was."""

    shares: Float[Tensor, "feature"]
    tokens: int
    windows: str

    @property
    def likely(self) -> Float[Tensor, "feature"]:
        """What is compared: (count + 1/2) / (tokens + 1), never 0."""
        return (self.shares * self.tokens + 0.5) / (self.tokens + 1)


# A slider asks for the same ones again and again; they go when their model goes.
_CACHE: "WeakKeyDictionary[HookedModel, dict[tuple, Densities]]" = WeakKeyDictionary()


def densities(dictionary: Attached, options: CorpusOptions, label: str) -> Densities:
    """The share of tokens at which each feature is active, as on its card; counted once for a model's lifetime.

    As cards do, the first position of every window is left out, and a window that comes twice counts once.
    Raises: CorpusError for a corpus that cannot be read, or of which nothing is left.
    """
    cache = _CACHE.setdefault(dictionary.model, {})
    key = (dictionary_hash(dictionary), dictionary.site, *astuple(options))
    if key not in cache:
        cache[key] = _count(dictionary, options, label)
    return cache[key]


def _count(dictionary: Attached, options: CorpusOptions, label: str) -> Densities:
    windows = windows_of(dictionary.model, options)
    corpus, windows = windows.corpus, windows[windows.distinct()]
    mask = windows.mask.clone()
    mask[:, :SKIP] = False
    if not mask.any():
        raise CorpusError("nothing is left after the first position of every window; use longer windows")
    tokens = int(mask.sum())
    words = f"{tokens:,} tokens of {len(windows):,} windows of {corpus}"
    shares = _on_cards(dictionary, windows, words)
    if shares is not None:
        return Densities(shares, tokens, words)
    active = torch.zeros(dictionary.sae.cfg.d_sae, dtype=torch.float64)
    for first, some in batches(windows, label):
        with torch.no_grad():
            features = dictionary.features(some)
        inside = mask[first : first + len(some), : some.width].to(features.device)
        active += (features[inside] != 0).sum(0).double().cpu()
    return Densities(active / tokens, tokens, words)


def _on_cards(dictionary: Attached, windows: Prompts, words: str) -> Float[Tensor, "feature"] | None:
    """What cards of the same text say, where they have been made of all of it: nothing is counted twice."""
    package_folder = shipped_folder(dictionary.model.weight_hash) / "cards"
    for folder in (harvest_folder(dictionary, windows, skip=SKIP), package_folder):
        try:
            cards = Cards.open(folder)
        except CorpusError:
            continue
        about = cards.harvest.about
        same = (about.dictionary, about.content) == (dictionary_hash(dictionary), windows.hash)
        if same and cards.covers == words:
            return torch.tensor(cards.cards()["density"].to_numpy())
    return None


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
    used, controls = set(features), []
    for _ in range(draws):
        draw: list[int] = []
        for candidates in waiting:
            other = next((at for at in candidates if at not in used), None)
            if other is None:
                return controls
            used.add(other)
            draw.append(other)
        controls.append(draw)
    return controls


def _near(
    density: Float[Tensor, "feature"], feature: int, active: Bool[Tensor, "feature"], random: np.random.Generator
) -> list[int]:
    far = (density / density[feature]).log().abs().numpy()
    within = random.permutation(np.flatnonzero(far <= log(FACTOR) + 1e-9)).tolist()
    return sorted(within, key=lambda at: not active[at])

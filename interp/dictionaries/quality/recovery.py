"""How far two dictionaries hold the same directions: one that was found and one that was planted, or two seeds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from torch import Tensor

from interp.dictionaries.sae.lens import import_sae_lens


@dataclass(frozen=True)
class Recovery:
    """Mean cosine of the best matching one to one (MCC), and how many planted directions are some feature's nearest."""

    mcc: float
    uniqueness: float


@dataclass(frozen=True)
class Spread:
    """Dictionaries beside each other: MCC of every two, and every number's mean and standard deviation over them."""

    mcc: Float[np.ndarray, "dictionary other_dictionary"]
    entries: tuple[str, ...]
    values: Float[np.ndarray, "dictionary entry"]
    mean: Float[np.ndarray, "entry"]
    deviation: Float[np.ndarray, "entry"]


def recovery(features: Float[Tensor, "feature width"], truth: Float[Tensor, "other width"]) -> Recovery:
    """How well decoder rows that were found match those that were planted.

    MCC is the mean |cosine| over the pairs of the one-to-one matching that makes it greatest (Hungarian method), as
    many as the smaller dictionary has; uniqueness the planted rows that are nearest to some found row, over the found.
    Unit: 1 is the same directions in any order and sign.
    Source: Song et al. 2025, "Mechanistic Interpretability Should Prioritize Feature Consistency in SAEs"; sae-lens.
    """
    import_sae_lens()
    from sae_lens.synthetic import feature_uniqueness, mean_correlation_coefficient

    features, truth = (rows.detach().double().cpu() for rows in (features, truth))
    return Recovery(mean_correlation_coefficient(features, truth), feature_uniqueness(features, truth))


def spread(decoders: Sequence[Float[Tensor, "feature width"]], numbers: Sequence[Mapping[str, float]]) -> Spread:
    """Dictionaries of one site, such as several seeds, by their decoder rows and what was measured of each.

    The standard deviation is that of a sample; a number that one of them lacks (NaN) has neither mean nor deviation.
    """
    count = len(decoders)
    mcc = np.eye(count)
    for one in range(count):
        for two in range(one):
            mcc[one, two] = mcc[two, one] = recovery(decoders[one], decoders[two]).mcc
    entries = tuple(numbers[0])
    values = np.array([[each[entry] for entry in entries] for each in numbers])
    deviation = values.std(0, ddof=1) if count > 1 else np.full(len(entries), np.nan)
    return Spread(mcc, entries, values, values.mean(0), deviation)

"""Probes: fitted on some groups, judged on others."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from jaxtyping import Float, Int

from interp.core.intervals import percentile_interval, resampling_weights
from interp.corpus.labels import Codes

Method = Literal["linear", "mean-difference", "codelength"]
# Where the codelength's portions end: shares of the items (Voita & Titov 2020, section 4).
PORTIONS = (0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.0625, 0.125, 0.25, 0.5, 1.0)
States = Float[np.ndarray, "row d_model"]


class Constant:
    """What is predicted where only one label was seen."""

    def __init__(self, code: int) -> None:
        self.code = code

    def predict(self, states: States) -> Codes:
        """That label, everywhere."""
        return np.full(states.shape[0], self.code)  # `len` is not defined for sparse states


def fit(method: Method, states: Any, codes: Codes, penalty: float) -> Any:
    """A probe of the labels: logistic with a ridge penalty on standardised states, or by the nearest class mean."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.neighbors import NearestCentroid
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from threadpoolctl import threadpool_limits

    if len(np.unique(codes)) < 2:
        return Constant(int(codes[0]))
    if method == "mean-difference":
        spread = np.asarray(states).std(0).max() > 0
        return NearestCentroid().fit(states, codes) if spread else Constant(int(codes[0]))
    logistic = LogisticRegression(C=1 / penalty, class_weight="balanced", max_iter=2000)
    with threadpool_limits(1):  # the products are small: threads would wait for each other, on a busy machine 20 times
        return make_pipeline(StandardScaler(with_mean=not hasattr(states, "tocsr")), logistic).fit(states, codes)


@dataclass(frozen=True)
class Split:
    """Items in groups, no group in two folds; `weights` are how often each group counts in each resample."""

    groups: Int[np.ndarray, "row"]
    folds: tuple[tuple[np.ndarray, np.ndarray], ...]
    seed: int

    @classmethod
    def of(cls, groups: Sequence[str], codes: Codes, folds: int, seed: int) -> "Split":
        """At most `folds` folds with the labels' shares as equal as whole groups allow; none of one group."""
        from sklearn.model_selection import StratifiedGroupKFold

        names, numbers = np.unique(np.array(groups, dtype=object).astype(str), return_inverse=True)
        if len(names) < 2:
            return cls(numbers, (), seed)
        splitter = StratifiedGroupKFold(min(folds, len(names)), shuffle=True, random_state=seed)
        with_least = np.bincount(codes).max()  # fewer of each label than folds: scikit-learn would refuse
        stratum = codes if with_least >= splitter.n_splits else np.zeros_like(codes)
        if len(stratum) < splitter.n_splits:
            return cls(numbers, (), seed)
        parts = splitter.split(np.zeros(len(codes)), stratum, numbers)
        return cls(numbers, tuple((train, test) for train, test in parts if len(train) and len(test)), seed)

    @cached_property
    def weights(self) -> Float[np.ndarray, "draw group"]:
        """How much each group counts in each resample."""
        return resampling_weights(int(self.groups.max()) + 1, seed=self.seed)

    @property
    def nothing(self) -> "Judged":
        """What there is to say where nothing can be held out, or told apart."""
        return Judged(np.nan, np.full(len(self.weights), np.nan))

    def predictions(self, method: Method, states: Any, codes: Codes, penalty: float) -> Codes:
        """What probes say of items whose groups they have not seen; −1 of those in no fold."""
        said = np.full(len(codes), -1)
        for train, test in self.folds:
            said[test] = fit(method, states[train], codes[train], penalty).predict(states[test])
        return said

    def judged(self, said: Codes, codes: Codes) -> "Judged":
        """The balanced accuracy of predictions, with what it is in every resample of the groups."""
        classes, size = np.unique(codes), int(self.groups.max()) + 1
        right = np.zeros((size, len(classes)))
        total = np.zeros((size, len(classes)))
        for place, code in enumerate(classes):
            here = (codes == code) & (said >= 0)
            total[:, place] = np.bincount(self.groups[here], minlength=size)
            right[:, place] = np.bincount(self.groups[here & (said == codes)], minlength=size)
        with np.errstate(invalid="ignore"):
            samples = (self.weights @ right) / (self.weights @ total)
            there = ~np.isnan(samples)
            means = np.where(there, samples, 0).sum(1) / there.sum(1)
            accuracy = float(np.mean(right.sum(0) / total.sum(0)))
        return Judged(accuracy, means)


@dataclass(frozen=True)
class Judged:
    """A balanced accuracy, and the same of every resample."""

    accuracy: float
    samples: Float[np.ndarray, "draw"]

    def minus(self, other: "Judged") -> "Judged":
        """The difference, resample by resample."""
        return Judged(self.accuracy - other.accuracy, self.samples - other.samples)

    @property
    def interval(self) -> tuple[float, float]:
        """The middle 95 % of the resamples."""
        low, high = percentile_interval(self.samples)
        return float(low), float(high)


def codelength(states: States, codes: Codes, groups: Int[np.ndarray, "row"], penalty: float, seed: int) -> float:
    """Bits an item that it takes to send the labels to somebody who has the states, portion by portion.

    The first portion at log₂ of the number of labels; each further one by the probe of all before it. Whole groups
    stand together, in random order. Probabilities are mixed with a thousandth of the uniform distribution, so that one
    surprise does not cost without bound.
    Source: Voita & Titov 2020, "Information-Theoretic Probing with Minimum Description Length", section 2.2.2.
    """
    order = np.argsort(np.random.default_rng(seed).permutation(groups.max() + 1)[groups], kind="stable")
    states, codes, groups = states[order], codes[order], groups[order]
    starts = [0, *(at for at in range(1, len(groups)) if groups[at] != groups[at - 1]), len(groups)]
    ends = sorted({next(start for start in starts if start >= share * len(codes)) for share in PORTIONS} - {0})
    labels = int(codes.max()) + 1
    bits = ends[0] * np.log2(labels)
    for seen, end in pairwise(ends):
        probability = np.full((end - seen, labels), 1 / labels)
        probe = fit("linear", states[:seen], codes[:seen], penalty)
        if not isinstance(probe, Constant):
            likely = np.zeros_like(probability)
            likely[:, probe.classes_] = probe.predict_proba(states[seen:end])
            probability = 0.999 * likely + 0.001 / labels
        bits -= np.log2(probability[np.arange(end - seen), codes[seen:end]]).sum()
    return float(bits / len(codes))

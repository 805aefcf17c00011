"""Sums over windows: small float64 totals that merge, and what each window keeps for itself."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from interp.models.hooked import HookedModel

Totals = dict[str, np.ndarray]


@dataclass(eq=False)
class Sums:
    """What some windows add up to.

    `totals` merge by addition. `rows` hold one entry a window on their first axis, and stay on disk.
    """

    totals: Totals
    rows: Mapping[str, np.ndarray] = field(default_factory=dict)

    def add(self, other: "Sums") -> None:
        """Count `other`'s totals in."""
        for name, total in other.totals.items():
            self.totals[name] += total


class Statistic(Protocol):
    """What is summed up. It is sent to other processes, and so holds settings only."""

    @property
    def name(self) -> str:
        """What it is called, in progress and on disk."""
        ...

    def measure(self, model: HookedModel, windows: Any, first: int, into: Totals | None = None) -> Sums:
        """The sums of some windows; the first of them is number `first` of the corpus.

        Windows are `Prompts`, or what else `gather` was given: pairs.
        The totals have the same shapes whatever the windows, and float64 or whole numbers. Those of windows before are
        given as `into` and added to in place: they may be as large as the model.
        """
        ...

    def settings(self) -> dict[str, int | float | str]:
        """What distinguishes it from another of the same name: kept beside the sums, compared when they are read."""
        ...

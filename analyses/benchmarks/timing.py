"""Timing two workloads in turn, and comparing them."""

import statistics
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple


class Row(NamedTuple):
    """One line of the report: the median of `unit` with its range over the repetitions, and the target."""

    name: str
    median: float
    low: float
    high: float
    unit: str
    target: float

    def __str__(self) -> str:
        verdict = "met" if self.median <= self.target else "MISSED"
        return (
            f"{self.name:<72} {self.median:7.3f} [{self.low:.3f}, {self.high:.3f}] {self.unit:<5} "
            f"target {self.target:g} {verdict}"
        )


def ratio(
    name: str,
    ours: Callable[[], object],
    yardstick: Callable[[], object],
    *,
    target: float,
    repeats: int = 11,
    warm_up: bool = True,
) -> Row:
    """Time `ours` and `yardstick` in turn (A B A B …); the row is their ratio, pair by pair.

    Each runs once beforehand, unless `warm_up` is off.
    """
    if warm_up:
        ours()
        yardstick()
    ratios = [_seconds(ours) / _seconds(yardstick) for _ in range(repeats)]
    return Row(name, statistics.median(ratios), min(ratios), max(ratios), "×", target)


def seconds(name: str, work: Callable[[], object], *, target: float, repeats: int = 5) -> Row:
    """Time `work` by itself, where there is no yardstick."""
    work()
    return spread(name, [_seconds(work) for _ in range(repeats)], target=target)


def spread(name: str, times: Sequence[float], *, target: float) -> Row:
    """The row of seconds already measured."""
    return Row(name, statistics.median(times), min(times), max(times), "s", target)


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start

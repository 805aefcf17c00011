"""Result files of every kind with one byte changed: each is refused in one line, none is believed."""

from collections import Counter
from pathlib import Path

import numpy as np
from making import KINDS, one_of

from interp.core.errors import ResultError
from interp.core.result import Result


def flips(kind: str, path: Path, number: int, *, seed: int) -> Counter[str]:
    """What came of so many damaged files: refused, the same as before, or changed without a word."""
    result, random = one_of(kind), np.random.default_rng(seed)
    path = result.save(path)
    whole, outcomes = path.read_bytes(), Counter[str]()
    for _ in range(number):
        damaged = bytearray(whole)
        damaged[random.integers(len(whole))] ^= random.integers(1, 256)
        path.write_bytes(damaged)
        try:
            loaded = Result.load(path)
        except ResultError as error:
            outcomes["refused" if "\n" not in str(error) else "refused in several lines"] += 1
        else:
            same = loaded.data.identical(result.data) and loaded.provenance == result.provenance
            outcomes["the same" if same else "changed"] += 1
    return outcomes


def attack(folder: Path, number: int, seed: int) -> Counter[str]:
    """So many damaged files of every kind of result; a fault is one that is believed, or refused in several lines."""
    ends = Counter[str]()
    for place, kind in enumerate(KINDS):
        for end, count in flips(kind, folder / kind, number, seed=seed + place).items():
            ends[end if end in ("refused", "the same") else "fault"] += count
    return ends

"""Result files of every kind with one byte changed: each is refused in one line, none is believed.

`python -m fuzz.damaged_files [FLIPS]`, in `tests/`, changes that many bytes of each kind and prints what came of it.
"""

import sys
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

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


def main(number: int) -> None:
    """Print the outcomes of every kind. Raises: SystemExit if one was not as it should be."""
    totals = Counter[str]()
    with TemporaryDirectory() as folder:
        for seed, kind in enumerate(KINDS):
            totals += flips(kind, Path(folder, kind), number, seed=seed)
    sys.stdout.write(f"{totals.total():,} damaged files of {len(KINDS)} kinds: {dict(totals)}\n")
    if set(totals) - {"refused", "the same"}:
        sys.exit(1)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)

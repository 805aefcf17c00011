"""What the tests of jobs compare."""

import numpy as np
import pytest

from interp.corpus import Windows
from interp.corpus.gathering import Gathered


@pytest.fixture(scope="session")
def windows_of_words(tiny, tmp_path_factory):
    """Eleven windows of twelve tokens, for the tiny Llama and its twin in float64."""
    path = tmp_path_factory.mktemp("text") / "words.txt"
    path.write_text("Mary and John went to the store with keys, a drink and books. " * 20)
    return Windows.cut(tiny("llama"), str(path), windows=11, length=12)


@pytest.fixture(scope="session")
def same():
    """Whether two jobs found the same, to the last bit."""

    def equal(left: Gathered, right: Gathered) -> bool:
        names = sorted(path.stem for path in left.store.path.glob("context-*.npy"))
        assert names == sorted(path.stem for path in right.store.path.glob("context-*.npy"))
        assert names
        assert left.totals.keys() == right.totals.keys()
        return all(np.array_equal(left.totals[name], right.totals[name]) for name in left.totals) and all(
            np.array_equal(left.rows(name), right.rows(name)) for name in names
        )

    return equal

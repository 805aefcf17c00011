"""What is strongest, in the order of a stable sort."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from interp.core.ranking import strongest

SHAPES = st.tuples(st.integers(1, 4), st.integers(1, 9))


@given(arrays(np.int64, SHAPES, elements=st.integers(-2, 2)), st.integers(1, 9))
def test_equals_come_by_index(values: np.ndarray, count: int) -> None:
    """Few different numbers, so that most rows have ties, also across the last rank."""
    for sign, largest in ((-1, True), (1, False)):
        found = strongest(torch.from_numpy(values).double(), count, largest=largest)
        order = np.argsort(sign * values, axis=-1, kind="stable")[:, :count]
        np.testing.assert_array_equal(found.indices, order)
        np.testing.assert_array_equal(found.values, np.take_along_axis(values, order, -1))


@pytest.mark.parametrize("threads", [1, 4])
def test_the_order_of_equals_depends_on_no_thread(threads: int) -> None:
    """One row as long as a vocabulary, in which everything is equal."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        assert strongest(torch.zeros(3, 50_000), 20).indices.tolist() == [list(range(20))] * 3
    finally:
        torch.set_num_threads(before)

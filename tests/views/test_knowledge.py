"""Figures of what weights store: every choice is drawn, and is the result."""

from typing import Any

import numpy as np
import pytest

from interp import views
from interp.core.errors import OptionError


def test_examples_are_drawn_before_and_after(sample):
    """As the model is, then the shares of curvature from the largest down; the table has the same numbers."""
    result = sample("LossCurvature")
    drawn: Any = views.figure(result, show="recitation").data[0]
    assert drawn.x == ("as it is", "ρ = 1", "ρ = 0.6")
    after = result.data["example_after"].sel(arrangement="highest")
    expected = [result.data["example_before"], after.sel(fraction=1.0), after.sel(fraction=0.6)]
    np.testing.assert_array_equal(drawn.z, np.stack(expected, 1))
    assert drawn.customdata[0, 0, 0] == "&lt;b&gt;a rose"
    table = views.table(result, show="recitation").query("arrangement == 'highest' and fraction == 1")
    np.testing.assert_array_equal(table["example_after"], after.sel(fraction=1.0))
    without = type(result)(result.data.drop_vars([name for name in result.data if str(name).startswith("example")]))
    with pytest.raises(OptionError, match="has no examples; run loss-curvature again"):
        views.figure(without, show="recitation")

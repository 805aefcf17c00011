"""Options of a training in sae-lens' terms."""

import pytest

from interp.core.options import parse_options
from interp.dictionaries import TrainingOptions


@pytest.mark.parametrize(
    ("tokens", "batch", "steps"), [(20_000, 256, 79), (20_480, 1024, 20), (20_481, 1024, 21), (1, 64, 1)]
)
def test_the_dead_window_is_told_in_tokens(tokens, batch, steps):
    """No feature is dead sooner, whatever the batch."""
    options = parse_options("train", TrainingOptions, {"dead_window": tokens, "batch": batch})
    assert options.trainer("cpu")["dead_feature_window"] == steps

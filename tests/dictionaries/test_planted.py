"""Planted dictionaries: a training finds them again, one that has hardly begun does not."""

import pytest
import torch

from interp.dictionaries import TrainingOptions, planted_recovery
from interp.dictionaries.planted import nearest_cosine

OPTIONS = {"features": 64, "k": 3, "lr": 3e-3}


def test_nearest_cosine_is_the_loop():
    learned, planted = torch.randn(5, 4, dtype=torch.float64), torch.randn(3, 4, dtype=torch.float64)
    cosines = [[float(a @ b / (a.norm() * b.norm())) for b in learned] for a in planted]
    assert nearest_cosine(learned, planted) == pytest.approx(sum(map(max, cosines)) / 3)
    assert nearest_cosine(3 * planted, planted) == pytest.approx(1)


@pytest.mark.slow
def test_what_is_planted_is_found_again():
    found = planted_recovery(TrainingOptions(tokens=150_000, **OPTIONS))
    assert found.nearest > 0.9
    assert found.random < 0.6
    assert found.matched > 0.85
    begun = planted_recovery(TrainingOptions(tokens=256, **OPTIONS))
    assert begun.nearest == pytest.approx(begun.random, abs=0.1)
    state = torch.get_rng_state()
    assert planted_recovery(TrainingOptions(tokens=256, **OPTIONS)) == begun
    assert torch.equal(torch.get_rng_state(), state)

"""MCC against every matching there is, and a planted dictionary that sae-lens' own trainer finds again."""

from itertools import permutations

import numpy as np
import pytest
import torch

from interp.dictionaries import recovery
from interp.dictionaries.quality.recovery import spread


def rows(count, width=6, seed=0):
    return torch.randn(count, width, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(("found", "planted"), [(4, 4), (5, 4), (3, 5)])
def test_the_best_of_all_matchings(found, planted):
    one, two = rows(found).double(), rows(planted, seed=1).double()
    alike = [[abs(float(a @ b / (a.norm() * b.norm()))) for b in two] for a in one]
    if found > planted:
        alike = list(map(list, zip(*alike, strict=True)))
    few, many = sorted((found, planted))
    best = max(sum(alike[i][j] for i, j in enumerate(order)) / few for order in permutations(range(many), few))
    said = recovery(one, two)
    assert said.mcc == pytest.approx(best)
    cosines = [[abs(float(a @ b / (a.norm() * b.norm()))) for b in two] for a in one]
    assert said.uniqueness == pytest.approx(len({row.index(max(row)) for row in cosines}) / found)


def test_order_sign_and_length_do_not_matter():
    planted = rows(5, 8)
    order = torch.tensor([3, 0, 4, 1, 2])
    said = recovery(planted[order] * torch.tensor([1, -2, 0.5, 3, -1])[:, None], planted)
    assert said.mcc == pytest.approx(1, abs=1e-6)
    assert said.uniqueness == 1
    assert recovery(planted[[0, 0, 0, 0, 0]], planted).uniqueness == 0.2


def test_a_planted_dictionary_is_found_again():
    """Sparse sums of ten orthogonal directions, read by sae-lens' trainer for some seconds."""
    from sae_lens import StandardTrainingSAE, StandardTrainingSAEConfig
    from sae_lens.synthetic import ActivationGenerator, FeatureDictionary, train_toy_sae

    torch.manual_seed(0)
    planted = FeatureDictionary(num_features=10, hidden_dim=16)
    sparse = ActivationGenerator(num_features=10, firing_probabilities=torch.full((10,), 0.15))
    sae = StandardTrainingSAE(StandardTrainingSAEConfig(d_in=16, d_sae=10, l1_coefficient=0.1))
    before = recovery(sae.W_dec, planted.feature_vectors)
    train_toy_sae(sae, planted, sparse, training_samples=400_000, batch_size=512, lr=3e-3)
    after = recovery(sae.W_dec, planted.feature_vectors)
    assert before.mcc < 0.7
    assert after.mcc > 0.95
    assert after.uniqueness == 1


def test_numbers_of_several_beside_each_other():
    found = spread(
        [rows(4), rows(4), rows(4, seed=2)], [{"a": 1.0, "b": 2.0}, {"a": 2.0, "b": np.nan}, {"a": 6.0, "b": 1}]
    )
    assert found.entries == ("a", "b")
    assert found.mean[0] == pytest.approx(3)
    assert found.deviation[0] == pytest.approx(np.sqrt((4 + 1 + 9) / 2))
    assert np.isnan([found.mean[1], found.deviation[1]]).all()
    assert found.mcc[0, 1] == pytest.approx(1, abs=1e-6)
    assert found.mcc[0, 2] == found.mcc[2, 0] < 1

"""Ensembles against loops over methods, prompts and edges."""

import numpy as np
import pytest
from asking import pairs_for
from numpy.testing import assert_allclose

from interp import circuits
from interp.circuits import eap, edge_ensemble, relp_edges
from interp.core.errors import OptionError


@pytest.mark.parametrize("how", ["resample", "zero"])
def test_z_is_the_mean_of_scores_over_their_root_mean_square(tiny, how):
    model = tiny("llama", "float64")
    pairs = pairs_for(model, "llama")
    found = edge_ensemble(model, pairs, methods=("eap", "relp-edges"), how=how).data["score"].values
    for row in range(len(pairs)):
        each = [engine(model, pairs, how=how).data["score"].values[row] for engine in (eap, relp_edges)]
        expected = sum(values / np.sqrt(np.mean([value**2 for value in values])) for values in each) / 2
        assert_allclose(found[row], expected, atol=1e-9)


def test_rank_is_the_share_of_edges_below(tiny):
    model = tiny("llama", "float64")
    pairs = pairs_for(model, "llama")
    found = edge_ensemble(model, pairs, methods=("eap", "eap-ig"), combine="rank").data["score"].values
    for row in range(len(pairs)):
        expected = np.zeros(found.shape[1])
        for engine in (eap, circuits.eap_ig):
            size = np.abs(engine(model, pairs).data["score"].values[row])
            expected += [(np.sum(size < own) + np.sum(size == own) / 2) / len(size) for own in size]
        assert_allclose(found[row], expected / 2, atol=1e-12)


def test_one_method_alone_keeps_its_order_and_sign(tiny):
    model = tiny("llama")
    pairs = pairs_for(model, "llama")
    alone, scores = edge_ensemble(model, pairs, methods=("eap",)), eap(model, pairs)
    assert alone.supports("score") == scores.supports("score")
    for found, expected in zip(alone.data["score"].values, scores.data["score"].values, strict=True):
        assert_allclose(found / np.abs(found).max(), expected / np.abs(expected).max(), rtol=1e-5, atol=1e-7)
    with pytest.raises(OptionError, match="methods"):
        edge_ensemble(model, pairs, methods=("acdc",))

"""Linearity against the definition, token by token, with numpy's own least squares."""

import numpy as np
import pytest
from reading import sentences, streams
from tiny import FAMILIES

from interp.core.errors import CorpusError
from interp.core.prompts import Prompts
from interp.corpus.layer_sums import LayerSums
from interp.corpus.least_squares import affine_fit
from interp.geometry import linearity


def slow_score(x, y):
    """1 − min_A ‖X̃A − Ỹ‖², as it is written."""
    x, y = (rows - sum(rows) / len(rows) for rows in (x, y))
    x, y = (rows / np.sqrt(sum(number * number for row in rows for number in row)) for rows in (x, y))
    best = np.linalg.lstsq(x, y, rcond=None)[0]
    return 1 - np.sum((x @ best - y) ** 2)


@pytest.mark.parametrize("family", FAMILIES)
def test_agrees_with_the_definition(family, tiny):
    """On prompts of different lengths, with more tokens than dimensions."""
    model, texts = tiny(family, "float64"), sentences(family, 24)
    found = linearity(model, texts, skip=2).data
    at = streams(model, texts, 2)
    assert int(found.attrs["tokens"]) == len(at[0]) > 3 * model.dims.d_model
    for layer in range(model.dims.layers):
        x, y = at[layer], at[layer + 1]
        cell = found.isel(layer=layer)
        np.testing.assert_allclose(cell["linearity"].item(), slow_score(x, y), atol=1e-9)
        np.testing.assert_allclose(cell["update_linearity"].item(), slow_score(x, y - x), atol=1e-9)


def sums_of(x, d):
    return {"xx": x.T @ x, "xd": x.T @ d, "x": x.sum(0), "d": d.sum(0), "dd": np.sum(d * d, 0)}


def test_a_linear_layer_scores_one_and_noise_its_chance():
    """Also where some dimensions dwarf the others, or say the same twice."""
    random = np.random.default_rng(0)
    x = random.normal(size=(4000, 20)) * np.logspace(0, 4, 20) + 1000
    x[:, 3] = x[:, 4]
    d = x @ random.normal(size=(20, 20)) + 5
    np.testing.assert_allclose(affine_fit(sums_of(x, d), len(x))[2:], 1, atol=1e-9)
    x, d = random.normal(size=(2, 4000, 20))
    assert affine_fit(sums_of(x, d), len(x)).update_linearity == pytest.approx(20 / 3999, rel=0.3)


def test_few_tokens_are_said(tiny):
    """With as many dimensions as tokens anything is linear, and the result says so."""
    result = linearity(tiny("llama"), ["When Mary and John went to the store"])
    np.testing.assert_allclose(result.values("linearity"), 1)
    assert "too few tokens" in result.measured
    assert "too few" not in linearity(tiny("llama"), sentences("llama", 24)).measured
    with pytest.raises(CorpusError, match="only 1 token is left after the first 7"):
        linearity(tiny("llama"), ["When Mary and John went to the store"], skip=7)


def test_sums_of_parts_add_up(tiny):
    """Windows summed alone and together; shorter ones among them."""
    model = tiny("gpt2", "float64")
    prompts = Prompts.of(model, sentences("gpt2", 5))
    whole = LayerSums().measure(model, prompts, 0)
    parts = LayerSums().measure(model, prompts[:2], 0)
    parts.add(LayerSums().measure(model, prompts[2:], 2))
    for name, total in whole.totals.items():
        np.testing.assert_allclose(parts.totals[name], total, rtol=1e-9, atol=1e-9)

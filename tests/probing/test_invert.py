"""Inversion against brute force, and what noise it bears."""

import numpy as np
import pytest
import torch
from asking import CAUSAL, some
from reading import sentences

from interp.core.errors import EngineError, OptionError
from interp.core.prompts import Prompts
from interp.probing import invert
from interp.probing.inversion import of_rows, vocabulary
from interp.probing.invert import inverted


def brute(model, site, tokens, pos):
    """The distance of every token's state, by a run of its own."""
    apart = []
    for token in range(model.vocabulary_size):
        rows = torch.cat([tokens[:pos], torch.tensor([token])])[None]
        true = torch.cat([tokens[: pos + 1]])[None]
        one, other = (model.run(of_rows(each), record=[site])[site][0, pos] for each in (rows, true))
        apart.append(float((one - other).norm()))
    return np.array(apart)


@some("family", CAUSAL, always=("llama", "gpt2"))
@pytest.mark.parametrize("tried", ["gradient", "random"])
def test_the_prompt_is_recovered_from_every_layer(family, tried, tiny):
    model = tiny(family, "float64")
    for layer in range(model.dims.layers + 1):
        result = invert(model, sentences(family, 2), layer=layer, tried=tried, steps=5)
        data = result.data
        for row, labels in enumerate(data["token"].values):
            there = labels != ""
            assert (data["recovered_token"].values[row, there] == labels[there]).all()
            assert (data["correct"].values[row, there] == 1).all()
            assert np.isnan(data["distance"].values[row, ~there]).all()
            assert data["margin"].values[row, there].min() > data["distance"].values[row, there].max()


def test_all_candidates_are_brute_force(tiny):
    """Distance and margin among the whole vocabulary."""
    model = tiny("llama", "float64")
    text, layer = "mary and", 2
    data = invert(model, text, layer=layer, tried="all").data.isel(batch=0)
    tokens = Prompts.of(model, text).tokens[0]
    assert (data["tried"] == model.vocabulary_size).all()
    for pos in range(len(tokens)):
        apart = np.sort(brute(model, model.stream_sites()[layer], tokens, pos))
        np.testing.assert_allclose(data["distance"][pos], apart[0], atol=1e-10)
        np.testing.assert_allclose(data["margin"][pos], apart[1] - apart[0], rtol=1e-8)


def test_noise_below_half_the_margin_does_not_matter_and_above_it_does(tiny):
    """The worst noise points to the nearest other token: short of halfway the prompt is right, beyond it wrong."""
    model = tiny("llama", "float64")
    text, layer = "mary and", 2
    site, options = model.stream_sites()[layer], invert.parse_options({"layer": layer, "tried": "all"})
    tokens = Prompts.of(model, text).tokens[0]
    states = model.record(of_rows(tokens[None]), [site])[site][0].detach()
    noisy = {share: states.clone() for share in (0.49, 0.51)}
    for pos in range(len(tokens)):
        nearest = int(np.argsort(brute(model, site, tokens, pos))[1])
        rows = torch.cat([tokens[:pos], torch.tensor([nearest])])[None]
        other = model.record(of_rows(rows), [site])[site][0, pos]
        for share, rows in noisy.items():
            rows[pos] += share * (other - states[pos])
    said = {
        share: [m.token for m in inverted(model, site, rows, vocabulary(model), options)]
        for share, rows in noisy.items()
    }
    assert said[0.49] == tokens.tolist()
    assert said[0.51][0] != tokens[0]


def test_too_small_a_margin_is_refused(tiny):
    """Where two tokens embed alike nothing tells them apart; what follows is not guessed."""
    model = tiny("llama", "float64")
    result = invert(model, "mary and john", tolerance=1.0)
    assert np.isnan(result.values("correct")).all()
    assert (result.values("recovered_token") == "").all()
    noisy = invert(model, "mary and john", layer=0, noise=1e-3)
    assert (noisy.values("correct") == 1).all()
    assert (noisy.values("tried") == model.vocabulary_size).all()


def test_refusals(tiny):
    with pytest.raises(EngineError, match="reads what stands after"):
        invert(tiny("bert-masked"), "mary [MASK]")
    with pytest.raises(OptionError, match="has streams into layers 0 to 2, and 3"):
        invert(tiny("llama"), "mary", layer=4)


@pytest.mark.real_model
@pytest.mark.slow
def test_a_sentence_from_the_middle_of_the_default_model(real_model):
    data = invert(real_model, "The keys to the cabinet are on the table").data
    assert (data["correct"] == 1).all()

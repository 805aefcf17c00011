"""Inversion against brute force, and what noise it bears."""

import numpy as np
import pytest
import torch
from asking import CAUSAL, some
from reading import sentences

import interp
from interp.core.errors import EngineError, OptionError
from interp.core.prompts import Prompts
from interp.models.prefix import Prefix, unlabelled
from interp.probing import invert
from interp.probing.inversion import Vocabulary
from interp.probing.invert import inverted


def brute(model, site, tokens, pos):
    """The distance of every token's state, by a run of its own."""
    apart = []
    for token in range(model.vocabulary_size):
        rows = torch.cat([tokens[:pos], torch.tensor([token])])[None]
        true = torch.cat([tokens[: pos + 1]])[None]
        one, other = (model.run(unlabelled(each), record=[site])[site][0, pos] for each in (rows, true))
        apart.append(float((one - other).norm()))
    return np.array(apart)


@some("family", CAUSAL, always=("llama", "gpt2"))
@pytest.mark.parametrize("tried", ["regression", "gradient", "random"])
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
    states = model.record(unlabelled(tokens[None]), [site])[site][0].detach()
    noisy = {share: states.clone() for share in (0.49, 0.51)}
    for pos in range(len(tokens)):
        nearest = int(np.argsort(brute(model, site, tokens, pos))[1])
        rows = torch.cat([tokens[:pos], torch.tensor([nearest])])[None]
        other = model.record(unlabelled(rows), [site])[site][0, pos]
        for share, rows in noisy.items():
            rows[pos] += share * (other - states[pos])
    said = {
        share: [m.token for m in inverted(model, site, rows, Vocabulary.of(model), options)]
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
def test_words_from_the_middle_of_the_default_model(real_model):
    data = invert(real_model, "The keys to the cabinet are").data
    assert (data["correct"] == 1).all()


@pytest.mark.parametrize("family", CAUSAL)
def test_a_token_behind_remembered_keys_and_values_has_the_state_of_a_whole_run(family, tiny):
    model = tiny(family, "float64")
    tokens, some = model.prompts(sentences(family, 1)).tokens[0], torch.arange(5, 9)
    for site in (model.stream_sites()[1], model.stream_sites()[-1]):
        prefix = Prefix(model, site, tokens[:4])
        assert prefix.is_remembered
        whole = torch.cat([tokens[:4].expand(4, -1), some[:, None]], 1)
        there = model.run(unlabelled(whole), record=[site])[site][:, -1]
        torch.testing.assert_close(prefix.states(some), there, rtol=1e-6, atol=1e-9)
        torch.testing.assert_close(prefix.whole(some), there)


def test_a_model_without_a_cache_is_run_whole():
    """A compiled program's attention knows none: its states are right all the same."""
    model = interp.load("rasp/sort")
    tokens, site = torch.tensor([0, 4, 2, 3]), model.stream_sites()[-1]
    prefix = Prefix(model, site, tokens[:-1])
    assert not prefix.is_remembered
    there = model.run(unlabelled(tokens[None]), record=[site])[site][:, -1]
    torch.testing.assert_close(prefix.states(tokens[-1:]), there)

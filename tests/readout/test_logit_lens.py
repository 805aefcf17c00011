import dataclasses
import sys

import numpy as np
import pytest
import torch
from tiny import FAMILIES

from interp.core.errors import EngineError, OptionError
from interp.core.metric import Metric
from interp.core.prompts import Prompts
from interp.core.result import Result
from interp.readout import logit_lens

READERS = [family for family in FAMILIES if family != "bert-classifier"]
TARGET = {"bert-masked": "store"}


def layer_logits(reference, tokens):
    """Logits `layer pos vocab`, read from the plain model's hidden states with norms written out.

    Hugging Face returns the last hidden state already normed, except for BERT, whose head is applied to each.
    """
    hidden = [state[0] for state in reference.run(tokens, output_hidden_states=True).hidden_states[1:]]
    model = reference.model
    if reference.family == "bert-masked":
        return torch.stack([model.cls(state) for state in hidden])
    norm = {"gpt2": "transformer.ln_f", "gptneox": "gpt_neox.final_layer_norm"}.get(reference.family, "model.norm")
    norm = model.get_submodule(norm)
    normed = [final_norm(reference.family, norm, state) for state in hidden[:-1]] + [hidden[-1]]
    return torch.stack([state @ model.get_output_embeddings().weight.T for state in normed])


def final_norm(family, norm, state):
    if family in ("gpt2", "gptneox"):
        centred = state - state.mean(-1, keepdim=True)
        return centred / (centred.pow(2).mean(-1, keepdim=True) + norm.eps).sqrt() * norm.weight + norm.bias
    epsilon = norm.eps if family == "gemma3" else norm.variance_epsilon
    weight = 1 + norm.weight if family == "gemma3" else norm.weight
    return state / (state.pow(2).mean(-1, keepdim=True) + epsilon).sqrt() * weight


@pytest.mark.parametrize("family", READERS)
def test_agrees_with_the_definition(family, tiny, plain, texts):
    """Layer by layer and prompt by prompt; a padded place is NaN, without a token."""
    model, reference = tiny(family, "float64"), plain(family)
    target = TARGET.get(family, "a")
    (wanted,) = model.encode_continuation(target)
    lens = logit_lens(model, texts(family), target=target, top=4).data
    for row, text in enumerate(texts(family)):
        tokens = reference.tokens(text)
        for layer, logits in enumerate(layer_logits(reference, tokens)):
            for pos, logprobs in enumerate(logits.log_softmax(-1).tolist()):
                cell = lens.isel(batch=row, layer=layer, pos=pos)
                order = sorted(range(len(logprobs)), key=logprobs.__getitem__, reverse=True)
                assert cell.top_token.values.tolist() == [model.token_label(token) for token in order[:4]]
                np.testing.assert_allclose(cell.top_logprob, [logprobs[token] for token in order[:4]], atol=1e-5)
                np.testing.assert_allclose(cell.target_logprob, logprobs[wanted], atol=1e-5)
                assert cell.target_rank == 1 + order.index(wanted)
        padding = lens.isel(batch=row, pos=slice(len(tokens), None))
        assert (padding.top_token == "").all()
        assert all(np.isnan(padding[name]).all() for name in ("top_logprob", "target_logprob", "target_rank"))


@pytest.mark.parametrize("family", READERS)
def test_last_layer_is_the_model(family, tiny, texts):
    model = tiny(family)
    prompts = Prompts.of(model, texts(family)[:1])
    lens = logit_lens(model, prompts).data.top_logprob.isel(layer=-1).values
    np.testing.assert_allclose(lens, model.logits(prompts).log_softmax(-1).topk(5).values, atol=1e-5)


def test_without_a_target_there_is_no_target(tiny):
    assert set(logit_lens(tiny("llama"), "the store").data) == {"top_token", "top_logprob"}


def test_a_set_of_targets_has_its_mean_and_its_best_rank(tiny, texts):
    model = tiny("llama", "float64")
    prompts = Prompts.of(model, texts("llama")[:1])
    one, other = (logit_lens(model, prompts, target=target).data for target in ("a", "b"))
    metric = Metric.of(model, "a", positions=prompts.answer_positions(model))
    pair = (metric.targets[0] + tuple(model.encode_continuation("b")),)
    both = logit_lens(model, prompts, metric=dataclasses.replace(metric, targets=pair)).data
    np.testing.assert_allclose(both.target_logprob, (one.target_logprob + other.target_logprob) / 2)
    np.testing.assert_array_equal(both.target_rank, np.minimum(one.target_rank, other.target_rank))


def test_a_long_prompt_is_read_in_pieces(tiny, texts, monkeypatch):
    model = tiny("gpt2")
    whole = logit_lens(model, texts("gpt2"), target="a").data
    monkeypatch.setattr(sys.modules["interp.readout.logit_lens"], "ROWS", 5)
    assert logit_lens(model, texts("gpt2"), target="a").data.equals(whole)


@pytest.mark.parametrize("position", [0, 2, -1])
def test_one_position_is_read_as_among_all(position, tiny, texts):
    """Only it is decoded: as many rows as prompts and layers."""
    model = tiny("llama", "float64")
    prompts = Prompts.of(model, texts("llama"))
    places = prompts.answer_positions(model) if position < 0 else [position] * len(prompts)
    whole, one = (logit_lens(model, prompts, target="a", **given).data for given in ({}, {"position": position}))
    for row, place in enumerate(places):
        for name in whole:
            here, there = (data[name].isel(batch=row, pos=place).values for data in (one, whole))
            assert (here == there).all() if here.dtype == object else np.allclose(here, there, atol=1e-12)
    assert (one.top_token.values != "").sum() == len(prompts) * model.dims.layers * 5
    assert np.isfinite(one.target_rank).sum() == len(prompts) * model.dims.layers


def test_a_position_that_is_not_there_is_named(tiny):
    with pytest.raises(OptionError, match="position = 90: the prompt has positions 0 to"):
        logit_lens(tiny("llama"), "the store", position=90)


def test_its_words_survive_a_file(tiny, texts, tmp_path):
    lens = logit_lens(tiny("llama"), texts("llama"), target="a")
    assert Result.load(lens.save(tmp_path / "lens")).data.identical(lens.data)


@pytest.mark.parametrize("top", [0, -1, "many", 10**6])
def test_a_bad_number_of_tokens_is_named(top, tiny):
    with pytest.raises(OptionError, match="logit-lens, top = ") as error:
        logit_lens(tiny("llama"), "the store", top=top)
    assert "\n" not in str(error.value)


def test_a_classifier_is_refused(tiny):
    with pytest.raises(EngineError, match="classifier, whose head pools"):
        logit_lens(tiny("bert-classifier"), "the store")


@pytest.mark.real_model
def test_real_last_layer_is_the_model(real_model):
    prompts = Prompts.of(real_model, "When Mary and John went to the store, John gave a drink to", target=" Mary")
    lens = logit_lens(real_model, prompts).data.isel(batch=0, layer=-1)
    logprobs = real_model.logits(prompts)[0].log_softmax(-1)
    np.testing.assert_allclose(lens.top_logprob, logprobs.topk(5).values, atol=1e-4)
    assert lens.target_rank.values[-1] == 1
    assert lens.top_token.values[-1, 0] == " Mary"

import math

import numpy as np
import pytest
import torch
from tiny import FAMILIES
from transformer_lens import head_detector

from interp.core.errors import OptionError, PromptError
from interp.core.prompts import Prompts
from interp.readout import head_scores
from interp.readout.head_scores import HeadScoresOptions, _places, repeated_random_tokens

SCORES = ("previous_token", "duplicate_token", "induction", "first_token")


def slow_scores(attention, tokens):
    """One head's four scores, query by query and key by key, as the definitions read."""
    queries = range(len(tokens))
    sums: dict[str, list[float]] = {name: [] for name in SCORES}
    for query in queries:
        if query >= 1:
            sums["previous_token"].append(attention[query][query - 1])
            sums["first_token"].append(attention[query][0])
        earlier = [key for key in range(query) if tokens[key] == tokens[query]]
        if earlier:
            sums["duplicate_token"].append(sum(attention[query][key] for key in earlier))
            sums["induction"].append(sum(attention[query][key + 1] for key in earlier))
    return [sum(values) / len(values) if values else math.nan for values in sums.values()]


@pytest.mark.parametrize("family", FAMILIES)
def test_agrees_with_the_definition(family, tiny, plain, texts):
    """On natural prompts of different lengths, one of them with repeated tokens."""
    model, reference = tiny(family, "float64"), plain(family)
    found = head_scores(model, texts(family)).data
    for row, text in enumerate(texts(family)):
        tokens = reference.tokens(text)
        for layer, heads in enumerate(reference.attention(tokens).tolist()):
            for head, attention in enumerate(heads):
                cell = found.isel(batch=row, layer=layer, head=head)
                expected = slow_scores(attention, tokens)
                np.testing.assert_allclose([cell[name].item() for name in SCORES], expected, atol=1e-6)


@pytest.mark.parametrize("family", FAMILIES)
def test_default_prompts_repeat_random_ordinary_tokens(family, tiny, plain):
    """And are scored by the same definition."""
    model, reference = tiny(family, "float64"), plain(family)
    result = head_scores(model, n=2, length=10, seed=3)
    found = result.data
    prompts = repeated_random_tokens(model, HeadScoresOptions(n=2, length=10, seed=3))
    assert result.provenance.prompt_hash == prompts.hash
    assert found.sizes["batch"] == len(prompts) == 2
    for row, tokens in enumerate(prompts.tokens.tolist()):
        body = tokens[1:-1] if family.startswith("bert") else tokens
        assert body[:10] == body[10:]
        assert len(set(body)) == 10
        assert not set(body) & set(model.tokenizer.all_special_ids)
        if family.startswith("bert"):
            assert [tokens[0], tokens[-1]] == model.tokenizer.convert_tokens_to_ids(["[CLS]", "[SEP]"])
        attention = reference.attention(tokens)[1, 2].tolist()
        cell = found.isel(batch=row, layer=1, head=2)
        np.testing.assert_allclose([cell[name].item() for name in SCORES], slow_scores(attention, tokens), atol=1e-6)


def test_the_seed_chooses_the_prompts(tiny):
    model = tiny("llama")
    first, again, other = (head_scores(model, n=1, length=6, seed=seed) for seed in (1, 1, 2))
    assert first.provenance.prompt_hash == again.provenance.prompt_hash != other.provenance.prompt_hash
    assert first.data.equals(again.data)


def test_without_a_repeat_two_scores_are_missing(tiny):
    found = head_scores(tiny("llama"), "gave").data.isel(batch=0)
    tokens = Prompts.of(tiny("llama"), "gave").tokens[0].tolist()
    assert len(set(tokens)) == len(tokens)
    assert np.isnan(found.induction).all()
    assert np.isnan(found.duplicate_token).all()


def test_one_token_alone_has_no_scores(tiny):
    model = tiny("llama")
    found = head_scores(model, Prompts.of_tokens(model, [[5]])).data
    assert all(np.isnan(found[name]).all() for name in SCORES)


def test_places_are_those_of_the_head_detector(tiny):
    """TransformerLens' detection patterns for the three names that it has."""
    tokens = [7, 8, 9, 7, 8, 9, 9, 7]
    places = _places(Prompts.of_tokens(tiny("llama"), [tokens]))
    row = torch.tensor([tokens])
    for name, pattern in (
        ("previous_token", head_detector.get_previous_token_head_detection_pattern(row)),
        ("duplicate_token", head_detector.get_duplicate_token_head_detection_pattern(row)),
        ("induction", head_detector.get_induction_head_detection_pattern(row)),
    ):
        np.testing.assert_array_equal(places[name][0].numpy(), pattern.numpy().astype(bool))


@pytest.mark.parametrize("options", [{"n": 0}, {"length": 0}, {"seed": -1}, {"length": 10**5}, {"heads": 3}])
def test_bad_options_are_named(options, tiny):
    with pytest.raises(OptionError, match=next(iter(options))) as error:
        head_scores(tiny("llama"), **options)
    assert "\n" not in str(error.value)


def test_prompts_longer_than_the_context_are_refused(tiny):
    with pytest.raises(PromptError, match="a prompt of 80 tokens exceeds the context of 64"):
        head_scores(tiny("llama"), length=40)


@pytest.mark.real_model
def test_real_model_has_induction_and_previous_token_heads(real_model):
    summary = head_scores(real_model).summary()
    assert summary.induction.max() > 0.5
    assert summary.previous_token.max() > 0.5
    assert (summary.induction_low <= summary.induction).all()

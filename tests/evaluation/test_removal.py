"""Removing tokens: each way against the plainest form of the same thing, on every family."""

import pytest
import torch
from asking import prompts_for
from tiny import FAMILIES

from interp.core.errors import OptionError
from interp.core.prompts import Prompts
from interp.evaluation.removal import mean_embedding, removable, removal_of
from interp.models.sites import Site

EACH = pytest.mark.parametrize("family", FAMILIES)


def asked(tiny, family):
    """A model in float64, one prompt, its metric, and three of its tokens to remove."""
    model = tiny(family, "float64")
    prompt = prompts_for(model, family)[[0]]
    places = removable(model, prompt, prompt.metric)[0].nonzero()[:, 0]
    gone = torch.zeros_like(prompt.mask)
    gone[0, places[[1, 2, -1]]] = True
    return model, prompt, gone


def answer_without(model, prompt, gone, *how):
    changed, edits = removal_of(model, *how)(prompt, gone)
    return model.run(changed, edits=edits, answer=prompt.metric).logits


@EACH
def test_the_answer_and_special_tokens_stay(family, tiny):
    model = tiny(family)
    prompts = prompts_for(model, family)
    free = removable(model, prompts, prompts.metric)
    special = set(model.tokenizer.all_special_tokens) - {"[UNK]"}
    for row, labels in enumerate(prompts.labels):
        length = int(prompts.mask[row].sum())
        kept = {place for place in range(length) if labels[place] in special}
        kept |= set() if model.is_classifier else {prompts.metric.positions[row]}
        assert set(free[row].nonzero()[:, 0].tolist()) == set(range(length)) - kept


@EACH
def test_mean_embedding(family, tiny):
    """The mean over prompts of one token each, put there by a plain hook on the embedding module."""
    model, prompt, gone = asked(tiny, family)
    every = Prompts.of_tokens(model, [[token] for token in range(model.dims.vocab)])
    mean = model.record(every, [Site("embed")])[Site("embed")].mean((0, 1))
    torch.testing.assert_close(mean_embedding(model), mean)

    def put(module, inputs, output):
        return torch.where(gone[..., None], mean, output)

    with model.bridge.embed.original_component.register_forward_hook(put):
        expected = model.run(prompt, answer=prompt.metric).logits
    found = answer_without(model, prompt, gone, "mean-embedding")
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-10)
    assert (found - model.run(prompt, answer=prompt.metric).logits).abs().max() > 1e-6


@EACH
def test_token(family, tiny):
    """The prompt written with the other token in the first place."""
    model, prompt, gone = asked(tiny, family)
    token = model.tokenizer.mask_token_id if not model.is_causal else model.encode_continuation(" to")[0]
    row = [token if out else old for old, out in zip(prompt.tokens[0].tolist(), gone[0].tolist(), strict=True)]
    expected = model.run(Prompts.of_tokens(model, [row]), answer=prompt.metric).logits
    found = answer_without(model, prompt, gone, "token", "" if not model.is_causal else " to")
    torch.testing.assert_close(found, expected, rtol=0, atol=0)


@EACH
def test_attention(family, tiny):
    """The Hugging Face model's own attention mask, with every token at its old position."""
    model, prompt, gone = asked(tiny, family)
    plain = type(model.bridge.original_model).from_pretrained(
        model.name, dtype=torch.float64, attn_implementation="eager"
    )
    inputs = {"attention_mask": (~gone).long(), "position_ids": torch.arange(prompt.width)[None]}
    with torch.no_grad():
        expected = prompt.metric.at_answer(plain.eval()(prompt.tokens, **inputs).logits)
    found = answer_without(model, prompt, gone, "attention")
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-10)
    assert (found - model.run(prompt, answer=prompt.metric).logits).abs().max() > 1e-4


def test_the_first_token_can_go_too(tiny):
    """It attends to itself alone, so that no row of attention is left empty."""
    model, prompt, gone = asked(tiny, "llama")
    gone[:] = removable(model, prompt, prompt.metric)
    assert gone[0, 0]
    assert answer_without(model, prompt, gone, "attention").isfinite().all()


def test_each_row_loses_its_own_tokens(tiny):
    """Many removals in one forward pass are the same removals one at a time."""
    model, prompt, gone = asked(tiny, "gemma3")
    many = torch.cat([gone, torch.zeros_like(gone), torch.roll(gone, 1, 1) & removable(model, prompt, prompt.metric)])
    for how in (("mean-embedding",), ("token", " to"), ("attention",)):
        changed, edits = removal_of(model, *how)(prompt[[0] * 3], many)
        together = model.run(changed, edits=edits, answer=prompt.metric.select([0] * 3)).logits
        for row in range(3):
            alone = answer_without(model, prompt, many[[row]], *how)
            torch.testing.assert_close(together[[row]], alone, rtol=0, atol=1e-10)


def test_refused(tiny):
    model = tiny("llama")
    with pytest.raises(OptionError, match="has no mask token; give the replacement, such as '<|endoftext|>'"):
        removal_of(model, "token")
    with pytest.raises(OptionError, match="'Mary and John' is not one token"):
        removal_of(model, "token", "Mary and John")
    with pytest.raises(OptionError, match="applies to removal = 'token'"):
        removal_of(model, "attention", " to")
    changed, _ = removal_of(model, "token", "<|endoftext|>")(
        Prompts.of(model, "The keys"), torch.tensor([[True, False]])
    )
    assert changed.tokens[0, 0] == model.tokenizer.eos_token_id

"""Text as other tokenizers cut it: framed, ended, with a space in front, in bytes; and tokens without names."""

from collections.abc import Callable

import pytest
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers
from tokenizers.processors import TemplateProcessing
from transformers import PreTrainedTokenizerFast

import interp
from interp.models import HookedModel
from interp.models.text import encode_beginning, encode_continuation, encode_prompt, token_label

WORDS = ["▁Mary", "Mary", "▁", "▁John", "▁the", "M", "a", "r", "y", "J", "o", "h", "n", "t", "e"]


def llama_2() -> PreTrainedTokenizerFast:
    """As Llama 2's: a space before every text, written ▁; what it does not know falls to bytes."""
    vocabulary = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), *WORDS]
    ids = {word: at for at, word in enumerate(vocabulary)}
    merges = [("M", "a"), ("Ma", "r"), ("Mar", "y"), ("▁", "Mary"), ("t", "h"), ("th", "e"), ("▁", "the")]
    for left, right in merges:
        ids.setdefault(left + right, len(ids))
    tokenizer = Tokenizer(models.BPE(vocab=ids, merges=merges, unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    special = [AddedToken(name, special=True, normalized=False) for name in ("<s>", "</s>", "<unk>")]
    tokenizer.add_special_tokens(special)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", unk_token="<unk>")


@pytest.mark.parametrize("target", ["Mary", " Mary", "\n", " the", "the", "<0xF0>", "\t"])
def test_a_target_is_the_token_of_that_label(target: str) -> None:
    """With its space or without, where the tokenizer puts one before every text."""
    tokenizer = llama_2()
    (token,) = encode_continuation(tokenizer, target)
    assert token_label(tokenizer, token) == target


def test_several_tokens_keep_to_what_was_written() -> None:
    tokenizer = llama_2()
    labels = [token_label(tokenizer, token) for token in encode_continuation(tokenizer, "Maryhn")]
    assert labels == ["Mary", "h", "n"]


@pytest.mark.parametrize("family", ["llama", "gpt2"])
def test_a_token_without_a_name_is_accepted_by_its_label(checkpoint: Callable, family: str) -> None:
    """Where the embedding has more rows than the tokenizer has tokens."""
    model = interp.load(str(checkpoint(family)))
    number = len(model.tokenizer)
    assert model.token_label(number) == f"<{number}>"
    assert model.encode_continuation(f"<{number}>") == [number]
    assert model.encode_continuation("\n") == [next(t for t in range(number) if model.token_label(t) == "\n")]
    assert len(model.encode_continuation("<3>")) > 1  # that one has a name


@pytest.mark.parametrize("text", ["the [SEP]", "[CLS] the", "[CLS] the [SEP]", "the"])
def test_a_frame_that_is_typed_counts_once(tiny: Callable[..., HookedModel], text: str) -> None:
    model = tiny("bert-masked")
    assert [model.token_label(token) for token in model.encode(text)] == ["[CLS]", "the", "[SEP]"]


def test_the_frame_of_an_empty_text(tiny: Callable[..., HookedModel]) -> None:
    tokenizer = tiny("bert-masked").tokenizer
    assert encode_prompt(tokenizer, "") == [tokenizer.cls_token_id, tokenizer.sep_token_id]
    assert encode_beginning(tokenizer, "") == [tokenizer.cls_token_id]


def test_a_causal_model_reads_on_where_the_text_ends(checkpoint: Callable) -> None:
    """An end that the tokenizer adds is left out, one that is typed is read."""
    plain, ending = (interp.load(str(checkpoint("llama"))) for _ in range(2))
    end = ending.tokenizer.eos_token
    ending.tokenizer._tokenizer.post_processor = TemplateProcessing(single=f"$A {end}", special_tokens=[(end, 0)])
    assert ending.tokenizer("the store")["input_ids"][-1] == 0
    for text in ("the store", f"the store{end}", ""):
        assert ending.encode(text) == plain.encode(text)
    assert (ending.logits("the store") == plain.logits("the store")).all()

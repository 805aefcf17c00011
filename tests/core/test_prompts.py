"""Prompts: alignment, padding, labels, selection, and texts that cannot be read."""

import re

import pytest
import torch
from asking import CAUSAL, pairs_for, prompts_for
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny import CONTEXT, FAMILIES
from tokenizers.processors import TemplateProcessing

import interp
from interp import readout
from interp.core.errors import ModelError, PromptError, TargetError
from interp.core.prompts import PromptPairs, Prompts

ASCII = st.text(st.characters(min_codepoint=1, max_codepoint=127), min_size=1, max_size=CONTEXT)


@pytest.fixture(scope="module")
def llama(tiny):
    return tiny("llama")


@pytest.mark.parametrize("family", CAUSAL)
@settings(deadline=None, max_examples=60)
@given(text=ASCII.filter(str.strip))
def test_labels_joined_are_the_text(tiny, family, text):
    """For byte-level tokenizers; and what was read of a text is that text."""
    prompts = Prompts.of(tiny(family), text)
    assert "".join(prompts.labels[0]) == text
    assert prompts.texts == (text,)
    assert all(prompts.labels[0])


@settings(deadline=None, max_examples=60)
@given(rows=st.lists(st.lists(st.integers(0, 300), min_size=1, max_size=20), min_size=1, max_size=5))
def test_tokens_come_back(llama, rows):
    """Through padding, selection and reversal."""
    prompts = Prompts.of_tokens(llama, rows)
    found = [tokens[keep].tolist() for tokens, keep in zip(prompts.tokens, prompts.mask, strict=True)]
    assert found == rows
    assert prompts.width == max(map(len, rows))
    assert prompts.is_padded == (min(map(len, rows)) < prompts.width)
    assert [[bool(label) for label in row] for row in prompts.labels] == prompts.mask.tolist()
    backwards = prompts[list(range(len(rows)))[::-1]]
    assert backwards.hash == Prompts.of_tokens(llama, rows[::-1]).hash
    for index, row in enumerate(rows):
        alone = prompts[[index]]
        assert alone.tokens.tolist() == [row]
        assert not alone.is_padded
        assert alone.labels == (prompts.labels[index][: len(row)],)
        assert alone.hash == Prompts.of_tokens(llama, [row]).hash


@pytest.mark.parametrize("family", FAMILIES)
def test_padding_is_on_the_right(tiny, family):
    prompts = prompts_for(tiny(family), family)
    lengths = prompts.mask.sum(-1).tolist()
    assert lengths[0] > lengths[1]
    assert prompts.mask.tolist() == [[place < length for place in range(prompts.width)] for length in lengths]
    assert prompts.labels[1][lengths[1] :] == ("",) * (lengths[0] - lengths[1])


def test_labels_keep_the_leading_space(llama):
    assert Prompts.of(llama, "The keys are").labels == (("The", " keys", " are"),)


def test_special_tokens_are_labelled(tiny):
    labels = Prompts.of(tiny("bert-classifier"), "the keys").labels[0]
    assert labels[0] == "[CLS]"
    assert labels[-1] == "[SEP]"


def test_no_label_is_empty(tiny):
    """Not of any token; an empty label is what marks padding."""
    for family in ("llama", "bert-masked"):
        model = tiny(family)
        assert all(map(model.token_label, range(model.vocabulary_size + 3)))


@pytest.mark.parametrize("text", ["a\nb", "naïve 🗝️ 日本", "<b>&amp;</b>", "\ttab", "\u202eright to left", "\ufffd"])
def test_awkward_texts(llama, text):
    prompts = Prompts.of(llama, text)
    assert prompts.texts == (text,)
    assert llama.tokenizer.decode(prompts.tokens[0]) == text
    assert llama.logits(prompts).isfinite().all()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the prompt is empty; enter some text"),
        (" \n\t\u2003", "the prompt is empty; enter some text"),
        ("a\0b", r"'a\\x00b' contains a NUL character; remove it"),
        ("a\ud83d", r"'a\\ud83d' contains a lone surrogate, .*; remove it"),
        (
            " to" * (CONTEXT + 1),
            f"a prompt of {CONTEXT + 1} tokens exceeds the context of {CONTEXT} tokens of .*; shorten it",
        ),
    ],
)
def test_unreadable_texts(llama, text, message):
    """Alone, among others, and as the corrupted side; in one line."""
    for refused in (
        lambda: Prompts.of(llama, text),
        lambda: Prompts.of(llama, ["The keys", text]),
        lambda: PromptPairs.of(llama, "The keys", text),
    ):
        with pytest.raises(PromptError, match=message) as caught:
            refused()
        assert "\n" not in str(caught.value)


def test_the_longest_prompt_is_read(llama):
    assert llama.logits(Prompts.of(llama, " to" * CONTEXT)).shape[1] == CONTEXT


@pytest.mark.parametrize("rows", [[], [[]], [[1], []]])
def test_no_tokens(llama, rows):
    with pytest.raises(PromptError, match="no prompt given; give at least one token"):
        Prompts.of_tokens(llama, rows)


def test_no_prompts(llama):
    with pytest.raises(PromptError, match="no prompt given"):
        Prompts.of(llama, [])


def test_hash_is_of_the_tokens_alone(llama):
    keys, both = Prompts.of(llama, "The keys"), Prompts.of(llama, ["The keys", "The keys are"])
    assert both.is_padded
    assert both[[0]].hash == keys.hash == keys.asking(llama, " are").hash
    # Padded and not: the same tokens either way.
    padded = Prompts(keys.texts, both.tokens[:1], both.mask[:1], both.labels[:1])
    assert padded.is_padded
    assert padded.hash == keys.hash
    different = ["The store", "The", "The keys are", ["The", " keys"], ["The keys"] * 2, [" keys", "The"]]
    hashes = {keys.hash, both.hash, *(Prompts.of(llama, texts).hash for texts in different)}
    assert len(hashes) == len(different) + 2


def test_selection_keeps_the_question(llama):
    prompts = Prompts.of(llama, ["The", "The keys to", "The keys"], target=[" is", " are", " he"], contrast=" she")
    metric = prompts.metric
    assert metric is not None
    assert metric.positions == (0, 2, 1)
    for rows in ([2, 0], [1, 1, 1], slice(1, None), slice(None, None, 2)):
        picked = prompts[rows]
        indices = list(range(3))[rows] if isinstance(rows, slice) else rows
        assert picked.texts == tuple(prompts.texts[index] for index in indices)
        assert picked.width == max(int(prompts.mask[index].sum()) for index in indices)
        assert picked.metric is not None
        assert picked.metric.positions == tuple((0, 2, 1)[index] for index in indices)
        assert picked.metric.target_labels == tuple(metric.target_labels[index] for index in indices)


def test_answers_are_read_at_the_last_token_or_the_mask(tiny):
    assert Prompts.of(tiny("llama"), ["The", "The keys to"]).answer_positions(tiny("llama")) == (0, 2)
    masked = tiny("bert-masked")
    prompts = Prompts.of(masked, ["the [MASK] are", "the keys are [MASK]"])
    for tokens, place in zip(prompts.tokens, prompts.answer_positions(masked), strict=True):
        assert tokens[place] == masked.tokenizer.mask_token_id
    for text in ("the keys", "[MASK] [MASK]"):
        with pytest.raises(PromptError):
            Prompts.of(masked, text).answer_positions(masked)


def test_coordinates(llama):
    prompts = Prompts.of(llama, ["The keys", "The"])
    found = prompts.coordinates("query_pos", "key_pos")
    assert set(found) == {"batch", "prompt", "query_pos", "key_pos", "query_token", "key_token"}
    assert found["query_token"][0] == ("batch", "query_pos")
    assert found["key_token"][1].tolist() == [["The", " keys"], ["The", ""]]
    assert found["prompt"][1].tolist() == ["The keys", "The"]
    assert found["key_pos"][1].tolist() == [0, 1]


def test_pairs_align(llama):
    pairs = PromptPairs.of(llama, ["The keys", "The"], ["The store", "s"], target=" is", contrast=" are")
    assert len(pairs) == 2
    assert torch.equal(pairs.clean.mask, pairs.corrupted.mask)
    assert pairs.metric is pairs.clean.metric
    assert pairs.hash == f"{pairs.clean.hash}-{pairs.corrupted.hash}"
    assert (pairs[[1]].clean.texts, pairs[[1]].corrupted.texts) == (("The",), ("s",))
    assert pairs[1:].clean.width == 1


def test_pairs_that_do_not_align(llama):
    with pytest.raises(PromptError, match=r"differ in length \(2 and 3 tokens, pair 0: 'The keys to'\); reword one"):
        PromptPairs.of(llama, "The keys", "The keys to")
    with pytest.raises(PromptError, match=r"differ in length \(2 and 1 tokens, pair 1"):
        PromptPairs.of(llama, ["The", "The keys"], ["The", "The"])
    with pytest.raises(PromptError, match="2 clean and 1 corrupted prompts; give the same number of each"):
        PromptPairs.of(llama, ["The", "The keys"], "The")


@pytest.mark.parametrize("family", FAMILIES)
def test_pairs_of_every_family(tiny, family):
    pairs = pairs_for(tiny(family), family)
    assert pairs.metric is not None
    assert len(pairs.metric) == len(pairs) == 2
    assert pairs.clean.hash != pairs.corrupted.hash


def test_a_question_that_cannot_be_asked(llama):
    with pytest.raises(TargetError, match="2 answers for 1 prompts; give one for each prompt, or one for all"):
        Prompts.of(llama, "The keys", target=[" is", " are"])
    with pytest.raises(TargetError, match="3 contrasts for 2 prompts"):
        Prompts.of(llama, ["The", "The keys"], target=" is", contrast=[" is"] * 3)


@pytest.mark.real_model
@pytest.mark.parametrize("text", ["I like 🍕 and 龘 the", "日本語の「鬱」", "𓀀𓁀", "a\u0301e\u0301 🏳️‍🌈"])
def test_parts_of_a_character_are_bytes_and_the_last_shows_it(real_model, text):
    """Read back from the bytes, the labels are the text; and each label by itself is an answer: that token."""
    prompts = Prompts.of(real_model, text)
    pieces = [label.partition("→")[0] for label in prompts.labels[0]]
    spelt = re.split("<0x([0-9A-F]{2})>", "".join(pieces))
    parts = [bytes.fromhex(piece) if at % 2 else piece.encode() for at, piece in enumerate(spelt)]
    assert b"".join(parts).decode() == text
    shown = "".join(label.partition("→")[2] for label in prompts.labels[0])
    assert shown
    assert set(shown) <= set(text)
    for token, piece in zip(prompts.tokens[0].tolist(), pieces, strict=True):
        assert real_model.token_label(token) == piece
        assert real_model.encode_continuation(piece) == [token]


@pytest.mark.parametrize("wrong", [3, None, [" a", 4], torch.ones(2)])
def test_what_is_not_text_is_named(llama, wrong):
    with pytest.raises(PromptError, match="prompts are a text, a list of texts, or Prompts; got "):
        Prompts.of(llama, wrong)
    if wrong is not None:
        with pytest.raises(PromptError, match="prompts are a text"):
            readout.attention(llama, wrong)


def test_a_model_reads_text_and_refuses_pairs(llama):
    text = "Mary and John"
    plain = llama.logits(Prompts.of(llama, text))
    assert torch.equal(llama.logits(text), plain)
    assert torch.equal(llama.run([text]).logits, plain)
    with pytest.raises(PromptError, match=r"give `pairs.clean` or `pairs.corrupted`"):
        llama.logits(PromptPairs.of(llama, text, text))


@pytest.mark.parametrize("model", ["smollm2-135m", None, 3])
def test_a_model_that_was_not_loaded(model):
    with pytest.raises(ModelError, match=r"attention runs on a loaded model, not on \w+ .*interp.load"):
        readout.attention(model, "Mary")


def test_tokens_beyond_the_embedding(checkpoint):
    """Typed as text or as ids, in a prompt or as an answer: one line that names the token."""
    model = interp.load(str(checkpoint("llama")))
    model.tokenizer.add_tokens(["store2"])
    beyond = model.vocabulary_size
    with pytest.raises(PromptError, match=f"token {beyond} \\('store2'\\), which is beyond the embedding"):
        Prompts.of(model, "the store2")
    for token in (-1, 10**6):
        with pytest.raises(PromptError, match=f"token {token}\\b"):
            Prompts.of_tokens(model, [[1, token]])
    with pytest.raises(TargetError, match=f"'store2' is token {beyond}, which is beyond"):
        Prompts.of(model, "the", target="store2")


def test_a_first_token_that_is_typed_counts_once(checkpoint):
    """Where the tokenizer puts one in front of every text; two that are typed are two."""
    model = interp.load(str(checkpoint("llama")))
    bos = model.tokenizer.convert_ids_to_tokens(0)
    assert model.encode(f"{bos}the store")[0] == 0 != model.encode(f"{bos}the store")[1]
    assert model.encode(f"{bos}{bos}the")[:2] == [0, 0]
    model.tokenizer._tokenizer.post_processor = TemplateProcessing(single=f"{bos} $A", special_tokens=[(bos, 0)])
    assert model.encode("the store")[0] == 0
    assert model.encode(f"{bos}the store") == model.encode("the store")
    assert model.encode(f"{bos}{bos}the") == [0, 0, *model.encode("the")[1:]]

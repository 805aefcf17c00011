"""The tokenizer of small models: words between spaces, or single characters, often behind BOS."""

from collections.abc import Sequence
from typing import Any

BOS, PAD, UNKNOWN = "BOS", "PAD", "UNKNOWN"


def tokenizer(vocabulary: Sequence[str], start: str = BOS, special: Sequence[str] = (BOS, PAD)) -> dict[str, Any]:
    """The content of tokenizer.json; a word that the model does not know is beyond the embedding, and refused.

    Where all but the `special` tokens are single characters, they need no spaces between them.
    """
    places = {token: place for place, token in enumerate([*vocabulary, UNKNOWN])}
    single = all(len(token) == 1 for token in vocabulary if token not in special)
    split = {"type": "Split", "pattern": {"Regex": "."}, "behavior": "Isolated", "invert": False}
    apart = [{"type": "WhitespaceSplit"}, *([split] if single else [])]
    about = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [{"id": places[token], "content": token, **about} for token in special],
        "normalizer": None,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": apart} if single else apart[0],
        "post_processor": _behind(start, places[start]) if start else None,
        "decoder": None,
        "model": {"type": "WordLevel", "vocab": places, "unk_token": UNKNOWN},
    }


def _behind(start: str, place: int) -> dict[str, Any]:
    """Every text behind a token."""
    single = [{"SpecialToken": {"id": start, "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}]
    return {
        "type": "TemplateProcessing",
        "single": single,
        "pair": [*single, {"Sequence": {"id": "B", "type_id": 0}}],
        "special_tokens": {start: {"id": start, "ids": [place], "tokens": [start]}},
    }


def settings(longest: int) -> dict[str, Any]:
    """The content of tokenizer_config.json, for inputs of at most `longest` tokens behind BOS."""
    return {"bos_token": BOS, "model_max_length": longest + 1, "pad_token": PAD, **_CLASS}


def settings_of(length: int, start: str = "") -> dict[str, Any]:
    """The same for inputs of at most `length` tokens in all, without padding, behind a token of the model's choice."""
    return {"model_max_length": length, **({"bos_token": start} if start else {}), **_CLASS}


_CLASS = {"tokenizer_class": "PreTrainedTokenizerFast"}

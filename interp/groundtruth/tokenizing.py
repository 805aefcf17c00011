"""The tokenizer of a compiled program: words between spaces, behind BOS."""

from collections.abc import Sequence
from typing import Any

BOS, PAD, UNKNOWN = "BOS", "PAD", "UNKNOWN"


def tokenizer(vocabulary: Sequence[str]) -> dict[str, Any]:
    """The content of tokenizer.json; a word that the program does not know is beyond the embedding, and refused."""
    places = {token: place for place, token in enumerate([*vocabulary, UNKNOWN])}
    special = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    single = [{"SpecialToken": {"id": BOS, "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}]
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [{"id": places[token], "content": token, **special} for token in (BOS, PAD)],
        "normalizer": None,
        "pre_tokenizer": {"type": "WhitespaceSplit"},
        "post_processor": {
            "type": "TemplateProcessing",
            "single": single,
            "pair": [*single, {"Sequence": {"id": "B", "type_id": 0}}],
            "special_tokens": {BOS: {"id": BOS, "ids": [places[BOS]], "tokens": [BOS]}},
        },
        "decoder": None,
        "model": {"type": "WordLevel", "vocab": places, "unk_token": UNKNOWN},
    }


def settings(longest: int) -> dict[str, Any]:
    """The content of tokenizer_config.json, for inputs of at most `longest` tokens behind BOS."""
    return {
        "bos_token": BOS,
        "model_max_length": longest + 1,
        "pad_token": PAD,
        "tokenizer_class": "PreTrainedTokenizerFast",
    }

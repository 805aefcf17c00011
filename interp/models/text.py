"""Text as a model's tokenizer cuts it: continuations, labels, and the place of a mask."""

from collections.abc import Sequence
from typing import Any


def encode_continuation(tokenizer: Any, text: str) -> list[int]:
    """Token ids of text that stands after a prompt: no special tokens, a leading space counted once.

    The label of one token (`##ing`, which the tokenizer itself would cut up) is that token.
    """
    tokens = tokenizer(text, add_special_tokens=False)["input_ids"]
    named = tokenizer.convert_tokens_to_ids(text) if len(tokens) > 1 else None
    if named is not None and token_label(tokenizer, named) == text:
        return [named]
    if len(tokens) > 1 and text.startswith(" "):
        # Tokenizers that put a space before every text would count the written one twice.
        shorter = tokenizer(text[1:], add_special_tokens=False)["input_ids"]
        if len(shorter) == 1 and token_label(tokenizer, shorter[0]) == text:
            return shorter
    return tokens


def token_label(tokenizer: Any, token: int) -> str:
    """One token as a person reads it, with its leading space; never empty."""
    raw = tokenizer.convert_ids_to_tokens(token)
    if raw is None:
        return f"<{token}>"
    text = tokenizer.decode([token])
    if raw.startswith("▁") and not text.startswith(" "):
        text = " " + text
    return raw if not text or "\ufffd" in text or "\0" in text else text


def mask_positions(tokenizer: Any, tokens: Sequence[int]) -> list[int]:
    """Where the mask token stands."""
    return [place for place, token in enumerate(tokens) if token == tokenizer.mask_token_id]

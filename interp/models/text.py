"""Text as a model's tokenizer cuts it: continuations, labels, and the place of a mask."""

import re
from collections.abc import Collection, Iterator, Sequence
from functools import cache
from typing import Any

from interp.core.errors import PromptError

_BYTE = re.compile("<0x([0-9A-F]{2})>")
_NUMBER = re.compile("<([0-9]{1,9})>")


def encode_prompt(tokenizer: Any, text: str) -> list[int]:
    """Token ids of a whole prompt with its special tokens; one that frames every text is not added to one typed there.

    A frame is what the tokenizer puts around every text: `<bos>`, `[CLS]` and `[SEP]`.
    """
    before, typed, after = _framed(tokenizer, text)
    if typed[:1] == before[-1:]:
        before = before[:-1]
    return before + typed + (after[1:] if typed[-1:] == after[:1] else after)


def encode_beginning(tokenizer: Any, text: str) -> list[int]:
    """Token ids of a prompt that is to be continued, as `encode_prompt`; no token that ends texts is added."""
    before, typed, _ = _framed(tokenizer, text)
    return (before[:-1] if typed[:1] == before[-1:] else before) + typed


def require_inputs(tokenizer: Any, tokens: Sequence[int], outputs: Collection[int], name: str) -> None:
    """Raises: PromptError if one of the tokens is among the `outputs`, which a compiled program only answers with."""
    if given := set(tokens).intersection(outputs):
        others = sorted(set(tokenizer.get_vocab().values()) - {*outputs, *tokenizer.all_special_ids})
        inputs = ", ".join(token_label(tokenizer, token) for token in others if token < max(outputs))
        raise PromptError(f"{token_label(tokenizer, min(given))!r} is an output of {name} and no input; give {inputs}")


def _framed(tokenizer: Any, text: str) -> tuple[list[int], list[int], list[int]]:
    """What the tokenizer puts in front of a text, the text's own tokens, and what it puts behind."""
    tokens = tokenizer(text)["input_ids"]
    typed = tokenizer(text, add_special_tokens=False)["input_ids"]
    extra = len(tokens) - len(typed)
    # Where the text begins like its frame, the longest frame in front is the right one: what is typed is inside it.
    at = next((at for at in range(extra, -1, -1) if tokens[at : at + len(typed)] == typed), None)
    if not typed and text != "a":
        before, _, after = _framed(tokenizer, "a")
        return before, [], after
    if at is None:  # a tokenizer that reads a framed text differently
        return tokens, [], []
    return tokens[:at], typed, tokens[at + len(typed) :]


def encode_continuation(tokenizer: Any, text: str) -> list[int]:
    """Token ids of text that stands after a prompt: no special tokens, a leading space counted once.

    The label of one token (`##ing`, `<0xF0><0x9F>`, `<420>`, which the tokenizer itself would cut up) is that token.
    """
    tokens = tokenizer(text, add_special_tokens=False)["input_ids"]
    adds_space = bool(tokens) and text[:1] not in ("", " ") and token_label(tokenizer, tokens[0]).startswith(" ")
    if len(tokens) > 1 or adds_space:
        for token in _candidates(tokenizer, text):
            if token_label(tokenizer, token) == text:
                return [token]
    if adds_space:
        return _behind(tokenizer, text) or tokens
    if len(tokens) > 1 and text.startswith(" "):
        # Tokenizers that put a space before every text would count the written one twice.
        shorter = tokenizer(text[1:], add_special_tokens=False)["input_ids"]
        if len(shorter) == 1 and token_label(tokenizer, shorter[0]) == text:
            return shorter
    return tokens


def _candidates(tokenizer: Any, text: str) -> Iterator[int]:
    """Tokens whose label the text may be: by name, as bytes, or by number where the tokenizer has no name."""
    names = [text, _raw(text), *([f"<0x{ord(text):02X}>"] if text.isascii() and len(text) == 1 else [])]
    yield from (token for name in names if (token := tokenizer.convert_tokens_to_ids(name)) is not None)
    if number := _NUMBER.fullmatch(text):
        yield int(number[1])


def _behind(tokenizer: Any, text: str) -> list[int]:
    """Token ids of text as it stands behind a line break, for a tokenizer that puts a space before every text."""
    anchor = tokenizer("\n", add_special_tokens=False)["input_ids"]
    tokens = tokenizer(f"\n{text}", add_special_tokens=False)["input_ids"]
    return tokens[len(anchor) :] if tokens[: len(anchor)] == anchor else []


def token_label(tokenizer: Any, token: int) -> str:
    """One token as a person reads it, with its leading space; never empty. Parts of a character are bytes: `<0xF0>`."""
    raw = tokenizer.convert_ids_to_tokens(token)
    if raw is None:
        return f"<{token}>"
    text = tokenizer.decode([token])
    if raw.startswith("▁") and not text.startswith(" "):
        text = " " + text
    if "\ufffd" in text:
        part = _bytes_of(raw)
        return raw if part is None else _spelt(part)
    return raw if not text or "\0" in text else text


def token_labels(tokenizer: Any, tokens: Sequence[int]) -> list[str]:
    """The labels of tokens that follow one another: the one that completes a character shows it, `<0x95>→🍕`."""
    labels = [token_label(tokenizer, token) for token in tokens]
    pending = b""
    for place, (token, label) in enumerate(zip(tokens, labels, strict=True)):
        part = _bytes_of(tokenizer.convert_ids_to_tokens(token)) if _BYTE.search(label) else None
        pending = b"" if part is None else pending + part
        if len(pending) > len(part or b""):
            try:
                labels[place] = f"{label}→{pending.decode().strip()}"
                pending = b""
            except UnicodeDecodeError as error:
                pending = pending if "end of data" in error.reason else b""
    return labels


def mask_positions(tokenizer: Any, tokens: Sequence[int]) -> list[int]:
    """Where the mask token stands."""
    return [place for place, token in enumerate(tokens) if token == tokenizer.mask_token_id]


@cache
def _alphabet() -> dict[str, int]:
    """The byte that each character of a byte-level vocabulary stands for."""
    from transformers.convert_slow_tokenizer import bytes_to_unicode

    return {character: byte for byte, character in bytes_to_unicode().items()}


def _bytes_of(raw: str) -> bytes | None:
    """What a token of a byte-level vocabulary, or a byte of another, stands for; None for other tokens."""
    if match := _BYTE.fullmatch(raw):
        return bytes([int(match[1], 16)])
    alphabet = _alphabet()
    return bytes(alphabet[character] for character in raw) if set(raw) <= set(alphabet) else None


def _spelt(part: bytes) -> str:
    """Bytes as text, those that are no whole character as `<0xF0>`."""
    text = ""
    while part:
        try:
            return text + part.decode()
        except UnicodeDecodeError as error:
            text += part[: error.start].decode() + "".join(f"<0x{b:02X}>" for b in part[error.start : error.end])
            part = part[error.end :]
    return text


def _raw(text: str) -> str:
    """A label as a byte-level vocabulary writes it."""
    characters = {byte: character for character, byte in _alphabet().items()}
    pieces = _BYTE.split(text)  # text, hexadecimal digits, text, …
    parts = (bytes([int(piece, 16)]) if at % 2 else piece.encode() for at, piece in enumerate(pieces))
    return "".join(characters[byte] for byte in b"".join(parts))

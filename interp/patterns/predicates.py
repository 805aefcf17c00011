"""Predicates: which keys a query looks at, in words that a person types."""

import re
from collections.abc import Callable
from functools import reduce

import torch
from jaxtyping import Bool
from torch import Tensor

from interp.core.errors import OptionError
from interp.core.prompts import Prompts
from interp.models.hooked import HookedModel
from interp.models.key_places import Cells, after_earlier_copies, at_offset, real_pairs, same_token

_SEPARATOR = re.compile(r"\s*[.,;:!?]+\s*|\s*\n\s*")
_SENTENCE_END = re.compile(r"\s*[.!?]+[\s\"'”’)\]]*|\s*\n\s*\n\s*")
Labels = list[list[str]]
Place = Callable[[Prompts, Labels], Cells]


def _first(prompts: Prompts, labels: Labels) -> Cells:
    return real_pairs(prompts) & (torch.arange(prompts.width) == 0)


def _any(prompts: Prompts, labels: Labels) -> Cells:
    return real_pairs(prompts)


def _separator(prompts: Prompts, labels: Labels) -> Cells:
    """The nearest earlier separator alone."""
    places = torch.arange(prompts.width)
    latest = torch.where(_matching(prompts, labels, _SEPARATOR.fullmatch), places, -1).cummax(1).values
    before = torch.cat([torch.full_like(latest[:, :1], -1), latest[:, :-1]], 1)
    return real_pairs(prompts) & (places == before[:, :, None])


def _sentence(prompts: Prompts, labels: Labels) -> Cells:
    """No sentence ends between the two; the token that ends one belongs to it."""
    ends = _matching(prompts, labels, _SENTENCE_END.fullmatch).long()
    sentence = ends.cumsum(1) - ends
    return real_pairs(prompts) & (sentence[:, :, None] == sentence[:, None, :])


def _matching(prompts: Prompts, labels: Labels, matches: Callable[[str], object]) -> Bool[Tensor, "batch pos"]:
    return torch.tensor([[bool(matches(label)) for label in row] for row in labels]) & prompts.mask


def _plain(place: Callable[[Prompts], Cells]) -> Place:
    return lambda prompts, labels: place(prompts)


_WORDS: dict[str, Place] = {
    "any": _any,
    "self": _plain(lambda prompts: at_offset(prompts, 0)),
    "first": _first,
    "same-token": _plain(same_token),
    "induction": _plain(after_earlier_copies),
    "separator": _separator,
    "sentence": _sentence,
}
LANGUAGE = (
    f"{', '.join(_WORDS)}, offset:K (the key K positions after the query, such as offset:-1), regex:PATTERN (found in "
    "the key's token), query:PATTERN (in the query's); joined by ' & ' (both), which binds first, and ' | ' (either)"
)


def parse(text: str) -> Place:
    """What a predicate selects, of prompts and the labels of their tokens.

    Raises: OptionError that names the part that cannot be read, and what there is.
    """
    either = [[_part(text, part) for part in both.split(" & ")] for both in text.split(" | ")]

    def cells(prompts: Prompts, labels: Labels) -> Cells:
        parts = [reduce(torch.logical_and, [part(prompts, labels) for part in both]) for both in either]
        return reduce(torch.logical_or, parts)

    return cells


def cells_of(model: HookedModel, prompts: Prompts, predicate: str) -> Cells:
    """The cells that a predicate selects, seen by the query or not. Raises: OptionError as `parse`."""
    return parse(predicate)(prompts, labels_of(model, prompts))


def labels_of(model: HookedModel, prompts: Prompts) -> Labels:
    """Each token by itself; prompts that only run bring no labels."""
    label = {token: model.token_label(token) for token in prompts.tokens.unique().tolist()}
    return [[label[token] for token in row] for row in prompts.tokens.tolist()]


def _part(whole: str, text: str) -> Place:
    name, colon, value = text.partition(":")
    name = name.strip()
    if name in _WORDS and not colon:
        return _WORDS[name]
    if name == "offset" and re.fullmatch(r"[+-]?\d{1,6}", value.strip()):
        offset = int(value)
        return _plain(lambda prompts: at_offset(prompts, offset))
    if name in ("regex", "query") and value:
        return _of_token(whole, value, axis=1 if name == "regex" else 2)
    raise OptionError(f"predicate {whole!r}: cannot read {text.strip()!r}; write {LANGUAGE}")


def _of_token(whole: str, value: str, axis: int) -> Place:
    """Cells whose key (along axis 2; the new axis is 1) or query matches a regular expression."""
    try:
        pattern = re.compile(value)
    except re.error as error:
        raise OptionError(f"predicate {whole!r}: {value!r} is no regular expression: {error}") from None

    def cells(prompts: Prompts, labels: Labels) -> Cells:
        matches = _matching(prompts, labels, pattern.search)
        return real_pairs(prompts) & matches.unsqueeze(axis)

    return cells

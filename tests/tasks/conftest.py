"""A model that is only a tokenizer: every word one token, digits cut as asked."""

import re
from collections.abc import Callable, Sequence
from itertools import product
from string import ascii_lowercase
from typing import Any

import pytest
import torch
from torch import Tensor

from interp.core.prompts import Prompts


class Words:
    """Text in, word ids out; its logits are whatever `answer` makes of the prompts."""

    class_names = ()
    weight_hash = "none"

    def __init__(
        self,
        digits: str = r"\d",
        context: int = 512,
        answer: Callable[[Prompts], Tensor] | None = None,
        is_causal: bool = True,
        is_classifier: bool = False,
    ) -> None:
        self.pattern = re.compile(rf" ?[^\W\d_]+| ?{digits}|.", re.DOTALL)
        self.name = "words"
        self.context_length = context
        self.answer = answer
        self.is_causal = is_causal
        self.is_classifier = is_classifier
        self.vocabulary = ["<start>", *map("".join, product(ascii_lowercase[:8], repeat=2))]
        self.batches: list[int] = []

    @property
    def vocabulary_size(self) -> int:
        return len(self.vocabulary)

    def encode(self, text: str) -> list[int]:
        return [0, *self.encode_continuation(text)]

    def encode_continuation(self, text: str) -> list[int]:
        pieces = self.pattern.findall(text)
        self.vocabulary += [piece for piece in dict.fromkeys(pieces) if piece not in self.vocabulary]
        return [self.vocabulary.index(piece) for piece in pieces]

    def token_label(self, token: int) -> str:
        return self.vocabulary[token]

    def token_labels(self, tokens: Sequence[int]) -> list[str]:
        return [self.token_label(token) for token in tokens]

    @property
    def program(self) -> str:
        return ""

    @property
    def pools(self) -> bool:
        return False

    def answer_position(self, tokens: Sequence[int]) -> int:
        return len(tokens) - 1

    def logits(self, prompts: Prompts) -> Tensor:
        self.batches.append(len(prompts))
        return torch.zeros(len(prompts), prompts.width, 100_000) if self.answer is None else self.answer(prompts)


@pytest.fixture
def words() -> type[Any]:
    return Words

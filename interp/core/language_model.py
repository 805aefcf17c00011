"""What the core requires of a model; `interp.models.HookedModel` implements it."""

from collections.abc import Sequence
from typing import Any, Protocol


class LanguageModel(Protocol):
    """Text in, tokens out, and what the model is."""

    @property
    def name(self) -> str:
        """The name it was loaded by."""
        ...

    @property
    def is_classifier(self) -> bool:
        """Whether it answers with classes rather than tokens."""
        ...

    @property
    def is_causal(self) -> bool:
        """Whether a position sees only what stands before it."""
        ...

    @property
    def program(self) -> str | dict[str, Any]:
        """The program that it is compiled from: by name, or its RASP with vocabulary and length; empty for others."""
        ...

    @property
    def class_names(self) -> tuple[str, ...]:
        """A classifier's classes; empty for a language model."""
        ...

    @property
    def vocabulary_size(self) -> int:
        """How many tokens it knows."""
        ...

    @property
    def context_length(self) -> int:
        """The most tokens that it reads at once."""
        ...

    @property
    def weight_hash(self) -> str:
        """A hash of every parameter."""
        ...

    @property
    def largest_weight(self) -> tuple[str, float]:
        """The parameter with the largest number, or the first one that is not finite, and that number."""
        ...

    def encode(self, text: str) -> list[int]:
        """Token ids of a whole prompt, with the special tokens that the model expects."""
        ...

    def encode_continuation(self, text: str) -> list[int]:
        """Token ids of text that stands inside or after a prompt: no special tokens."""
        ...

    def token_label(self, token: int) -> str:
        """One token as a person reads it, with its leading space; never empty."""
        ...

    def token_labels(self, tokens: Sequence[int]) -> list[str]:
        """The labels of tokens that follow one another: one that completes a character shows it."""
        ...

    @property
    def pools(self) -> bool:
        """Whether its head reads one position alone, so that its logits have no axis of positions."""
        ...

    def answer_position(self, tokens: Sequence[int]) -> int:
        """Where the answer to a prompt is read."""
        ...

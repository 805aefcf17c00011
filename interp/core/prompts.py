"""Prompts and pairs of prompts: tokens, labels and padding, aligned token by token."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Bool, Int
from torch import Tensor

from interp.core.errors import PromptError
from interp.core.language_model import LanguageModel
from interp.core.metric import Metric


@dataclass(frozen=True, eq=False)
class Prompts:
    """A batch of tokenised prompts, padded on the right.

    `labels` holds each token as a person reads it, with its leading space; a padded place has the empty label, which
    no token has. `metric` is what the prompts ask, when they come with a question.
    """

    texts: tuple[str, ...]
    tokens: Int[Tensor, "batch pos"]
    mask: Bool[Tensor, "batch pos"]
    labels: tuple[tuple[str, ...], ...]
    metric: Metric | None = None

    @classmethod
    def of(
        cls,
        model: LanguageModel,
        texts: str | Sequence[str],
        *,
        target: str | Sequence[str] | None = None,
        contrast: str | Sequence[str] | None = None,
    ) -> "Prompts":
        """Tokenise `texts` as `model` reads them; with `target`, attach the question "target rather than contrast?".

        Raises: PromptError if a prompt is empty, too long or cannot be written as text; TargetError if an answer is
        not one token.
        """
        texts = _texts(texts)
        prompts = cls.of_tokens(model, [_encode(model, text) for text in texts], texts=texts)
        return prompts if target is None else prompts.asking(model, target, contrast)

    @classmethod
    def of_tokens(
        cls, model: LanguageModel, rows: Sequence[Sequence[int]], *, texts: Sequence[str] | None = None
    ) -> "Prompts":
        """Prompts from token ids, for behaviours that are not text (repeated random tokens)."""
        if not rows or not all(rows):
            raise PromptError("no prompt given; give at least one token")
        longest = max(map(len, rows))
        if longest > model.context_length:
            raise PromptError(
                f"a prompt of {longest} tokens exceeds the context of {model.context_length} tokens of {model.name}; "
                "shorten it"
            )
        unknown = next((token for row in rows for token in row if not 0 <= token < model.vocabulary_size), None)
        if unknown is not None:
            label = f" ({model.token_label(unknown)!r})" if unknown > 0 else ""
            raise PromptError(
                f"a prompt has token {unknown}{label}, which is beyond the embedding of "
                f"{model.name}, tokens 0 to {model.vocabulary_size - 1}; leave it out"
            )
        tokens = torch.zeros(len(rows), longest, dtype=torch.long)
        mask = torch.zeros(len(rows), longest, dtype=torch.bool)
        for index, row in enumerate(rows):
            tokens[index, : len(row)] = torch.tensor(row)
            mask[index, : len(row)] = True
        labels = tuple(tuple(model.token_labels(row)) + ("",) * (longest - len(row)) for row in rows)
        if texts is None:
            texts = ["".join(row) for row in labels]
        return cls(tuple(texts), tokens, mask, labels)

    def asking(
        self, model: LanguageModel, target: str | Sequence[str], contrast: str | Sequence[str] | None = None
    ) -> "Prompts":
        """The same prompts with the question "target rather than contrast?" attached."""
        metric = Metric.of(model, target, contrast, positions=self.answer_positions(model))
        return replace(self, metric=metric)

    def answer_positions(self, model: LanguageModel) -> tuple[int, ...]:
        """Where each prompt's answer is read."""
        rows = zip(self.tokens, self.mask, strict=True)
        return tuple(model.answer_position(row[keep].tolist()) for row, keep in rows)

    def __len__(self) -> int:
        return len(self.texts)

    def __getitem__(self, rows: slice | Sequence[int]) -> "Prompts":
        """Some of the prompts, padded no further than they need."""
        indices = list(range(len(self)))[rows] if isinstance(rows, slice) else list(rows)
        width = int(self.mask[indices].sum(-1).max())
        return Prompts(
            tuple(self.texts[i] for i in indices),
            self.tokens[indices, :width],
            self.mask[indices, :width],
            tuple(self.labels[i][:width] for i in indices),
            None if self.metric is None else self.metric.select(indices),
        )

    def distinct(self) -> list[int]:
        """The numbers of the prompts that are no copies of earlier ones."""
        first: dict[tuple[int, ...], int] = {}
        for index, (row, keep) in enumerate(zip(self.tokens, self.mask, strict=True)):
            first.setdefault(tuple(row[keep].tolist()), index)
        return list(first.values())

    @property
    def clean(self) -> "Prompts":
        """The prompts without corrupted twins: themselves, as `PromptPairs.clean` are its own."""
        return self

    @property
    def width(self) -> int:
        """Positions, padding included."""
        return self.tokens.shape[1]

    @property
    def is_padded(self) -> bool:
        """Whether any prompt is shorter than the longest."""
        return not bool(self.mask.all())

    @cached_property
    def hash(self) -> str:
        """A hash of the tokens, for provenance."""
        digest = hashlib.blake2b(digest_size=8)
        for row, keep in zip(self.tokens, self.mask, strict=True):
            digest.update(row[keep].numpy().tobytes() + b"|")
        return digest.hexdigest()

    def coordinates(self, *axes: str) -> dict[str, tuple[tuple[str, ...], np.ndarray]]:
        """Label coordinates for a result: the prompt on `batch`, and the token on each position axis.

        `pos` is labelled `token`; `query_pos` and `key_pos` are labelled `query_token` and `key_token`.
        """
        labels = np.array(self.labels, dtype=object).reshape(len(self), self.width)
        coordinates: dict[str, tuple[tuple[str, ...], np.ndarray]] = {
            axis: ((axis,), np.arange(self.width)) for axis in axes
        }
        for axis in axes:
            coordinates[axis.replace("pos", "token")] = (("batch", axis), labels)
        coordinates["batch"] = (("batch",), np.arange(len(self)))
        coordinates["prompt"] = (("batch",), np.array(self.texts, dtype=object))
        return coordinates


@dataclass(frozen=True, eq=False)
class PromptPairs:
    """Clean prompts and their corrupted twins, aligned token by token; the metric belongs to the clean ones."""

    clean: Prompts
    corrupted: Prompts

    def __post_init__(self) -> None:
        if len(self.clean) != len(self.corrupted):
            raise PromptError(
                f"{len(self.clean)} clean and {len(self.corrupted)} corrupted prompts; give the same number of each"
            )
        clean, corrupted = self.clean.mask.sum(-1).tolist(), self.corrupted.mask.sum(-1).tolist()
        for index, (left, right) in enumerate(zip(clean, corrupted, strict=True)):
            if left != right:
                raise PromptError(
                    f"clean and corrupted differ in length ({left} and {right} tokens, pair {index}: "
                    f"{self.corrupted.texts[index]!r}); reword one so that they align token by token"
                )

    @classmethod
    def of(
        cls,
        model: LanguageModel,
        clean: str | Sequence[str],
        corrupted: str | Sequence[str],
        *,
        target: str | Sequence[str] | None = None,
        contrast: str | Sequence[str] | None = None,
    ) -> "PromptPairs":
        """Tokenise both sides. Raises: PromptError if they do not align; TargetError as in `Prompts.of`."""
        return cls(Prompts.of(model, clean, target=target, contrast=contrast), Prompts.of(model, corrupted))

    @property
    def metric(self) -> Metric | None:
        """What the clean prompts ask."""
        return self.clean.metric

    @property
    def hash(self) -> str:
        """A hash of both sides' tokens."""
        return f"{self.clean.hash}-{self.corrupted.hash}"

    def __len__(self) -> int:
        return len(self.clean)

    def __getitem__(self, rows: slice | Sequence[int]) -> "PromptPairs":
        return PromptPairs(self.clean[rows], self.corrupted[rows])


def _texts(texts: object) -> tuple[str, ...]:
    """Raises: PromptError for what is neither a text nor several."""
    strings = (texts,) if isinstance(texts, str) else tuple(texts) if isinstance(texts, Iterable) else None
    wrong = next((part for part in strings if not isinstance(part, str)), None) if strings is not None else texts
    if strings is None or wrong is not None:
        raise PromptError(f"prompts are a text, a list of texts, or Prompts; got {type(wrong).__name__} {wrong!r:.60}")
    return strings


def _encode(model: LanguageModel, text: str) -> list[int]:
    if not text.strip():
        raise PromptError("the prompt is empty; enter some text")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise PromptError(
            f"the prompt {text!r} contains a lone surrogate, which is not valid Unicode; remove it"
        ) from None
    if "\0" in text:
        raise PromptError(f"the prompt {text!r} contains a NUL character; remove it")
    return model.encode(text)

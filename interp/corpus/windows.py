"""Windows: a corpus cut into prompts of one length."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor

from interp.core.errors import CorpusError
from interp.core.progress import tell
from interp.core.prompts import Prompts
from interp.corpus.document import Document, Unreadable, refuse
from interp.corpus.documents import STDLIB, documents
from interp.corpus.of_program import PROGRAM, of_program
from interp.models.hooked import HookedModel

PASS = 1000  # inputs of a program, where the number of windows is not said


@dataclass(frozen=True, eq=False)
class Windows(Prompts):
    """Windows of a corpus: prompts of one length, each labelled with the document that it was cut from and its topic.

    `dropped` counts the documents that were shorter than a window, `unreadable` names what could not be read; `asked`
    is what `cut` was asked for.
    """

    corpus: str = ""
    documents: tuple[str, ...] = ()
    topics: tuple[str, ...] = ()
    dropped: int = 0
    unreadable: tuple[str, ...] = ()
    asked: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def cut(
        cls,
        model: HookedModel,
        corpus: str = "stdlib",
        *,
        windows: int | None = None,
        length: int = 256,
        seed: int = 0,
        skip_unreadable: bool = False,
    ) -> "Windows":
        """Tokenise a corpus and cut it into windows of `length` tokens, no window across documents.

        Reading stops at `windows` of them. Every window has the special tokens that the model expects around it; what
        a document has left over at its end is not used. A compiled program reads random inputs of its own, the corpus
        `program`, in place of the standard library.
        Raises: CorpusError if nothing can be read, nothing is long enough, a part cannot be read (unless
        `skip_unreadable`), or the window is longer than the model reads.
        """
        _require_length(model, length)
        unreadable: list[str] = []
        dropped = 0
        rows: list[list[int]] = []
        names: list[str] = []
        topics: list[str] = []
        leave_out: Unreadable = (lambda name, reason: unreadable.append(name)) if skip_unreadable else refuse
        before, after = special_tokens(model)
        body = length - len(before) - len(after)
        if body < 1:
            raise CorpusError(f"windows of {length} tokens contain only special tokens; make them longer")
        number = 0
        corpus = PROGRAM if corpus == STDLIB and model.program else corpus  # it reads no English
        for document in _documents(model, corpus, windows, seed, leave_out):
            number += 1
            pieces = list(_pieces(_ordinary(model, document.text, before, after), body))
            dropped += not pieces
            for piece in pieces:
                rows.append([*before, *piece, *after])
                names.append(document.name)
                topics.append(document.topic)
                if len(rows) == windows:
                    break
            if windows is not None:
                tell("cutting windows", len(rows), windows)
            if len(rows) == windows:
                break
        if not rows:
            some = "1 document, which is" if dropped == 1 else f"{dropped:,} documents, all of them"
            what = f"{some} shorter than a window of {length} tokens" if number else "no document"
            what += f" ({len(unreadable)} could not be read)" if unreadable else ""
            raise CorpusError(f"the corpus {corpus} contains {what}; give a longer text, or shorter windows")
        asked = {
            "corpus": corpus, "windows": windows, "length": length, "seed": seed, "skip_unreadable": skip_unreadable,
        }  # fmt: skip
        tokens = torch.tensor(rows)
        _require_known(model, tokens)
        return cls.of_rows(
            model, tokens, corpus=corpus, documents=names, topics=topics, dropped=dropped,
            unreadable=unreadable, asked=asked,
        )  # fmt: skip

    @classmethod
    def of_rows(
        cls,
        model: HookedModel,
        tokens: Int[Tensor, "window pos"],
        *,
        corpus: str,
        documents: Sequence[str],
        topics: Sequence[str],
        dropped: int = 0,
        unreadable: Sequence[str] = (),
        asked: Mapping[str, Any] | None = None,
    ) -> "Windows":
        """Windows that are tokens already, such as those that a folder of statistics keeps."""
        _require_length(model, tokens.shape[1])
        label = {token: model.token_label(token) for token in tokens.unique().tolist()}
        labels = tuple(tuple(map(label.__getitem__, row)) for row in tokens.tolist())
        texts = tuple("".join(row) for row in labels)
        return cls(
            texts, tokens, torch.ones_like(tokens, dtype=torch.bool), labels, None,
            corpus, tuple(documents), tuple(topics), dropped, tuple(unreadable), asked or {},
        )  # fmt: skip

    @property
    def described(self) -> str:
        """What they are, in one line, with what was left out."""
        documents = "1 document" if self.dropped == 1 else f"{self.dropped:,} documents"
        left_out = [f"{documents} shorter than a window skipped"] if self.dropped else []
        left_out += [f"{len(self.unreadable)} unreadable"] if self.unreadable else []
        line = f"{len(self):,} windows of {self.width} tokens from {self.corpus}"
        return f"{line} ({', '.join(left_out)})" if left_out else line


def _documents(
    model: HookedModel, corpus: str, windows: int | None, seed: int, unreadable: Unreadable
) -> Iterator[Document]:
    if corpus == PROGRAM:
        return of_program(model, windows or PASS, seed)
    return documents(corpus, seed=seed, unreadable=unreadable)


def _require_length(model: HookedModel, length: int) -> None:
    if length > model.context_length:
        raise CorpusError(
            f"windows of {length} tokens exceed the context of {model.context_length} tokens of {model.name}; make "
            "them shorter"
        )


def _require_known(model: HookedModel, tokens: Int[Tensor, "window pos"]) -> None:
    largest = int(tokens.max())
    if largest >= model.vocabulary_size:
        raise CorpusError(
            f"the corpus has words that are token {largest} ({model.token_label(largest)!r}), which is beyond the "
            f"embedding of {model.name}, tokens 0 to {model.vocabulary_size - 1}; give a text in words that it knows"
        )


def special_tokens(model: HookedModel) -> tuple[list[int], list[int]]:
    """What the model expects before and after a text."""
    special = set(model.tokenizer.all_special_ids)
    frame = model.encode("" if model.program else "a")
    before = list(takewhile(special.__contains__, frame))
    after = list(takewhile(special.__contains__, reversed(frame)))[::-1] if len(before) < len(frame) else []
    return before, after


def _ordinary(model: HookedModel, text: str, before: Sequence[int], after: Sequence[int]) -> list[int]:
    """A document's tokens without the special ones around it."""
    tokens = model.encode(text.replace("\0", " ")) if text.strip() else []
    return tokens[len(before) : len(tokens) - len(after)]


def _pieces(tokens: Sequence[int], length: int) -> Iterator[Sequence[int]]:
    for first in range(0, len(tokens) - length + 1, length):
        yield tokens[first : first + length]

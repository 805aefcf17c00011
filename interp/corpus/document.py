"""A document: a text with a name and a topic; and what happens to one that cannot be read."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from interp.core.errors import CorpusError

TEXT = "text"  # the column that holds the text, unless another is given
TOPICS = ("topic", "label", "category")  # columns that may hold the topic, the first of them that is there


@dataclass(frozen=True)
class Document:
    """A text, what it is called, and what it is about."""

    name: str
    topic: str
    text: str

    @classmethod
    def of_row(cls, name: str, row: Any, column: str, topic: str) -> "Document":
        """A row of a table, whose own topic goes before `topic`. Raises: ValueError that says what is wrong with it."""
        if not isinstance(row, Mapping):
            raise ValueError("expected a JSON object")
        if column not in row:
            raise ValueError(f"it has no column {column!r}; its columns are {', '.join(map(str, row)) or 'none'}")
        text = row[column]
        if not isinstance(text, str):
            raise ValueError(f"its {column} is {type(text).__name__}, not text")
        text.encode("utf-8")  # half a character, which no tokenizer takes, is a ValueError too
        value = next((row[name] for name in TOPICS if row.get(name) not in (None, "")), topic)
        return cls(name, str(value), text)


Unreadable = Callable[[str, str], None]


def refuse(name: str, reason: str) -> None:
    """Stop at what cannot be read. Raises: CorpusError that names it."""
    raise CorpusError(f"{name} cannot be read ({reason}); fix or remove it, or skip unreadable documents")

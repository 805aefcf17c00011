"""Labelled prompts from a file that a person wrote."""

import csv
import json
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

from interp.core.errors import PromptError
from interp.core.labelled import Item, LabelledPrompts
from interp.core.language_model import LanguageModel
from interp.core.paths import typed_file
from interp.core.prompts import Prompts


def labelled_file(model: LanguageModel, name: str | Path) -> LabelledPrompts:
    """The prompts of a .jsonl or .csv file with `text`, `label` and, where they are given, `group` and `position`.

    The position counts tokens, special ones too, from 0, or from −1 at the end; without one the label belongs to the
    token at which the answer is read. Without a group a prompt is grouped with those of the same text.
    Raises: PromptError for a file of another kind, or a row that cannot be used, by its number.
    """
    path = typed_file(name)
    rows = list(_rows(path))
    prompts = Prompts.of(model, [text for text, *_ in rows])
    is_given = all(position is not None for *_, position in rows)
    default, lengths = () if is_given else prompts.answer_positions(model), prompts.mask.sum(-1).tolist()
    items = []
    for row, (text, label, group, position) in enumerate(rows):
        place = default[row] if position is None else position + (lengths[row] if position < 0 else 0)
        items.append(Item(row, place, label, text if group is None else group))
    return LabelledPrompts.of_items(prompts, items)


def _rows(path: Path) -> Iterator[tuple[str, str, str | None, int | None]]:
    """Text, label, group and position of every row."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise PromptError(f"cannot read {path}: {reason}; give a .jsonl or .csv file with text and label") from None
    readers = {".jsonl": _of_json_lines, ".csv": _of_csv}
    if path.suffix.lower() not in readers:
        raise PromptError(f"{path} is not a file of labelled prompts; give a .jsonl or .csv file with text and label")
    for number, row in readers[path.suffix.lower()](text, path):
        values = row if isinstance(row, dict) else {}
        for name in ("text", "label"):
            if values.get(name) in (None, ""):
                raise PromptError(f"{path}, row {number} has no {name}; give text and label in every row")
        if not isinstance(values["text"], str):
            raise PromptError(f"{path}, row {number}: its text is {values['text']!r:.40}; give a string")
        group, position = values.get("group"), values.get("position")
        yield (
            values["text"],
            str(values["label"]),
            None if group in (None, "") else str(group),
            None if position in (None, "") else _whole(position, path, number),
        )


def _of_json_lines(text: str, path: Path) -> Iterator[tuple[int, Any]]:
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            try:
                yield number, json.loads(line)
            except (ValueError, RecursionError):
                raise PromptError(f"{path}, row {number} is not JSON; give one object a line") from None


def _of_csv(text: str, path: Path) -> Iterator[tuple[int, Any]]:
    try:
        yield from enumerate(csv.DictReader(StringIO(text, newline=""), strict=True), start=1)
    except csv.Error as error:
        raise PromptError(f"{path} is not a .csv file ({error}); write it anew") from None


def _whole(position: Any, path: Path, number: int) -> int:
    try:
        if isinstance(position, bool) or abs(int(position)) > 10**6 or float(position) != int(position):
            raise ValueError
        return int(position)
    except (TypeError, ValueError, OverflowError):
        raise PromptError(
            f"{path}, row {number}: position {position!r:.40} is not a whole number; count tokens from 0"
        ) from None

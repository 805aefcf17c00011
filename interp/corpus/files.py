"""Local files: text, one document a file; JSON lines and parquet, one document a row, read as they are needed."""

import json
import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path

from interp.core.errors import CorpusError
from interp.core.paths import typed_path
from interp.corpus.document import TEXT, TOPICS, Document, Unreadable

_ROWS = 256  # of a parquet file in memory at once


def located(corpus: str) -> tuple[Path, str] | None:
    """The file or folder that `PATH` or `PATH:COLUMN` names, and the column; None if there is none."""
    path, _, column = corpus.rpartition(":")
    for place, text in ((corpus, TEXT), (path, column)):
        if place and text and (file := typed_path(place)).exists():
            return file, text
    return None


def local_files(root: Path, column: str, seed: int, unreadable: Unreadable) -> Iterator[Document]:
    """The documents of a file, or of all files below a folder, whose order depends on `seed`.

    A row's topic stands in its own column, or is the file's name; that of a text is the folder that it lies in.
    Raises: CorpusError for a file of another kind, or a folder without a file to read.
    """
    kinds = ", ".join(_READERS)
    if root.is_dir():
        paths, base = _below(root), root
        if not paths:
            raise CorpusError(f"{root} contains no readable file ({kinds}); give a folder that contains text")
        random.Random(seed).shuffle(paths)
    else:
        paths, base = [root], root.parent
        if root.suffix.lower() not in _READERS:
            raise CorpusError(f"{root} is not a corpus file; give one of {kinds}, or a folder")
    for path in paths:
        name = path.relative_to(base).as_posix()
        try:
            yield from _READERS[path.suffix.lower()](path, name, column, unreadable)
        except (OSError, ValueError, NotImplementedError) as error:  # those of pyarrow are among them
            unreadable(name, _reason(error))


def _below(folder: Path) -> list[Path]:
    """Files to read, in an order that is the same on every machine; hidden ones are left out."""
    paths: list[Path] = []
    for place, below, names in os.walk(folder):
        below[:] = [name for name in below if not name.startswith(".")]
        paths += [Path(place, name) for name in names if not name.startswith(".")]
    readable = [path for path in paths if path.suffix.lower() in _READERS]
    return sorted(readable, key=lambda path: path.relative_to(folder).as_posix())


def _text(path: Path, name: str, column: str, unreadable: Unreadable) -> Iterator[Document]:
    folder = Path(name).parent.as_posix()
    yield Document(name, path.stem if folder == "." else folder, path.read_text(encoding="utf-8-sig"))


def _json_lines(path: Path, name: str, column: str, unreadable: Unreadable) -> Iterator[Document]:
    with open(path, "rb") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            place = f"{name}:{number}"
            try:
                document = Document.of_row(place, json.loads(line.decode("utf-8-sig")), column, path.stem)
            except (ValueError, RecursionError) as error:
                unreadable(place, _reason(error))
                continue
            yield document


def _parquet(path: Path, name: str, column: str, unreadable: Unreadable) -> Iterator[Document]:
    """A group of rows that is damaged does not keep the others from being read."""
    from pyarrow.parquet import ParquetFile

    with ParquetFile(path) as file:
        columns = file.schema_arrow.names
        names = [known for known in dict.fromkeys((column, *TOPICS)) if known in columns]
        if column not in columns:
            raise ValueError(f"it has no column {column!r}; its columns are {', '.join(columns) or 'none'}")
        number = 0
        for group in range(file.num_row_groups):
            first = number
            try:
                for batch in file.iter_batches(_ROWS, row_groups=[group], columns=names):
                    for row in batch.to_pylist():
                        number += 1
                        place = f"{name}:{number}"
                        try:
                            document = Document.of_row(place, row, column, path.stem)
                        except ValueError as error:
                            unreadable(place, _reason(error))
                            continue
                        yield document
            except (OSError, ValueError, NotImplementedError) as error:
                unreadable(f"{name}, row group {group}", _reason(error))
            number = first + file.metadata.row_group(group).num_rows


def _reason(error: Exception) -> str:
    return " ".join(str(getattr(error, "strerror", None) or error).split()) or type(error).__name__


_READERS: dict[str, Callable[[Path, str, str, Unreadable], Iterator[Document]]] = {
    ".txt": _text,
    ".md": _text,
    ".jsonl": _json_lines,
    ".parquet": _parquet,
}

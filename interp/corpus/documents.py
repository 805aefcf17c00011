"""Documents: text with a name and a topic, read one by one from the standard library, local files or a data set."""

import ast
import random
import sysconfig
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from interp.core.errors import CorpusError

STDLIB = "stdlib"


@dataclass(frozen=True)
class Document:
    """A text, what it is called, and what it is about."""

    name: str
    topic: str
    text: str


Unreadable = Callable[[str, str], None]


def refuse(name: str, reason: str) -> None:
    """Stop at what cannot be read. Raises: CorpusError that names it."""
    raise CorpusError(f"{name} cannot be read ({reason}); mend or remove it, or skip what cannot be read")


def documents(corpus: str, *, seed: int = 0, unreadable: Unreadable = refuse) -> Iterator[Document]:
    """The documents of a corpus in an order that depends on `seed` alone.

    `corpus` is `stdlib` (the docstrings of the standard library and Python's language reference, which every
    installation has), a file or folder of .txt, .md, .jsonl or .parquet files, or `hf:NAME` with an optional
    `:CONFIG:SPLIT:COLUMN` (a Hugging Face data set, streamed). `unreadable(name, reason)` is told of what cannot be
    read; it may raise, and what it lets pass is left out.
    Raises: CorpusError for a corpus that does not exist.
    """
    if corpus == STDLIB:
        return _standard_library(seed, unreadable)
    raise CorpusError(f"there is no corpus {corpus!r}; give {STDLIB}, a file, a folder, or hf:NAME")


def _standard_library(seed: int, unreadable: Unreadable) -> Iterator[Document]:
    """One document a module: its docstrings in the order of the source; one an entry of the language reference."""
    from pydoc_data.topics import topics

    root = Path(sysconfig.get_paths()["stdlib"])
    places: list[Path | str] = [*_modules(root), *sorted(topics)]
    random.Random(seed).shuffle(places)
    for place in places:
        if isinstance(place, str):
            yield Document(f"reference/{place}", "language reference", topics[place])
            continue
        name = place.relative_to(root).with_suffix("").as_posix()
        try:
            tree = ast.parse(place.read_text(encoding="utf-8"))
        except (OSError, ValueError, SyntaxError) as error:
            unreadable(str(place), str(error))
            continue
        yield Document(name, name.partition("/")[0], "\n\n".join(_docstrings(tree)))


def _modules(root: Path) -> list[Path]:
    """Modules of the library itself: what is installed beside it, tests and programs are left out."""
    left_out = {"site-packages", "dist-packages", "test", "tests", "idlelib", "lib2to3", "turtledemo", "__pycache__"}
    return [
        path for path in sorted(root.rglob("*.py")) if not left_out & set(path.relative_to(root).parts)
    ]  # fmt: skip


def _docstrings(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            text = ast.get_docstring(node)
            if text:
                yield text

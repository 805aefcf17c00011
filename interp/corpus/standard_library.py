"""The standard library's documentation: text that every installation has."""

import ast
import os
import random
import sysconfig
from collections.abc import Iterator
from pathlib import Path

from interp.corpus.document import Document, Unreadable

# What is installed beside the library, its tests, and programs rather than modules.
_LEFT_OUT = {"site-packages", "dist-packages", "test", "tests", "idlelib", "lib2to3", "turtledemo", "__pycache__"}


def standard_library(seed: int, unreadable: Unreadable) -> Iterator[Document]:
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
    paths: list[Path] = []
    for folder, below, names in os.walk(root):
        below[:] = [name for name in below if name not in _LEFT_OUT]  # what is left out is not walked through either
        paths += [Path(folder, name) for name in names if name.endswith(".py")]
    return sorted(paths)


def _docstrings(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        text = ast.get_docstring(node)
        if text:
            yield text
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.stmt | ast.excepthandler | ast.match_case):  # an expression holds no docstring
            yield from _docstrings(child)

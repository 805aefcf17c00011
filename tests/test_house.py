"""The house: sizes above which a file or a function holds two things."""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[1]
LEARNED = ROOT / "interp" / "groundtruth" / "models"  # programs that nobody wrote
FILES = [
    path
    for folder in ("interp", "apps", "analyses")
    for path in sorted((ROOT / folder).rglob("*.py"))
    if LEARNED not in path.parents
]


def test_no_file_has_more_than_400_lines():
    assert not [path for path in FILES if len(path.read_text().splitlines()) > 400]


def test_no_function_has_more_than_60_lines():
    functions = (
        (path, node)
        for path in FILES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )
    assert not [f"{path}: {f.name}" for path, f in functions if f.end_lineno - f.lineno >= 60]

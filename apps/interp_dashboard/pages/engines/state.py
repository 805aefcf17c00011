"""What the page Engines asks: an engine with options of its own, or a result that there is, and what is shown of it."""

import json
import re
from typing import Annotated, Any

from pydantic import AfterValidator
from pydantic.dataclasses import dataclass

from interp.engines import all_engines
from interp_dashboard.state import Choice, View, one_of

READS = {"own": "its own text", "question": "the question's prompts"}


def parse_values(text: str) -> dict[str, Any]:
    """Values by name, out of the JSON that a link holds; none of an empty text."""
    return json.loads(text, parse_constant=_refuse) if text else {}


def _refuse(word: str) -> Any:
    raise ValueError(f"{word} is not JSON")


def _values(text: str) -> str:
    try:
        values = parse_values(text)
    except (ValueError, RecursionError):
        values = None
    if not isinstance(values, dict):
        raise ValueError(f"{text[:40]!r} is not a JSON object of option values")
    return text


def _name(text: str) -> str:
    if text and not re.fullmatch("[0-9a-f]{16}", text):
        raise ValueError
    return text


Values = Annotated[str, AfterValidator(_values)]
Name = Annotated[str, AfterValidator(_name)]


@dataclass(frozen=True)
class Engines(View):
    """The engine, its options that differ from their defaults, and what an engine that brings text of its own reads.

    `opened` is the short name of a result that is shown instead, `beside` of one to compare with. `drawing` holds the
    choices of the figure that differ from their defaults, `table` the name of the table.
    """

    engine: Annotated[str, one_of(lambda model: all_engines())] = ""
    options: Values = ""
    reads: Annotated[str, Choice(READS)] = "own"
    opened: Name = ""
    beside: Name = ""
    drawing: Values = ""
    table: str = ""

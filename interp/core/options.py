"""Options of engines and tasks: plain frozen dataclasses, validated by pydantic when a record is called.

Every number has bounds, which `--help`, the page's form and the refusal tell. The types here are those that options
share; `Field` narrows them where an option takes less.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field, TypeAdapter, ValidationError

from interp.core.errors import OptionError

Count = Annotated[int, Field(ge=1, le=10**6)]  # of what is listed, or read
Repeats = Annotated[int, Field(ge=1, le=10**4)]  # of what is run again and again
Index = Annotated[int, Field(ge=0, le=10**6)]  # of a layer, head, feature or position
BatchTokens = Annotated[int, Field(ge=1, le=2**20)]
Seed = Annotated[int, Field(ge=0, le=2**32 - 1)]
Fraction = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Rate = Annotated[float, Field(ge=1e-9, le=1e3, allow_inf_nan=False)]
Factor = Annotated[float, Field(ge=-1e6, le=1e6, allow_inf_nan=False)]
_ENDS = (("minimum", "from"), ("exclusiveMinimum", "above"), ("maximum", "to"), ("exclusiveMaximum", "below"))


@dataclass(frozen=True)
class NoOptions:
    """An engine or a task without options."""


def described_options(options: type) -> dict[str, dict[str, Any]]:
    """The JSON schema of each option; the description of a number says which it may be."""
    schemas = TypeAdapter(options).json_schema().get("properties", {})
    return {name: {**schema, "description": _with_bounds(schema)} for name, schema in schemas.items()}


def bounds(schema: Mapping[str, Any]) -> str:
    """Which numbers an option takes, in words; empty where it takes none."""
    variants = schema.get("anyOf", [schema])
    numbers = [variant.get("items", variant) for variant in variants]
    number = next((each for each in numbers if each.get("type") in ("integer", "number")), {})
    return " ".join(f"{word} {number[end]:,.12g}" for end, word in _ENDS if end in number)


def _with_bounds(schema: Mapping[str, Any]) -> str:
    text, range_of = schema.get("description", ""), bounds(schema)
    return f"{text}; {range_of}".removeprefix("; ") if range_of else text


def parse_options(owner: str, kind: type, values: Mapping[str, Any]) -> Any:
    """An instance of the dataclass `kind` from `values`.

    Raises: OptionError that names `owner`, the option and what it takes.
    """
    names = [field.name for field in dataclasses.fields(kind)]
    unknown = sorted(set(values) - set(names))
    if unknown:
        raise OptionError(f"{owner} has no option {unknown[0]!r}; it has {', '.join(names) if names else 'none'}")
    adapter = TypeAdapter(kind)
    try:
        return adapter.validate_python(dict(values))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "options"
        schema = adapter.json_schema().get("properties", {}).get(next(iter(first["loc"]), None), {})
        limits = f"; it takes numbers {bounds(schema)}" if bounds(schema) else ""
        raise OptionError(f"{owner}, {where} = {first['input']!r}: {first['msg']}{limits}") from None

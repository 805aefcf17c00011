"""Options of engines and tasks: plain frozen dataclasses, validated by pydantic when a record is called."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter, ValidationError

from interp.core.errors import OptionError


@dataclass(frozen=True)
class NoOptions:
    """An engine or a task without options."""


def parse_options(owner: str, kind: type, values: Mapping[str, Any]) -> Any:
    """An instance of the dataclass `kind` from `values`.

    Raises: OptionError that names `owner`, the option and what it takes.
    """
    names = [field.name for field in dataclasses.fields(kind)]
    unknown = sorted(set(values) - set(names))
    if unknown:
        raise OptionError(f"{owner} has no option {unknown[0]!r}; it has {', '.join(names) if names else 'none'}")
    try:
        return TypeAdapter(kind).validate_python(dict(values))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "options"
        raise OptionError(f"{owner}, {where} = {first['input']!r}: {first['msg']}") from None

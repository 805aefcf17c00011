"""What `help`, `?` and completion show of an engine or a task: its parameters, options included, and what they mean."""

import dataclasses
import inspect
from collections.abc import Callable, Collection, Mapping
from inspect import Parameter, Signature
from types import ModuleType
from typing import Any, get_type_hints


def document(record: Any, doc: str, options: type, returns: Any, without: Collection[str] = ()) -> None:
    """Give a callable record the name, signature and docstring of the function that calling it amounts to.

    `**options` of its `__call__` becomes one keyword an option, with type, default and description. Parameters in
    `without` are left out: those that this record would refuse.
    """
    name = record.name.replace("-", "_")
    listing = "".join(f"\n    {line}" for line in _descriptions(options))
    signature = _signature(type(record).__call__, options, returns, without)
    plain = Signature([parameter.replace(annotation=Parameter.empty) for parameter in signature.parameters.values()])
    attributes = {
        "__name__": name,
        "__qualname__": name,
        "__signature__": signature,
        "__doc__": f"{name}{plain} -> {returns.__name__}\n\n{doc}" + (f"\n\nOptions:{listing}" if listing else ""),
    }
    for attribute, value in attributes.items():
        object.__setattr__(record, attribute, value)  # records are frozen


def public(namespace: Mapping[str, Any], *lower: str) -> Callable[[], list[str]]:
    """A family's `__dir__`: its engines and its own functions and classes, without what it only imports.

    `lower` are names that it offers, but that live on a lower floor, for others need them too.
    """

    def names() -> list[str]:
        ours = [name for name, value in namespace.items() if _is_public(name, value, namespace["__name__"])]
        return sorted({*ours, *lower, *(spec.name.replace("-", "_") for spec in namespace["ENGINES"])})

    return names


def _is_public(name: str, value: Any, family: str) -> bool:
    return not (name.startswith("_") or isinstance(value, ModuleType)) and getattr(value, "__module__", "").startswith(
        family
    )


def _signature(call: Callable[..., Any], options: type, returns: Any, without: Collection[str]) -> Signature:
    left_out = {"self", *without}
    own = [p for name, p in inspect.signature(call).parameters.items() if name not in left_out]
    hints = get_type_hints(options)
    values = [
        Parameter(field.name, Parameter.KEYWORD_ONLY, default=_default(field), annotation=hints[field.name])
        for field in dataclasses.fields(options)
        if field.name not in {parameter.name for parameter in own}
    ]
    own = [parameter for parameter in own if parameter.kind is not Parameter.VAR_KEYWORD]
    return Signature([*own, *values], return_annotation=returns)


def _default(field: dataclasses.Field) -> Any:
    """A field's default; pydantic's own record of a field holds it one step further."""
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    default = getattr(field.default, "default", field.default)
    factory = getattr(field.default, "default_factory", None)
    return factory() if factory is not None else default


def _descriptions(options: type) -> list[str]:
    """One line an option: name, default, and what it does where that is stated."""
    lines = []
    for field in dataclasses.fields(options):
        description = getattr(field.default, "description", None)
        lines.append(f"{field.name} = {_default(field)!r}" + (f": {description}" if description else ""))
    return lines

"""A form made from an engine's options: each type has its control, with its limits, its words and its default."""

from collections.abc import Callable, Mapping
from typing import Any

import dash_mantine_components as dmc

from interp.core.engine import EngineSpec
from interp.core.options import described_options

PAUSE = 400  # milliseconds after the last key


def controls(engine: EngineSpec, values: Mapping[str, Any]) -> list[Any]:
    """A control for each option, holding `values` and otherwise the defaults."""
    schemas = described_options(engine.options)
    return [_control(engine.name, name, schema, values) for name, schema in schemas.items()]


def _control(engine: str, name: str, schema: Mapping[str, Any], values: Mapping[str, Any]) -> Any:
    default = schema.get("default")
    value = values.get(name, default)
    about: dict[str, Any] = {"label": name.replace("_", " "), "description": schema.get("description", "")}
    variant = next((part for part in schema.get("anyOf", [schema]) if part.get("type") != "null"), schema)
    make = _CONTROLS.get("enum" if "enum" in variant else variant.get("type", ""), _text)
    return make({"option": name, "engine": engine}, variant, value, default, about)


def _switch(where: Any, schema: Mapping[str, Any], value: Any, default: Any, about: dict[str, Any]) -> Any:
    if default is None:  # yes, no, or as the engine decides
        words = [{"value": "true", "label": "yes"}, {"value": "false", "label": "no"}]
        word = None if value is None else str(value).lower()
        return dmc.Select(id=where, data=words, value=word, clearable=True, placeholder="by default", **about)
    return dmc.Switch(id={"switch": where["option"], "engine": where["engine"]}, checked=bool(value), **about)


def _choice(where: Any, schema: Mapping[str, Any], value: Any, default: Any, about: dict[str, Any]) -> Any:
    free = {"clearable": True, "placeholder": "by default"} if default is None else {"allowDeselect": False}
    return dmc.Select(id=where, data=list(schema["enum"]), value=value, **free, **about)


def _number(where: Any, schema: Mapping[str, Any], value: Any, default: Any, about: dict[str, Any]) -> Any:
    whole = schema["type"] == "integer"
    above = {"min": schema["exclusiveMinimum"] + 1} if whole and "exclusiveMinimum" in schema else {}
    limits = {end: schema[name] for end, name in (("min", "minimum"), ("max", "maximum")) if name in schema}
    return dmc.NumberInput(
        id=where,
        value="" if value is None else value,
        allowDecimal=not whole,
        step=1 if whole else 0.1,
        clampBehavior="none",
        debounce=PAUSE,
        placeholder=_placeholder(default),
        **above,
        **limits,
        **about,
    )


def _several(where: Any, schema: Mapping[str, Any], value: Any, default: Any, about: dict[str, Any]) -> Any:
    entries = [str(entry) for entry in value or ()]
    if words := schema.get("items", {}).get("enum"):
        return dmc.MultiSelect(id=where, data=list(words), value=entries, **about)
    return dmc.TagsInput(id=where, value=entries, placeholder=_placeholder(default), **about)


def _text(where: Any, schema: Mapping[str, Any], value: Any, default: Any, about: dict[str, Any]) -> Any:
    return dmc.TextInput(id=where, value=value or "", debounce=PAUSE, placeholder=_placeholder(default), **about)


def _placeholder(default: Any) -> str:
    return "by default" if default in (None, "", []) else ""


_CONTROLS: dict[str, Callable[..., Any]] = {
    "boolean": _switch,
    "enum": _choice,
    "integer": _number,
    "number": _number,
    "array": _several,
    "string": _text,
}

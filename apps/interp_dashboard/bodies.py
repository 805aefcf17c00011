"""What the browser sends, validated before use: a body that no page of ours sends is answered with 400."""

from collections.abc import Mapping
from dataclasses import field
from typing import Any, Literal

from dash import Dash
from dash.exceptions import DependencyException
from flask import abort, request
from pydantic import Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from interp_dashboard.state import Values


@dataclass
class Address:
    """The page's own address, and the process that serves it."""

    search: str
    process: str


@dataclass
class Current:
    """What the page shows, and the process that serves it."""

    view: Values
    process: str


@dataclass
class Choices:
    """A user's decisions on work: names of works, and numbers of failures."""

    stopped: list[str] = field(default_factory=list)
    approved: list[str] = field(default_factory=list)
    again: list[int] = field(default_factory=list)


@dataclass
class Wish(Current):
    """What a page wants, and what it has."""

    theme: Literal["light", "dark"]
    have: dict[str, str]
    choices: Choices


@dataclass
class ExportWish(Current):
    """A file of what a page shows."""

    kind: str
    slot: str
    theme: Literal["light", "dark"]


@dataclass
class ExampleWish:
    """An example to fill the form with."""

    name: str
    seed: int


@dataclass
class _Property:
    id: str
    property: str


@dataclass
class _Callback:
    output: str
    outputs: _Property | list[_Property]
    inputs: list[_Property]
    changed: list[str] = Field(alias="changedPropIds")
    state: list[_Property] = field(default_factory=list)


def well_formed(form: Any, value: Any) -> Any:
    """The value, if it has this form; otherwise the answer is 400."""
    try:
        TypeAdapter(form).validate_python(value)
    except ValidationError:
        abort(400)
    return value


def require_form(app: Dash) -> None:
    """Answer 400 to a callback that the application does not have or that has other properties, 404 to a script."""

    @app.server.before_request
    def check() -> None:
        if request.path == "/_dash-update-component" and request.method == "POST":
            body = well_formed(_Callback, request.get_json())
            callback = app.callback_map.get(body["output"], {})
            if "callback" not in callback or not _is_of(callback, body):
                abort(400)

    @app.server.errorhandler(DependencyException)
    def unknown_script(error: Exception) -> tuple[str, int]:
        return "there is no such script", 404


def _is_of(callback: Mapping[str, Any], body: Mapping[str, Any]) -> bool:
    """Whether a body has the properties of a callback, one for each that it reads and sets."""
    same_inputs = all(len(body.get(kind, ())) == len(callback[kind]) for kind in ("inputs", "state"))
    return same_inputs and _number(body["outputs"]) == _number(callback["output"])


def _number(outputs: Any) -> int | None:
    """How many properties are set; None for one that is not in a list."""
    return len(outputs) if isinstance(outputs, list | tuple) else None

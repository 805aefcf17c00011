"""The dashboard's answers without a browser, asked for as one tab does."""

import base64
import time
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

import numpy as np
from interp_dashboard.exports import Export, export
from interp_dashboard.state import View, plain, state
from interp_dashboard.workspace import Workspace

BASE: dict[str, Any] = {
    "clean": "When Mary gave a drink to",
    "corrupted": "When John gave a drink to",
    "layer": 1,
    "head": 1,
}
ASKED: dict[str, Any] = BASE | {"answer": " Mary", "contrast": " John"}
Kind = TypeVar("Kind", bound=View)


def checked(workspace: Workspace, view: Kind) -> Kind:
    """The view with its question complete, as the form hands it back."""
    return state(type(view), workspace.check(plain(view)).values)


def answers(
    workspace: Workspace, view: View, names: Iterable[str], tab: str = "one", approved: Iterable[str] = ()
) -> tuple[dict, dict]:
    """All payloads for a view, polling as the browser does."""
    have: dict[str, str] = {}
    got: dict[str, dict] = {}
    end = time.monotonic() + 60
    while time.monotonic() < end:
        delivery = workspace.deliver(plain(view), list(names), tab=tab, have=have, approved=approved)
        got |= delivery.payloads
        have |= {name: payload["key"] for name, payload in delivery.payloads.items()}
        if not delivery.status["pending"]:
            return got, dict(delivery.status)
    raise AssertionError("never settled")


def run_all(workspace: Workspace, view: View, names: list[str]) -> tuple[dict, dict]:
    """All payloads, of work too that waits for a click."""
    _, status = answers(workspace, view, names)
    works = [work for name in status["held"] | status["more"] for work in status["works"][name]]
    return answers(workspace, view, names, approved=works)


def saved(workspace: Workspace, view: View, name: str, kind: str) -> Any:
    """A file of what a panel shows, or the figure that becomes an image."""
    file, figure = export(workspace, Export(kind, name), plain(view))
    return file if figure is None else figure


def traces(workspace: Workspace, view: View, name: str) -> list[dict[str, Any]]:
    """What the figure of a panel draws."""
    got, status = answers(workspace, view, [name])
    assert status["errors"] == {}
    return got[name]["figure"]["data"]


def numbers(values: Any) -> np.ndarray:
    """An array of a figure, as plotly writes it for the browser."""
    if not isinstance(values, Mapping):
        return np.array(values, dtype=float)
    shape = [int(size) for size in str(values.get("shape", "-1")).split(",")]
    return np.frombuffer(base64.b64decode(values["bdata"]), dtype=values["dtype"]).reshape(shape)

"""The dashboard's answers without a browser, asked for as one tab does."""

import time
from collections.abc import Iterable
from typing import Any

from interp_dashboard.state import View
from interp_dashboard.workspace import Workspace

BASE: dict[str, Any] = {
    "clean": "When Mary gave a drink to",
    "corrupted": "When John gave a drink to",
    "layer": 1,
    "head": 1,
}
ASKED: dict[str, Any] = BASE | {"answer": " Mary", "contrast": " John"}


def answers(workspace: Workspace, view: View, slots: Iterable[str], tab: str = "one") -> tuple[dict, dict]:
    """All payloads for a view, polling as the browser does."""
    have: dict[str, str] = {}
    got: dict[str, dict] = {}
    end = time.monotonic() + 60
    while time.monotonic() < end:
        delivery = workspace.deliver(view, list(slots), tab=tab, have=have)
        got |= delivery.payloads
        have |= {name: payload["key"] for name, payload in delivery.payloads.items()}
        if not delivery.status["pending"]:
            return got, dict(delivery.status)
    raise AssertionError("never settled")

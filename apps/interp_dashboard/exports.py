"""Files of what a panel shows: a table, a figure that stands alone, or a figure for the browser to draw."""

from dataclasses import dataclass
from typing import Any

from dash import dcc

from interp import views
from interp.core.kinds import LayerReadout, Patterns
from interp.core.result import Result
from interp.views.theme import CONFIG
from interp_dashboard.state import View
from interp_dashboard.workspace import Workspace


@dataclass(frozen=True)
class Export:
    """One request: the format, the slot whose result is meant, which of its figures, and in which look."""

    kind: str
    slot: str
    variant: str = ""
    theme: str = "light"


def export(workspace: Workspace, wanted: Export, view: View) -> tuple[Any, Any]:
    """A download, or a figure that the browser turns into a PNG or SVG file."""
    result = workspace.result(wanted.slot, view)
    name = f"interp-{wanted.slot}".replace("_", "-")
    if wanted.kind == "csv":
        return dcc.send_string(_table(result, wanted.slot, view).to_csv(index=False), f"{name}.csv"), None
    figure = views.figure(result, theme=wanted.theme, **_choice(result, wanted, view))
    if wanted.kind == "html":
        text = figure.to_html(include_plotlyjs=True, full_html=True, config=CONFIG)
        return dcc.send_string(text, f"{name}.html"), None
    return None, {"figure": figure.to_plotly_json(), "format": wanted.kind, "name": name}


def _table(result: Result, slot: str, view: View) -> Any:
    frame = result.to_frame()
    if slot == "pattern":
        frame = frame[(frame["layer"] == view.layer) & (frame["head"] == view.head)]
    return frame


def _choice(result: Result, wanted: Export, view: View) -> dict[str, Any]:
    """Which figure of the result the panel shows."""
    if isinstance(result, Patterns) and wanted.slot == "pattern":
        return {"layer": view.layer, "head": view.head}
    if isinstance(result, LayerReadout) and wanted.variant == "curve":
        return {}
    return {}

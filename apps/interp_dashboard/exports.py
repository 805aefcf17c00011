"""Files of what a panel shows: a table, a page that stands alone, or a figure for the browser to turn into an image."""

from dataclasses import dataclass
from typing import Any

from dash import dcc

from interp import views
from interp.core.kinds import Ablation, HeadScores, LayerReadout
from interp.core.result import Result
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
        return dcc.send_string(table(result, wanted.slot, view), f"{name}.csv"), None
    figure = draw(result, wanted, view)
    if wanted.kind == "html":
        return dcc.send_string(views.to_html(figure, theme=wanted.theme), f"{name}.html"), None
    return None, {"figure": figure.to_plotly_json(), "format": wanted.kind, "name": name}


def table(result: Result, slot: str, view: View) -> str:
    """The result as CSV; of the selected head alone where the panel shows one."""
    if slot != "pattern":
        return views.to_csv(result)
    frame = result.to_frame()
    return frame[(frame["layer"] == view.layer) & (frame["head"] == view.head)].to_csv(index=False, lineterminator="\n")


def draw(result: Result, wanted: Export, view: View) -> Any:
    """The library's figure of what the panel shows."""
    if wanted.slot == "pattern":
        return views.figure(result, theme=wanted.theme, layer=view.layer, head=view.head)
    if isinstance(result, HeadScores):
        return views.figure(result, theme=wanted.theme, score=view.colour)
    if isinstance(result, LayerReadout) and wanted.variant == "curve":
        return views.target_curve(result, pos=view.query if view.page == "lens" else None, theme=wanted.theme)
    if isinstance(result, Ablation):
        return views.before_after(result, theme=wanted.theme)
    return views.figure(result, theme=wanted.theme)

"""Files of what a panel shows: a table, a page that stands alone, or a figure for the browser to turn into an image."""

from dataclasses import dataclass
from typing import Any

import pandas as pd
from dash import dcc

from interp import views
from interp.core.errors import InterpError
from interp.core.result import Result
from interp.kinds import (
    Ablation,
    EdgeScores,
    FoundCircuit,
    HeadComposition,
    HeadScores,
    LayerReadout,
    PositionContext,
    QKSplit,
    Relevance,
)
from interp_dashboard.circuits import circuit_of, whole, without_cuts
from interp_dashboard.geometry_slots import depth_of
from interp_dashboard.slots import SLOTS
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
    name = "-".join(("interp", *wanted.slot.replace("_", " ").split(), *wanted.variant.split()))
    result = workspace.compared(view) if wanted.slot == "compared" else workspace.result(wanted.slot, view)
    if wanted.kind == "csv":
        return dcc.send_string(table(result, wanted, view), f"{name}.csv"), None
    if wanted.kind == "graph":
        return dcc.send_string(graph(result, view), f"{name}.json"), None
    figure = draw(result, wanted, view)
    if wanted.kind == "html":
        return dcc.send_string(views.to_html(figure, theme=wanted.theme), f"{name}.html"), None
    return None, {"figure": figure.to_plotly_json(), "format": wanted.kind, "name": name}


def table(result: Result | dict[str, Relevance], wanted: Export, view: View) -> str:
    """The result as CSV; of the selected head alone where the panel shows one; of every method where several are."""
    chosen = SLOTS[wanted.slot].table
    if chosen is not None:
        frame: Any = chosen(result, view)
    elif isinstance(result, dict):
        frames = [found.to_frame().assign(method=name) for name, found in result.items()]
        frame = pd.concat(frames)[["method", *frames[0].columns.drop("method")]]
    else:
        frame = result.to_frame(wanted.variant if wanted.variant in result.tables else None)
    if wanted.slot == "pattern":
        frame = frame[(frame["layer"] == view.layer) & (frame["head"] == view.head)]
    return frame.to_csv(index=False, lineterminator="\n")


def graph(result: Result | dict[str, Relevance], view: View) -> str:
    """The circuit that the page shows, without what is cut and with its groups, as an attribution graph's JSON.

    Raises: InterpError for a result that is not a circuit's.
    """
    if not isinstance(result, EdgeScores | FoundCircuit):
        raise InterpError("only a circuit is written as a graph; open the Circuit page")
    circuit = without_cuts(circuit_of(whole(result), view), view.cuts)
    for group in view.groups:
        name, _, nodes = group.partition(":")
        circuit = circuit.grouped(name, nodes.split("+"))
    return circuit.to_graph().to_json()


def draw(result: Result | dict[str, Relevance], wanted: Export, view: View) -> Any:
    """The library's figure of what the panel shows."""
    chosen = SLOTS[wanted.slot].figure
    if chosen is not None:
        return chosen(result, view, wanted.theme)
    if isinstance(result, dict) and len(result) > 1:
        return views.compare_relevance(result, theme=wanted.theme)
    if isinstance(result, dict):
        return views.figure(*result.values(), theme=wanted.theme)
    if isinstance(result, LayerReadout) and wanted.variant == "curve":
        return views.target_curve(result, pos=view.query if view.page == "lens" else None, theme=wanted.theme)
    if isinstance(result, Ablation):
        return views.before_after(result, theme=wanted.theme)
    return views.figure(result, theme=wanted.theme, **_choice(result, wanted, view))


def _choice(result: Result, wanted: Export, view: View) -> dict[str, Any]:
    """Which part of the result the panel shows."""
    chosen: dict[str, Any] = {"show": wanted.variant} if wanted.variant else {}
    match result:
        case HeadScores():
            chosen = {"score": view.colour}
        case Relevance():
            chosen = {"show": wanted.variant or "tokens"}
            chosen |= {"by": view.ledger} if wanted.variant == "ledger" else {}
        case PositionContext() if wanted.variant not in ("", "energy"):
            chosen |= {"layer": depth_of(result, view)}
        case HeadComposition():
            chosen |= {"composition": view.composition}
        case PositionContext() | QKSplit():
            pass
        case _:
            chosen = {"layer": view.layer, "head": view.head} if wanted.slot == "pattern" else {}
    return chosen

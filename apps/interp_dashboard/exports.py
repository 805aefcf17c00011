"""Files of what a panel shows: a table, a page that stands alone, the result, or a figure that becomes an image."""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dash import dcc

from interp import views
from interp.core.errors import InterpError
from interp_dashboard.state import Values
from interp_dashboard.workspace import Wanted, Workspace


@dataclass(frozen=True)
class Export:
    """One request: the format, the content that is meant, and in which look."""

    kind: str
    content: str
    theme: str = "light"


def export(workspace: Workspace, asked: Export, values: Values) -> tuple[Any, Any]:
    """A download, or a figure that the browser turns into a PNG or SVG file.

    Raises: InterpError where there is nothing to save, or no such format.
    """
    want = workspace.want(asked.content, values, asked.theme)
    result = workspace.result(want)
    name = f"interp-{want.content.name.replace('_', '-').replace(' ', '-')}"
    if asked.kind in ("png", "svg"):
        return None, {"figure": _figure(want, result).to_plotly_json(), "format": asked.kind, "name": name}
    return _file(want, result, asked.kind, name), None


def _file(want: Wanted, result: Any, kind: str, name: str) -> Any:
    if kind == "csv":
        frame = want.content.frame(result, want.choice)
        return dcc.send_string(frame.to_csv(index=False, lineterminator="\n"), f"{name}.csv")
    if kind == "html":
        return dcc.send_string(views.to_html(_figure(want, result), theme=want.theme), f"{name}.html")
    if kind == "nc":
        return dcc.send_bytes(_netcdf(result), f"{name}.nc")
    if kind in want.content.files:
        _, ending, make = want.content.files[kind]
        return dcc.send_string(make(result, **want.choice), f"{name}.{ending}")
    raise InterpError(f"this panel cannot be saved as {kind[:20]!r}; use one of its buttons")


def _figure(want: Wanted, result: Any) -> Any:
    return want.content.figure(result, **want.choice, theme=want.theme)


def _netcdf(result: Any) -> bytes:
    """The file that `Result.load` reads."""
    if isinstance(result, Mapping):
        raise InterpError("this panel shows several results; save each one from the panel that shows it alone")
    with tempfile.TemporaryDirectory() as folder:
        return result.save(Path(folder) / "result").read_bytes()

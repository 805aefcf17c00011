"""Files of what a panel shows: a table, a page that stands alone, the result, or a figure that becomes an image."""

import io
import re
import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dash import dcc

from interp import views
from interp.core.errors import InterpError
from interp_dashboard.displays import Display
from interp_dashboard.state import Values
from interp_dashboard.workspace import Workspace


@dataclass(frozen=True)
class Export:
    """One request: the format, the content that is meant, and in which look."""

    kind: str
    content: str
    theme: str = "light"


def export(workspace: Workspace, request: Export, values: Values) -> tuple[Any, Any]:
    """A download, or a figure that the browser turns into a PNG or SVG file.

    Raises: InterpError where there is nothing to save, or no such format.
    """
    display = workspace.display(request.content, values, request.theme)
    result = workspace.result(display)
    name = f"interp-{display.content.name.replace('_', '-').replace(' ', '-')}"
    if request.kind in ("png", "svg"):
        flat = views.flat(_figure(display, result))
        return None, {"figure": flat.to_plotly_json(), "format": request.kind, "name": name}
    return _file(display, result, request.kind, name), None


def _file(display: Display, result: Any, kind: str, name: str) -> Any:
    if kind == "csv":
        frame = display.content.table(result, **display.choice)
        return dcc.send_string(frame.to_csv(index=False, lineterminator="\n"), f"{name}.csv")
    if kind == "html":
        return dcc.send_string(views.to_html(_figure(display, result), theme=display.theme), f"{name}.html")
    if kind == "nc":
        return _netcdf(result, name)
    if kind in display.content.files:
        _, ending, make = display.content.files[kind]
        return dcc.send_string(make(result, **display.choice), f"{name}.{ending}")
    raise InterpError(f"this panel cannot be saved as {kind[:20]!r}; use one of its buttons")


def _figure(display: Display, result: Any) -> Any:
    return display.content.figure(result, **display.choice, theme=display.theme)


def _netcdf(result: Any, name: str) -> Any:
    """The file that `Result.load` reads; of several results one each, in a zip file."""
    with tempfile.TemporaryDirectory() as folder:
        if not isinstance(result, Mapping):
            return dcc.send_bytes(result.save(Path(folder) / "result").read_bytes(), f"{name}.nc")
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as files:
            for number, (label, part) in enumerate(result.items(), start=1):
                plain = "-".join(re.findall(r"[\w.-]+", label)) or "result"
                files.write(part.save(Path(folder) / f"{number}"), f"{number}-{plain[:60]}.nc")
        return dcc.send_bytes(buffer.getvalue(), f"{name}.zip")

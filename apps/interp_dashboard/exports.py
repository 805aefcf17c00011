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
        drawn = views.flat(_figure(want, result))
        return None, {"figure": drawn.to_plotly_json(), "format": asked.kind, "name": name}
    return _file(want, result, asked.kind, name), None


def _file(want: Wanted, result: Any, kind: str, name: str) -> Any:
    if kind == "csv":
        frame = want.content.table(result, **want.choice)
        return dcc.send_string(frame.to_csv(index=False, lineterminator="\n"), f"{name}.csv")
    if kind == "html":
        return dcc.send_string(views.to_html(_figure(want, result), theme=want.theme), f"{name}.html")
    if kind == "nc":
        return _netcdf(result, name)
    if kind in want.content.files:
        _, ending, make = want.content.files[kind]
        return dcc.send_string(make(result, **want.choice), f"{name}.{ending}")
    raise InterpError(f"this panel cannot be saved as {kind[:20]!r}; use one of its buttons")


def _figure(want: Wanted, result: Any) -> Any:
    return want.content.figure(result, **want.choice, theme=want.theme)


def _netcdf(result: Any, name: str) -> Any:
    """The file that `Result.load` reads; of several results one each, in a zip file."""
    with tempfile.TemporaryDirectory() as folder:
        if not isinstance(result, Mapping):
            return dcc.send_bytes(result.save(Path(folder) / "result").read_bytes(), f"{name}.nc")
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as files:
            for number, (called, one) in enumerate(result.items(), start=1):
                plain = "-".join(re.findall(r"[\w.-]+", called)) or "result"
                files.write(one.save(Path(folder) / f"{number}"), f"{number}-{plain[:60]}.nc")
        return dcc.send_bytes(packed.getvalue(), f"{name}.zip")

"""Every file and script of every panel of every page against what the panel draws."""

import base64
import io
import json
import re
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from delivering import ASKED, answers, checked, numbers, saved
from interp_dashboard.pages import PAGES
from interp_dashboard.pages.features import state as features
from interp_dashboard.pages.geometry import state as geometry
from interp_dashboard.state import View, plain
from interp_dashboard.workspace import Workspace

import interp
from interp.models import HookedModel

CHOSEN = {
    "nodes": ("a1.1", "m0"),
    "query": 3,
    "versus": "eap-ig",
    "edges": 40,
    "cuts": ("a1.1", "embed>m0"),
    "channel": "a0.1>q1.2~1",
    "depth": 1,
    "feature": 3,
    "engine": "logit-lens",
    "methods": ("attnlrp", "gradient-x-input"),
    "ledger": "layer",
}
# The same panels, where another part of them is chosen
OTHERWISE = [
    {"page": "heads", "colour": "direct"},
    {"page": "heads", "colour": "induction"},
    {"page": "heads", "colour": "pattern"},
    {"page": "lens", "query": None},
    {"page": "attribution", "methods": ("gradient-x-input",)},
    {"page": "circuit", "layout": "position"},
    {"page": "circuit", "circuit": "acdc", "cuts": ()},
    {"page": "features", "own": "head", "sorting": "max"},
    {"page": "geometry", "depth": 0, "composition": "v"},
]
# Figures whose marks are places, or sums of what the table lists: bars of several heads or parts together
PLACES = {"pattern_lines", "circuit", "features_lines", "geometry_curve", "compared"}
SUMS = {
    "features_sources", "features_parts", "circuit_growth", "geometry_composition", "features_card", "deletion",
    "neurons", "circuit_neurons",
}  # fmt: skip


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INTERP_CACHE", str(tmp_path))
    for page in (features, geometry):
        monkeypatch.setattr(page, "WINDOWS", dict.fromkeys(page.WINDOWS, 6))


def panels(component: Any) -> Iterator[tuple[str, list[str]]]:
    """The content of every panel in a layout, and the formats that it is saved in."""
    if isinstance(component, list | tuple):
        for part in component:
            yield from panels(part)
        return
    about = component.to_plotly_json()["props"] if hasattr(component, "to_plotly_json") else {}
    for name, files in json.loads(about.get("data-files", "{}")).items():
        yield name, list(files["kinds"])
    if hasattr(component, "children"):
        yield from panels(component.children)


SHOWN = {page.name: dict(panels(page.layout())) for page in PAGES}
CASES = [{"page": page.name} for page in PAGES] + OTHERWISE


def drawn(figure: Mapping[str, Any]) -> np.ndarray:
    """The numbers that a figure's marks stand for."""
    marks: list[np.ndarray] = []
    lying = any(trace.get("orientation") == "h" for trace in figure["data"])
    for trace in figure["data"]:
        side = "x" if lying else {"heatmap": "z"}.get(trace["type"], "y")
        marks.append(numbers(trace[side]).ravel())
    return finite(marks)


def on_canvas(payload: Mapping[str, Any]) -> np.ndarray:
    """The numbers of a payload that a canvas draws."""
    marks: list[Any] = []
    if isinstance(values := payload.get("values"), str):
        marks.append(np.frombuffer(base64.b64decode(values), dtype="<f4"))
    elif values:
        marks.append(np.array(values, dtype=float))
    for name in ("mlps", "prob", "rank"):
        marks.append(np.array(payload.get(name) or [], dtype=float))
    for name in ("clean_top", "corrupted_top"):
        marks.append(np.array([pair[1] for pair in payload.get(name, ())], dtype=float))
    if "data" in payload and "size" in payload:
        marks.append(np.frombuffer(base64.b64decode(payload["data"]), dtype="uint16") / 65535)
    if "edges" in payload:
        names = [node[0] for node in payload["nodes"]]
        parts = [
            (names[start], names[end], f"{names[start]}>{receiver}") for start, end, receiver, *_ in payload["edges"]
        ]
        left = [edge for edge, ends in zip(payload["edges"], parts, strict=True) if not {*ends} & {*CHOSEN["cuts"]}]
        marks.append(np.array([edge[3] for edge in left], dtype=float))
    if "rows" in payload and "sorting" in payload:
        marks.append(np.array([row[1:3] for row in payload["rows"]], dtype=float))
    for context in payload.get("contexts", ()):
        marks.append(np.array(context["values"], dtype=float))
    return finite(marks)


def told(table: pd.DataFrame) -> np.ndarray:
    """The numbers of a table, and those in its lists."""
    lists = [json.loads(value) for name in table.select_dtypes(object) for value in table[name]
             if isinstance(value, str) and re.fullmatch(r"\[[-\d., e]+\]", value)]  # fmt: skip
    return finite([*(table[name].to_numpy(float) for name in table.select_dtypes("number")), *lists])


def finite(parts: Any) -> np.ndarray:
    values = np.concatenate([np.empty(0), *(np.asarray(part, dtype=float).ravel() for part in parts)])
    return values[np.isfinite(values)]


def missing(values: np.ndarray, table: np.ndarray) -> np.ndarray:
    """Numbers that a table does not have; 0 and 1 are drawn as ends, too."""
    there = np.sort(np.concatenate([table, [0.0, 1.0]]))
    at = np.clip(np.searchsorted(there, values), 1, len(there) - 1)
    off = np.minimum(np.abs(there[at] - values), np.abs(there[at - 1] - values))
    return values[off > 3e-5 + 1e-3 * np.abs(values)]


def view_of(workspace: Workspace, case: Mapping[str, Any]) -> tuple[View, list[str]]:
    page = next(page for page in PAGES if page.name == case["page"])
    fields = {name: value for name, value in {**CHOSEN, **case}.items() if name in page.state.__dataclass_fields__}
    view = checked(workspace, page.state(**ASKED | fields))
    instead = {"heads": "thumbs"} if case.get("colour") == "pattern" else {}
    return view, [instead.get(name, name) for name in SHOWN[page.name]]


@pytest.mark.slow  # a page's every panel, and its scripts
@pytest.mark.parametrize("case", CASES, ids=lambda case: " ".join(map(str, case.values())))
def test_exports_are_what_the_panels_show(
    workspace: Workspace, model: HookedModel, case: Mapping[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(interp, "load", lambda name: model)
    monkeypatch.chdir(tmp_path)
    view, names = view_of(workspace, case)
    approved = [work for name in names for work in workspace.deliver(
        plain(view), [name], tab="one", have={}).status["works"].get(name, ())]  # fmt: skip
    got, status = answers(workspace, view, names, approved=approved)
    assert status["errors"] == {}
    for name in names:
        if workspace.display(name, plain(view)).calls and "missing" not in got[name]:
            _compare(workspace, view, name, got[name])


def _compare(workspace: Workspace, view: View, name: str, payload: Mapping[str, Any]) -> None:
    picture = saved(workspace, view, name, "png")["figure"]
    table = pd.read_csv(io.StringIO(saved(workspace, view, name, "csv")["content"]))
    # What the panel draws
    if "figure" in payload and name != "geometry_curve":  # which a file shows flat
        assert data_of(payload["figure"]) == data_of(picture), name
    assert picture["data"], name
    assert not {trace["type"] for trace in picture["data"]} & {"scattergl", "scatter3d"}
    background = picture["layout"]["template"]["layout"]["paper_bgcolor"]
    assert re.fullmatch("#[0-9a-f]{6}", background), name
    if name not in PLACES | SUMS:
        assert not len(missing(drawn(picture), told(table))), name
    if name != "compared":  # which draws the payloads of its methods
        assert not len(missing(on_canvas(payload), told(table))), name
    # What the script gives
    scope: dict[str, Any] = {}
    exec(payload["python"], scope)
    assert data_of(interp.views.flat(scope["figure"]).to_plotly_json()) == data_of(picture), name
    again = pd.read_csv(io.StringIO(scope["table"].to_csv(index=False)))
    pd.testing.assert_frame_equal(again, table, rtol=1e-4, atol=1e-6)
    # A page that stands alone
    html = saved(workspace, view, name, "html")["content"]
    assert html.startswith("<!doctype html>"), name
    assert background in html
    assert not re.search(r'"type":"(scattergl|scatter3d)"', html), name
    assert not re.search(r"<(script|link|img)[^>]+(src|href)=", html), name
    _load_again(workspace, view, name)


def _load_again(workspace: Workspace, view: View, name: str) -> None:
    """netCDF holds the whole result, several results one file each."""
    result = workspace.result(workspace.display(name, plain(view)))
    file = saved(workspace, view, name, "nc")
    content = base64.b64decode(file["content"])
    if isinstance(result, Mapping):
        with zipfile.ZipFile(io.BytesIO(content)) as files:
            parts = [(files.read(entry), one) for entry, one in zip(files.namelist(), result.values(), strict=True)]
    else:
        parts = [(content, result)]
    for raw, one in parts:
        Path("saved.nc").write_bytes(raw)
        assert interp.Result.load("saved.nc").data.identical(one.data), name


def data_of(figure: Mapping[str, Any]) -> Any:
    """Traces as JSON has them, numbers to four digits."""

    def plain_of(value: Any) -> Any:
        match value:
            case Mapping() if "bdata" in value:
                return plain_of(numbers(value).tolist())
            case Mapping():
                return {name: plain_of(entry) for name, entry in value.items() if entry is not None}
            case np.ndarray():
                return plain_of(value.tolist())
            case list() | tuple():
                return [plain_of(entry) for entry in value]
            case float():
                return float(f"{value:.4g}") if np.isfinite(value) and abs(value) > 1e-9 else 0.0
            case _:
                return value

    return [plain_of(dict(trace)) for trace in figure["data"]]

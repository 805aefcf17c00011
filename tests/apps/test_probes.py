"""The Probes page's figures over tiny models, without a browser: they are the library's own numbers."""

from dataclasses import replace

import numpy as np
import pytest
from delivering import ASKED, checked, numbers, traces
from interp_dashboard.pages.probes import OFFSETS, SIZES, Probing
from interp_dashboard.workspace import Workspace

import interp
from interp.models import HookedModel


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INTERP_CACHE", str(tmp_path))


def test_map_cell_and_curves_are_the_librarys(workspace: Workspace, model: HookedModel) -> None:
    view = checked(workspace, Probing(**ASKED))
    data = interp.probing.probe(model, labels="planted", offsets=OFFSETS, **SIZES).data
    (cells,) = traces(workspace, view, "probe_map")
    np.testing.assert_allclose(numbers(cells["z"]), data["accuracy"].values, atol=1e-6)
    (bars,) = traces(workspace, replace(view, probed=2, offset=1), "probe_cell")
    cell = data.isel(layer=2, pos=1)
    expected = [
        cell[name] for name in ("accuracy", "untrained", "by_type", "shuffled", "bag_of_tokens", "erased_accuracy")
    ]
    np.testing.assert_allclose(numbers(bars["x"]), [float(each) for each in expected if np.isfinite(each)], atol=1e-6)
    curves = {trace["name"]: numbers(trace["y"]) for trace in traces(workspace, view, "probe_changes")}
    np.testing.assert_allclose(curves["change of the label"], data["divergence"].values[:, 1], atol=1e-5)


def test_a_file_of_labels(workspace: Workspace, model: HookedModel, tmp_path) -> None:
    file = tmp_path / "labels.csv"
    rows = [
        f"the {word} {place},{word},{place}" for word in ("keys", "book") for place in ("store", "drink", "cabinet")
    ]
    file.write_text("\n".join(["text,label,group", *rows]))
    view = checked(workspace, Probing(**ASKED, source="file", labels=str(file)))
    (cells,) = traces(workspace, view, "probe_map")
    data = interp.probing.probe(model, labels=str(file), offsets=OFFSETS, **SIZES).data
    np.testing.assert_allclose(numbers(cells["z"]), data["accuracy"].values, atol=1e-6)

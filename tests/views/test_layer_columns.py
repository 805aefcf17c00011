"""Measures of the layers from results of several engines: the numbers of these results, and names that can be told."""

import numpy as np
import pytest

from interp import views
from interp.core.errors import ResultError


def test_every_column_is_a_number_of_its_result(sample):
    results = {
        "redundancy": sample("LayerRedundancy"),
        "linearity": sample("Linearity"),
        "scores": sample("HeadScores"),
    }
    frame = views.layer_table(results)
    redundancy = results["redundancy"].data
    for part in redundancy["part"].values:
        assert np.array_equal(frame[f"{part} influence"], redundancy["influence"].sel(part=part))
        ends = redundancy["influence_interval"].sel(part=part)
        assert np.array_equal(frame[f"{part} influence low"], ends.sel(bound="low"))
    assert np.array_equal(frame["linearity"], results["linearity"].linearity)
    heads = results["scores"].data["previous_token"].values
    np.testing.assert_allclose(frame["previous_token"], heads.mean((0, 2)))
    assert list(frame["layer"]) == [0, 1, 2]


def test_matrices_of_a_layer_are_columns(sample):
    result = sample("AttentionSpectrum")
    frame = views.layer_table({"attention-spectrum": result})
    data = result.data
    for matrix in {*data["matrix"].values}:
        for layer in {*data["layer"].values}:
            here = (data["matrix"].values == matrix) & (data["layer"].values == layer)
            expected = data["stable_rank"].values[here].mean()
            np.testing.assert_allclose(frame[f"{matrix} stable_rank"][layer], expected)


def test_a_name_of_two_engines_is_told_with_its_engine(sample):
    results = {"one": sample("Linearity"), "other": sample("Linearity")}
    assert [*views.measures_of(results)] == [
        f"{engine} {name}" for engine in results for name in ("linearity", "update_linearity")
    ]


def test_curves_are_of_the_measures_that_are_named(sample):
    results = {"redundancy": sample("LayerRedundancy")}
    figure = views.layer_curves(results, measures=("block angle", "mlp loss_skipped"))
    lines = [trace for trace in figure.data if trace.mode == "lines+markers"]
    values = [
        results["redundancy"].data[name].sel(part=part) for name, part in (("angle", "block"), ("loss_skipped", "mlp"))
    ]
    for line, value in zip(lines, values, strict=True):
        assert np.array_equal(line.y, value)
    figure = views.layer_curves(results, measures=("nothing", "block angle"))
    assert "not in these results: nothing" in str(figure.layout.meta["notes"])
    with pytest.raises(ResultError, match="no nothing in these results; choose from block influence"):
        views.layer_curves(results, measures=("nothing",))

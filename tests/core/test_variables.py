"""What a kind declares: variables with axes, units and meanings, intervals, and files in which these were pairs."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from making import KINDS, prompts_of

from interp import kinds
from interp.core.errors import ResultError
from interp.core.result import Result
from interp.core.variables import AXES, METHOD, METRIC, Variable


@pytest.fixture(scope="module")
def weather():
    """A kind with everything that a declaration may have."""

    class Weather(Result):
        """Weather."""

        warmth = Variable("layer", "how warm it is", unit="°C", interval=True)
        gain = Variable("batch layer? head?", "what the metric gains", unit=METRIC, optional=True)
        score = Variable("layer", "what the method says", unit=METHOD, optional=True)
        rain = Variable("head", "how much it rains", unit="mm", table="rain", interval=True, ends=("least", "most"))
        spread = Variable("head bound", "all of it", table="rain", ends=("first", "last"))

    yield Weather
    del Result.kinds["Weather"]


LOW, HIGH = np.array([1.0, 2.0]), np.array([3.0, 6.0])
VALUES = {
    "warmth": [2.0, 4.0],
    "warmth_interval": np.stack([LOW, HIGH], -1),
    "rain": [1.0, 2.0, 3.0],
    "rain_interval": np.array([[0.0, 5.0], [1.0, 6.0], [2.0, 7.0]]),
    "spread": np.array([[0.1, 0.2], [0.3, 0.4], [0.5, 0.6]]),
}


def test_what_is_declared(weather):
    assert list(weather.variables) == ["warmth", "warmth_interval", "gain", "score", "rain", "rain_interval", "spread"]
    assert weather.variables["warmth_interval"].axes == "layer bound"
    assert weather.tables == {"rain": ("rain", "rain_interval", "spread")}
    assert weather.warmth.meaning == "how warm it is"
    described = weather.describe()
    assert list(described.columns) == ["variable", "axes", "table", "unit", "meaning"]
    assert described.loc[0].tolist() == ["warmth", "layer", "", "°C", "how warm it is"]
    assert described.unit.tolist() == ["°C", "°C", METRIC, METHOD, "mm", "mm", ""]


def test_a_kind_may_add_to_another(weather):
    class Storm(weather):
        """Weather with wind."""

        wind = Variable("layer", "how hard it blows", unit="m/s")

    del Result.kinds["Storm"]
    assert list(Storm.variables) == [*weather.variables, "wind"]
    assert Storm.tables == weather.tables
    assert "wind" not in weather.variables


def test_axes_units_and_meanings_come_from_the_declaration(weather):
    more = {"gain": np.zeros((2, 3)), "score": [0.5, 1.5]}
    result = weather.of(prompts_of(), VALUES | more, "batch head", unit="logits", measured="x")
    units = {name: array.attrs["unit"] for name, array in result.data.data_vars.items()}
    assert units == {
        "warmth": "°C", "warmth_interval": "°C", "rain": "mm", "rain_interval": "mm", "spread": "", "gain": "logits",
        "score": "logits",
    }  # fmt: skip
    assert result.gain.dims == ("batch", "head")
    assert result.rain.identical(result.data["rain"])
    assert result.data["bound"].values.tolist() == ["low", "high"]
    assert result.data["warmth"].attrs["meaning"] == "how warm it is"
    assert "what the method says" in result._repr_html_()
    own = weather.of(
        prompts_of(), VALUES | {"score": ("layer", [0.5, 1.5], "share")}, "batch", unit="logits", measured="x"
    )
    assert own.score.attrs["unit"] == "share"


def test_an_interval_is_two_columns(weather):
    result = weather.of(prompts_of(), VALUES, measured="x")
    frame = pd.DataFrame({"layer": [0, 1], "warmth": [2.0, 4.0], "warmth_low": LOW, "warmth_high": HIGH})
    pd.testing.assert_frame_equal(result.to_frame(), frame)
    rain = result.to_frame("rain")
    assert list(rain.columns) == ["head", "rain", "rain_least", "rain_most", "spread_first", "spread_last"]
    assert rain.loc[1].tolist() == [1, 2.0, 1.0, 6.0, 0.3, 0.4]


def test_an_interval_has_two_ends(weather):
    with pytest.raises(ResultError, match=r"missing \['warmth_interval'\]"):
        weather.of(prompts_of(), {k: v for k, v in VALUES.items() if k != "warmth_interval"}, measured="x")
    with pytest.raises(ResultError, match=r"Weather\.warmth_interval has axes \['layer'\]; declared layer bound"):
        weather.of(prompts_of(), VALUES | {"warmth_interval": ("layer", [1.0, 2.0])}, measured="x")


def test_the_mean_of_an_interval_is_that_of_its_ends():
    """Of results prompt by prompt: each end is a column, with an interval of its own."""
    score = np.arange(24.0).reshape(2, 3, 4)
    ends = np.stack([score[:, 0] - 1, score[:, 0] + 2], -1)
    scores = dict.fromkeys(
        ("comprehensiveness", "sufficiency", "deletion_auc", "insertion_auc", "beats_random"), score[:, :, 0]
    )
    rest = {"curve": np.zeros((2, 3, 2, 4)), "random": np.zeros((2, 4, 2)), "control": score[:, 0]}
    result = kinds.Faithfulness.of(prompts_of(), scores | rest | {"control_interval": ends}, measured="x")
    assert list(result.to_frame("control").columns)[-3:] == ["control", "control_lower", "control_upper"]
    table = result.summary("control")
    np.testing.assert_allclose(table["control_lower"], (score[0, 0] + score[1, 0]) / 2 - 1)
    np.testing.assert_allclose(table["control_upper_low"], score[0, 0] + 2)


@pytest.mark.parametrize("kind", KINDS)
def test_every_variable_says_what_it_is(kind):
    for name, variable in Result.kinds[kind].variables.items():
        assert {axis.removesuffix("?") for axis in variable.axes.split()} <= set(AXES)
        assert variable.name == name
        assert variable.meaning
        assert "\n" not in variable.meaning + variable.unit


# Files in which an interval is a pair of variables

EVIDENCE = {  # as older files have them
    "": "faithfulness faithfulness_low faithfulness_high random_faithfulness clean corrupted circuit edges "
    "incompleteness incompleteness_low incompleteness_high cpr cmd random_cpr random_cmd rank_correlation "
    "linearisation_error",
    "budget": "curve curve_low curve_high nominal pruned",
    "budget draw": "random_curve",
    "component": "minimality minimality_low minimality_high node_incompleteness",
    "edge": "edge_effect edge_effect_low edge_effect_high edge_score selection_frequency",
}
FAITHFUL = {
    "batch method": "comprehensiveness sufficiency deletion_auc insertion_auc beats_random",
    "batch method order fraction": "curve",
    "batch fraction": "random_lower random_upper",
    "batch score": "control control_lower control_upper",
}
TABLES = {
    "CircuitEvidence": (EVIDENCE, {"curve": "budget", "nodes": "component", "edges": "edge"}),
    "Faithfulness": (FAITHFUL, {"control": "batch score"}),
}


def old_file(kind, path, *, without=()):
    """A file of that kind, each value its number in order."""
    sizes = {"budget": 3, "draw": 2, "component": 4, "edge": 2, "batch": 1, "method": 2, "order": 2, "fraction": 3}
    values, attrs = {}, {"kind": kind, "provenance": '{"engine": "old"}', "measured": "m", "sign": ""}
    for axes, names in TABLES[kind][0].items():
        for name in names.split():
            shape = [sizes.get(axis, 4) for axis in axes.split()]
            values[name] = (axes.split(), len(values) + np.zeros(shape), {"unit": "logits"})
    data = xr.Dataset(values, attrs=attrs).drop_vars(without)
    numbered = {axis: np.arange(size) for axis, size in data.sizes.items() if axis != "edge"}
    data.assign_coords(numbered).to_netcdf(path, engine="h5netcdf")
    return [name for names in TABLES[kind][0].values() for name in names.split()]


@pytest.mark.parametrize("kind", TABLES)
def test_a_file_of_pairs_reads_as_intervals(kind, tmp_path):
    names = old_file(kind, tmp_path / "old.nc")
    result = Result.load(tmp_path / "old.nc")
    assert type(result).__name__ == kind
    main = next(iter(TABLES[kind][0].values())).split()
    frame = result.to_frame()
    assert [column for column in frame.columns if column in names] == main
    for table, axes in TABLES[kind][1].items():
        frame = result.to_frame(table)
        expected = TABLES[kind][0][axes].split()
        assert list(frame.columns)[-len(expected) :] == expected
        assert frame.iloc[-1][expected].tolist() == [names.index(name) for name in expected]
    for array in result.data.data_vars.values():
        assert array.attrs["unit"] == "logits"
        assert array.attrs["meaning"]
    again = Result.load(result.save(tmp_path / "new"))
    assert again.data.identical(result.data)
    assert "bound" in again.data.dims


def test_a_pair_without_one_end_is_refused(tmp_path):
    old_file("CircuitEvidence", tmp_path / "old.nc", without=["curve_high"])
    with pytest.raises(ResultError, match=r"missing \['curve_interval'\], undeclared \['curve_low'\]"):
        Result.load(tmp_path / "old.nc")

"""Every measure of the layers, of whatever engine, as columns of one table and as curves beneath one another."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import xarray as xr
from plotly.subplots import make_subplots

from interp.core.errors import ResultError
from interp.core.result import Result
from interp.views.chart import dress
from interp.views.labels import escape, ticks, wrap
from interp.views.marks import band, curve
from interp.views.theme import theme_named

SPLIT = ("part", "matrix")  # axes whose entries are columns of their own
AVERAGED = ("batch", "window", "head", "kv_head", "expert")
USUAL = (
    "block influence",
    "block linearity",
    "block loss_skipped",
    "block loss_replaced",
    "attention loss_skipped",
    "mlp loss_skipped",
    "block loss_parallel",
    "sink",
)
HEIGHT = 130  # of one curve
MOST = 8  # curves


class Measure(NamedTuple):
    """One number for each layer, with its interval where its engine gives one."""

    name: str
    engine: str
    meaning: str
    unit: str
    values: np.ndarray
    low: np.ndarray | None
    high: np.ndarray | None


def measures_of(results: Mapping[str, Result]) -> dict[str, Measure]:
    """The measures in these results by name: a number of each layer, of each part of it, or the mean over its heads.

    A measure is called as its variable; where several results have that, their name stands before it.
    """
    found = [measure for name, result in results.items() for measure in _of_result(name, result)]
    names = [measure.name for measure in found]
    whole = [
        measure if names.count(measure.name) == 1 else measure._replace(name=f"{measure.engine} {measure.name}")
        for measure in found
    ]
    return {measure.name: measure for measure in whole}


def layer_table(results: Mapping[str, Result], *, measures: tuple[str, ...] = ()) -> pd.DataFrame:
    """A row for each layer and a column for each measure, or for some; `… low` and `… high` where it has an interval.

    Raises: ResultError if the results have none of the measures.
    """
    columns: dict[str, np.ndarray] = {}
    for name, measure in usual_measures(results, measures or tuple(measures_of(results))).items():
        columns[name] = measure.values
        if measure.low is not None and measure.high is not None:
            columns |= {f"{name} low": measure.low, f"{name} high": measure.high}
    frame = pd.DataFrame({name: pd.Series(values) for name, values in columns.items()})
    frame.insert(0, "layer", np.arange(len(frame)))
    return frame


def usual_measures(results: Mapping[str, Result], measures: tuple[str, ...] = ()) -> dict[str, Measure]:
    """Those of these measures that the results have; where none are named, the usual ones, or else the first.

    Raises: ResultError if the results have none of the measures.
    """
    available = measures_of(results)
    names = measures or USUAL
    chosen = {name: available[name] for name in names if name in available}
    if measures and not chosen:
        raise ResultError(f"no {' or '.join(measures)} in these results; choose from {', '.join(available)}")
    return chosen or dict(islice(available.items(), 3))


def how_measured(results: Mapping[str, Result], measures: Iterable[Measure]) -> str:
    """What was measured on what, for each engine that some measures are from."""
    engines = {measure.engine for measure in measures}
    return "; ".join(f"{name}: {result.measured}" for name, result in results.items() if name in engines)


def layer_curves(results: Mapping[str, Result], *, measures: tuple[str, ...] = (), theme: str = "light") -> go.Figure:
    """Some measures over the layers, one curve under the other; by default the usual ones.

    Measures that the results lack are left out, and named in a note.
    Raises: ResultError if the results have none of the measures.
    """
    chosen = usual_measures(results, measures)
    look, drawn = theme_named(theme), [*chosen.values()][:MOST]
    figure = make_subplots(rows=max(1, len(drawn)), cols=1, shared_xaxes=True, vertical_spacing=0.04)
    for row, measure in enumerate(drawn, start=1):
        layers = np.arange(len(measure.values))
        if measure.low is not None and measure.high is not None:
            for edge in band(layers, measure.low, measure.high):
                figure.add_trace(edge, row=row, col=1)
        hover = f"layer %{{x}}<br>{escape(measure.name)} %{{y:.4g}} {escape(measure.unit)}"
        markers: dict[str, Any] = {"mode": "lines+markers", "marker": {"size": 5}, "showlegend": False}
        figure.add_trace(curve(layers, measure.values, look.accent, hover, **markers), row=row, col=1)
        figure.update_yaxes(title={"text": _in_lines(measure.name), "font": {"size": 11}}, row=row, col=1)
    first = next(iter(results.values()))
    most = max((len(measure.values) for measure in drawn), default=1)
    figure.update_xaxes(ticks(range(most), range(most), most=16))
    figure.update_xaxes(title="layer", row=max(1, len(drawn)), col=1)
    notes = [f"{measure.name}: {measure.meaning} ({measure.unit or 'no unit'})" for measure in drawn]
    if absent := [name for name in measures if name not in chosen]:
        notes.append(f"not in these results: {', '.join(absent)}")
    if len(chosen) > MOST:
        notes.append(f"the first {MOST} of {len(chosen)} measures")
    about = replace(first, data=first.data.assign_attrs(measured=how_measured(results, drawn), sign=""))
    return dress(figure, about, look, title="Measures of the layers", notes=notes, plot_height=HEIGHT * len(drawn) + 20)


def _in_lines(name: str) -> str:
    return "<br>".join(escape(line) for line in wrap(name.replace("_", " "), 18))


def _of_result(engine: str, result: Result) -> Iterator[Measure]:
    for name, variable in result.variables.items():
        if name not in result.data or "bound" in result.data[name].dims or result.data[name].dtype.kind not in "fi":
            continue
        array = _by_layer(result.data[name])
        if "matrix" in array.dims and f"{name}_interval" not in result.data:
            continue  # controls and limits, as many columns again
        others = [str(dim) for dim in array.dims if dim != "layer"]
        if "layer" not in array.dims or not {*others} <= {*SPLIT, *AVERAGED}:
            continue
        over = [dim for dim in others if dim in AVERAGED]
        interval = result.data.get(f"{name}_interval")
        if over or interval is None:
            interval = None
        unit, words = str(array.attrs.get("unit", "")), "".join(f", mean over {dim}s" for dim in over if dim != "batch")
        for part, values, ends in _split(array.mean(over, skipna=True), interval):
            yield Measure(
                f"{part} {name}" if part else name, engine, variable.meaning + words, unit, values,
                None if ends is None else ends.sel(bound="low").values,
                None if ends is None else ends.sel(bound="high").values,
            )  # fmt: skip


def _by_layer(array: xr.DataArray) -> xr.DataArray:
    """What a list of matrices says of each, by matrix, layer and head; anything else as it is."""
    axes = ("matrix", "layer", "head")
    if "component" not in array.dims or not {*axes} <= {*array.coords}:
        return array
    return array.set_index(component=axes).unstack("component")


def _split(array: xr.DataArray, interval: xr.DataArray | None) -> Iterator[tuple[str, np.ndarray, xr.DataArray | None]]:
    axis = next((name for name in SPLIT if name in array.dims), None)
    if axis is None:
        yield "", array.values, interval
        return
    for entry in array[axis].values:
        values = array.sel({axis: entry}).values
        if np.isfinite(values).any():
            yield str(entry), values, None if interval is None else interval.sel({axis: entry})

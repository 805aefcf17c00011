"""Two results of one kind side by side and their difference: on a shared scale in one unit, in ranks otherwise."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import xarray as xr

from interp.core.errors import ResultError
from interp.core.result import Result
from interp.views.chart import dress
from interp.views.choosing import choose_one, unit
from interp.views.figures import figure
from interp.views.labels import ticks
from interp.views.marks import cells, height, name_rows, number_axes, sign_colours, signed_number, solid
from interp.views.tables import table
from interp.views.theme import theme_named

STRONGEST = 30  # cells that are listed
LABELS = {"pos": "token", "query_pos": "query_token", "key_pos": "key_token"}


def beside(results: Mapping[str, Result], *, side: str, theme: str = "light", **choice: Any) -> go.Figure:
    """The figure of one of several results of one kind, on a scale that holds all of them if they are in one unit.

    Raises: ResultError for results of different kinds; OptionError as `figure` does.
    """
    _one_kind(results)
    choose_one("side", side, tuple(results))
    both = [*results.values()]
    is_shared = one_measure(both)
    if not is_shared:
        apart = f"a scale of its own: {in_two_measures(both)}"
        results = {
            name: replace(result, data=result.data.assign_attrs(measured=f"{result.measured}; {apart}"))
            for name, result in results.items()
        }
    figures = {name: figure(result, theme=theme, **choice) for name, result in results.items()}
    if is_shared:
        _share_colours(list(figures.values()))
        _share_axes(list(figures.values()))
    return figures[side]


def beside_table(results: Mapping[str, Result], *, side: str, **choice: Any) -> pd.DataFrame:
    """What `beside` draws: the numbers of that side."""
    choose_one("side", side, tuple(results))
    return table(results[side], **choice)


def difference(results: Mapping[str, Result], *, variable: str | None = None, theme: str = "light") -> go.Figure:
    """The first result minus the second, where their coordinates agree: a heat map of two axes, or the strongest cells.

    Numbers in two units, or of which opposite signs support, have no difference: their ranks by size have.

    Raises: ResultError for results of different kinds, or with nothing in common; OptionError for another variable.
    """
    look = theme_named(theme)
    (name, one), (other, two) = _pair(results)
    first, second = _align(results, variable)
    measure, sides = unit(one, str(first.name)), one.supports(str(first.name))
    captions = {"measured": f"{one.measured}: {name} − {other}", "sign": f"positive: larger in the {name}"}
    title = f"Difference of {str(first.name).replace('_', ' ')}"
    if not one_measure([one, two], str(first.name)):
        first, second, measure, sides = _rank(first), _rank(second), "ranks", ""
        captions = {
            "measured": f"rank by size: {name} − {other}; {in_two_measures([one, two], str(first.name))}",
            "sign": f"negative: ranks higher in the {name}",
        }
        title = f"{title}, in ranks"
    gap = _minus(first, second)
    result = replace(one, data=one.data.assign_attrs(captions))
    values = gap.squeeze(drop=True)
    wide = [str(dim) for dim in values.dims]
    if len(wide) == 2:
        down, across = (_names(values, dim) for dim in wide)
        hover = f"%{{y}}, %{{x}}: %{{z:+.4g}} {measure}"
        chart = go.Figure(cells(values.values.astype(float), look, signed=True, hover=hover, supports=sides))
        chart.update_xaxes(ticks(range(len(across)), across, most=40), title=wide[1].replace("_", " "))
        chart.update_yaxes(ticks(range(len(down)), down, most=40), title=wide[0].replace("_", " "))
        tall = height(len(down), 19, 160, 640)
        return dress(chart, result, look, title=title, plot_height=tall, bar=measure, supports=sides)
    cells_of = difference_table(results, variable=variable)
    largest = cells_of.iloc[np.argsort(-np.abs(cells_of["difference"].to_numpy()), kind="stable")[:STRONGEST]]
    labels = largest.drop(columns=["difference", *results])
    names = [" ".join(map(str, row)) for row in labels.itertuples(index=False)]
    lengths = largest["difference"].to_numpy(dtype=float)
    chart = go.Figure(
        go.Bar(x=lengths, y=np.arange(len(names)), orientation="h", marker=solid(sign_colours(lengths, look, sides)))
    )
    name_rows(chart, names, limit=34)
    number_axes(chart, f"difference ({measure})")
    tall = 20 * len(names) + 10
    return dress(chart, result, look, title=f"{title}: the largest", plot_height=tall, supports=sides)


def difference_table(results: Mapping[str, Result], *, variable: str | None = None) -> pd.DataFrame:
    """A row a cell that both results have: its labels, both values, and the first minus the second.

    Of two units, or where opposite signs support, the difference is that of ranks by size, the largest first.
    """
    (name, one), (other, two) = _pair(results)
    first, second = _align(results, variable)
    ends = (first, second)
    if not one_measure([one, two], str(first.name)):
        ends = (_rank(first), _rank(second))
    columns = {name: first, other: first.copy(data=second.values), "difference": _minus(*ends)}
    values = xr.Dataset(columns).squeeze(drop=True)
    if not values.dims:
        return pd.DataFrame([{name: array.item() for name, array in values.data_vars.items()}])
    frame: Any = values.to_dataframe()
    return frame.reset_index()


def one_measure(results: Sequence[Result], variable: str | None = None) -> bool:
    """Whether the numbers of all results can be compared: in one unit, the same sign supporting."""
    return len({_measure(result, variable) for result in results}) == 1


def in_two_measures(results: Sequence[Result], variable: str | None = None) -> str:
    """Why the numbers of results cannot be compared, in words."""
    units, sides = zip(*(_measure(result, variable) for result in results), strict=True)
    if len(set(units)) > 1:
        return f"different units ({' and '.join(name or 'none' for name in units)}), so only ranks compare"
    return f"opposite signs support ({' and '.join(side or 'none' for side in sides)}), so only ranks compare"


def _measure(result: Result, variable: str | None) -> tuple[str, str]:
    values = result.values(variable)
    return str(values.attrs.get("unit", "")), result.supports(str(values.name))


def _rank(array: xr.DataArray) -> xr.DataArray:
    """Ranks by absolute value over everything, 1 the largest; ties share their mean rank."""
    return array.copy(data=ranks_by_size(array.values))


def ranks_by_size(values: np.ndarray) -> np.ndarray:
    """1 for the largest absolute value; ties share their mean rank, NaN has none."""
    return pd.Series(np.abs(values.astype(float)).ravel()).rank(ascending=False).to_numpy().reshape(values.shape)


def _minus(first: xr.DataArray, second: xr.DataArray) -> xr.DataArray:
    return first.copy(data=first.values.astype(float) - second.values.astype(float))


def _align(results: Mapping[str, Result], variable: str | None) -> tuple[xr.DataArray, xr.DataArray]:
    """One variable of both, where the coordinates agree; what has only labels is matched by them."""
    (_, one), (_, two) = _pair(results)
    numeric = [
        str(name) for name, array in one.data.data_vars.items() if array.dtype.kind in "iuf" and name in two.data
    ]
    if not numeric:
        raise ResultError(
            f"these results of {type(one).__name__} have no numeric variable in common; compare "
            "results made with the same options"
        )
    name = choose_one("variable", variable or numeric[0], numeric)
    first, second = (_index(result.values(name)) for result in (one, two))
    try:
        first, second = xr.align(first, second, join="inner")
    except ValueError as error:
        raise ResultError(f"the two results cannot be matched cell by cell: {str(error).splitlines()[0]}") from None
    if not first.size or first.dims != second.dims:
        raise ResultError(
            "the two results share no labels, so there is no difference; compare results on the same "
            "prompts and options"
        )
    return first, second


def _index(array: xr.DataArray) -> xr.DataArray:
    """With a number or its labels for every axis."""
    for dim in array.dims:
        labels = [array[name].values.astype(str) for name in array.coords if array[name].dims == (dim,)]
        if dim not in array.coords and labels:
            names = [" → ".join(parts) for parts in zip(*labels, strict=True)]
            if len(set(names)) == len(names):
                array = array.drop_vars([n for n in array.coords if array[n].dims == (dim,)]).assign_coords(
                    {dim: names}
                )
    return array


def _names(array: xr.DataArray, dim: str) -> list[str]:
    """What the cells along an axis are called."""
    label = LABELS.get(dim, "")
    if label in array.coords and array[label].dims == (dim,):
        return [str(value) for value in array[label].values]
    return [str(value) for value in (array[dim].values if dim in array.coords else range(array.sizes[dim]))]


def _pair(results: Mapping[str, Result]) -> list[tuple[str, Result]]:
    if len(results) != 2:
        raise ResultError("a difference takes two results; wait for both to finish, or give two")
    _one_kind(results)
    return list(results.items())


def _one_kind(results: Mapping[str, Result]) -> None:
    kinds = list(dict.fromkeys(type(result).__name__ for result in results.values()))
    if len(kinds) > 1:
        raise ResultError(f"{' and '.join(kinds)} are different kinds of result; compare two of one kind")


# Scales


def _share_colours(figures: Sequence[go.Figure]) -> None:
    """Heat maps at the same place take the widest limits; a scale around zero stays around it."""
    for traces in zip(*(list(chart.select_traces({"type": "heatmap"})) for chart in figures), strict=False):
        ends = [end for trace in traces if (end := _colour_ends(trace)) is not None]
        if len(ends) < 2:
            continue
        low, high = min(low for low, _ in ends), max(high for _, high in ends)
        for trace in traces:
            trace.update(zmin=low, zmax=high)
            if trace.zmid == 0 and trace.colorbar.tickvals is not None:
                at = [low, 0, high]
                trace.colorbar.update(tickvals=at, ticktext=[signed_number(value) for value in at])


def _colour_ends(trace: Any) -> tuple[float, float] | None:
    values = np.asarray(trace.z, dtype=float)
    values = values[np.isfinite(values)]
    if not values.size:
        return None
    low, high = trace.zmin, trace.zmax
    return float(values.min() if low is None else low), float(values.max() if high is None else high)


def _share_axes(figures: Sequence[go.Figure]) -> None:
    """Axes that count something take the widest range; those of named places stay as they are."""
    for letter in "xy":
        for axes in zip(*(list(_axes(chart, letter)) for chart in figures), strict=False):
            ranges = [_span(chart, axis, letter) for chart, axis in zip(figures, axes, strict=True)]
            if any(span is None for span in ranges):
                continue
            low, high = min(span[0] for span in ranges if span), max(span[1] for span in ranges if span)
            room = 0.05 * ((high - low) or 1)
            ends = [low - room if low else low, high + room if high else high]
            for axis in axes:
                axis.range = ends[::-1] if axis.autorange == "reversed" else ends


def _axes(chart: go.Figure, letter: str) -> Any:
    return chart.select_xaxes() if letter == "x" else chart.select_yaxes()


def _span(chart: go.Figure, axis: Any, letter: str) -> tuple[float, float] | None:
    """From the least to the largest value along an axis of numbers."""
    if axis.tickvals is not None or axis.type == "category" or axis.range is not None:
        return None
    mine = axis.plotly_name.replace("axis", "")
    traces: list[Any] = [trace for trace in chart.data if (getattr(trace, f"{letter}axis", None) or letter) == mine]
    numbers = [np.asarray(values) for t in traces if t.type != "heatmap" and (values := getattr(t, letter)) is not None]
    numbers = [values.astype(float) for values in numbers if values.dtype.kind in "iuf" and values.size]
    if len(numbers) < len(traces) or not numbers:
        return None
    values = np.concatenate([array.ravel() for array in numbers])
    if any(trace.type == "bar" for trace in traces):
        values = np.append(values, 0.0)
    values = np.log10(values[values > 0]) if axis.type == "log" else values
    values = values[np.isfinite(values)]
    return (float(values.min()), float(values.max())) if values.size else None

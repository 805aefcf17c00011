"""The variables of a result, each declared once: its axes, its unit and what it means."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self, overload

import xarray as xr

from interp.core.errors import ResultError

AXES = (
    "batch pos query_pos key_pos layer head kv_head expert neuron feature d_model d_head d_mlp vocab rank component "
    "entry method other_method order fraction score edge candidate budget draw arrangement direction other_pos window "
    "other_layer channel variable target dictionary other_dictionary model bound "
    "part count family predicate distance strength "
    "step quantity coordinate other_coordinate sequence grid_row grid_column shift factor block"
).split()
UNNUMBERED = ("edge", "candidate", "channel")  # told by their labels: a number of their own would say nothing
BOUNDS = ("low", "high")
METRIC = "that of the metric"
METHOD = "that of the method"
FOR, AGAINST = "+", "-"  # the sign of what supports the answer, or raises what is explained
_INTERVAL = "_interval"


@dataclass(frozen=True)
class Variable:
    """One variable of a kind of result; as an attribute of a result, its values.

    An axis that ends in `?` may be absent. Values are finite, but for NaN where the meaning says so. A unit METRIC or
    METHOD is filled in by the engine. `supports` is the sign of the values that support the answer, or raise what is
    explained: FOR, AGAINST, METHOD, or nothing where values have no sides; colours follow from it. `table` names the
    table that holds the variable, the main one by default. With `interval`, a variable `{name}_interval` on the further
    axis `bound` goes with it; a table has a column for each of its `ends`.
    """

    axes: str
    meaning: str
    unit: str = ""
    supports: str = ""
    table: str | None = None
    optional: bool = False
    interval: bool = False
    ends: tuple[str, str] = BOUNDS
    name: str = field(init=False, default="")

    def __set_name__(self, kind: type, name: str) -> None:
        object.__setattr__(self, "name", name)

    @overload
    def __get__(self, result: None, kind: type) -> Self: ...
    @overload
    def __get__(self, result: Any, kind: type) -> xr.DataArray: ...
    def __get__(self, result: Any, kind: type) -> Self | xr.DataArray:
        return self if result is None else result.values(self.name)

    def unit_of(self, unit: str) -> str:
        """Its unit, where that of the metric or the method is `unit`."""
        return unit if self.unit in (METRIC, METHOD) else self.unit

    def supports_of(self, supports: str) -> str:
        """The sign of what supports the answer, where that of the method is `supports`."""
        return supports if self.supports == METHOD else self.supports

    @property
    def columns(self) -> tuple[str, ...]:
        """What a table calls it: one name, or one for each end of an interval."""
        if "bound" not in self.axes.split():
            return (self.name,)
        return tuple(f"{self.name.removesuffix(_INTERVAL)}_{end}" for end in self.ends)

    def check_axes(self, kind: str, axes: list[str]) -> None:
        """Raises: ResultError if these are not its axes."""
        own = self.axes.split()
        unknown = [axis for axis in axes if axis not in AXES]
        expected = [axis for axis in (a.removesuffix("?") for a in own) if axis in axes]
        required = [axis for axis in own if not axis.endswith("?")]
        if unknown or expected != axes or any(axis not in axes for axis in required):
            raise ResultError(f"{kind}.{self.name} has axes {axes}; declared {self.axes}")


def declared_in(kind: type) -> dict[str, Variable]:
    """The variables of a kind by name, in order, an interval after what it is of."""
    variables = {}
    for name, variable in vars(kind).items():
        if isinstance(variable, Variable):
            variables[name] = variable
            if variable.interval:
                meaning = f"{variable.meaning}: 95 % bootstrap interval; NaN of a single prompt"
                ends = replace(variable, axes=f"{variable.axes} bound".strip(), meaning=meaning, interval=False)
                ends.__set_name__(kind, name + _INTERVAL)
                variables[ends.name] = ends
    return variables


def tables_of(variables: Mapping[str, Variable]) -> dict[str, tuple[str, ...]]:
    """The tables other than the main one, and their variables."""
    tables: dict[str, tuple[str, ...]] = {}
    for name, variable in variables.items():
        if variable.table:
            tables[variable.table] = (*tables.get(variable.table, ()), name)
    return tables


def with_ends_apart(data: xr.Dataset, variables: Mapping[str, Variable]) -> xr.Dataset:
    """The same data with a variable for each end of an interval: the columns of a table."""
    apart = {}
    for name, array in data.data_vars.items():
        ends = [array.isel(bound=at, drop=True) for at in (0, 1)] if "bound" in array.dims else [array]
        apart |= dict(zip(variables[str(name)].columns, ends, strict=True))
    return data.drop_dims("bound", errors="ignore").assign(apart)[[*apart]]


def with_ends_joined(data: xr.Dataset, variables: Mapping[str, Variable]) -> xr.Dataset:
    """The data of a file as declared: older files have a variable for each end of an interval, and no meanings."""
    pairs = {v.columns: v for v in variables.values() if len(v.columns) == 2 and {*v.columns} <= {*data.data_vars}}
    arrays = {}
    for name, array in data.data_vars.items():
        pair = next((columns for columns in pairs if name in columns), None)
        if pair is None:
            arrays[str(name)] = array
        elif name == pair[0]:
            arrays[pairs[pair].name] = xr.concat([data[end] for end in pair], "bound").transpose(..., "bound")
    if pairs:
        data = data.assign(arrays).assign_coords(bound=list(BOUNDS))[[*arrays]]
    for name, array in data.data_vars.items():
        if name in variables:
            array.attrs.setdefault("meaning", variables[str(name)].meaning)
    return data

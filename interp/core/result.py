"""One labelled result: an xarray dataset with named axes, token labels, units and provenance.

A kind of result is a subclass that declares its variables; construction checks them. Files are netCDF (HDF5): written
atomically, checksummed, and read without running anything they contain.
"""

import html
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
import torch
import xarray as xr

from interp.core.errors import ResultError
from interp.core.folders import write_whole
from interp.core.intervals import bootstrap_mean
from interp.core.paths import typed_path
from interp.core.prompts import Prompts
from interp.core.seal import SEAL, has_whole_seal, sealed
from interp.core.variables import (
    BOUNDS,
    STEP,
    UNNUMBERED,
    Variable,
    declared_in,
    tables_of,
    with_ends_apart,
    with_ends_joined,
)

VIEWS = "interp.views"  # draws results in notebooks, and imports this module
KINDS = "interp.kinds"  # registers every kind when it is imported, which reading a file does by name
SIGN = "effect = metric(edited) − metric(clean); negative: what was edited had supported the answer"


@dataclass(frozen=True)
class Provenance:
    """Where a result came from: enough to make it again."""

    engine: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    model: str = ""
    weight_hash: str = ""
    prompt_hash: str = ""
    metric: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    created: str = ""


@dataclass(frozen=True, eq=False, repr=False)
class Result:
    """A frozen record around `data`.

    A subclass declares each variable as an attribute. `variables` are all of them by name; `tables` names those that
    are tables of their own (table → variables), the others are the main table. `finds` is what it claims to find:
    tokens, nodes, edges or features, by how much the answer depends on each, shares of the stream, or nothing.
    """

    data: xr.Dataset
    provenance: Provenance = Provenance()

    variables: ClassVar[Mapping[str, Variable]] = {}
    tables: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    finds: ClassVar[str] = ""
    kinds: ClassVar[dict[str, type["Result"]]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.variables = {**cls.variables, **declared_in(cls)}
        cls.tables = tables_of(cls.variables)
        Result.kinds[cls.__name__] = cls

    def __post_init__(self) -> None:
        required = {name for name, variable in self.variables.items() if not variable.optional}
        missing, unknown = required - set(self.data.data_vars), set(self.data.data_vars) - set(self.variables)
        if missing or unknown:
            raise ResultError(
                f"{type(self).__name__} declares {sorted(self.variables)}; missing {sorted(missing)}, "
                f"undeclared {sorted(map(str, unknown))}"
            )
        for name, array in self.data.data_vars.items():
            self.variables[str(name)].check_axes(type(self).__name__, [str(dim) for dim in array.dims])

    @classmethod
    def of(
        cls,
        prompts: Prompts,
        values: Mapping[str, Any],
        axes: str = "",
        *,
        unit: str = "",
        measured: str,
        sign: str = "",
        supports: str = "",
        facts: Mapping[str, str] | None = None,
        **coordinates: Any,
    ) -> Self:
        """Build a result from arrays or tensors.

        `values` maps each variable to its array. `axes` are those of values that may lack some of their declared axes
        ("batch layer head"); a value may also be (axes, array), or (axes, array, unit). `unit` is that of the metric or
        the method, where the kind leaves it to them. Position axes and `batch` get their labels from `prompts`;
        `layer`, `head` and other counted axes are numbered from 0; `coordinates` adds or replaces labels (an array, or
        a pair of axes and array). `measured` says in one line what the numbers are; `sign` what their sign means,
        `supports` the sign of what supports the answer, where the kind leaves it to the method; `facts` what else
        belongs to the whole result.
        """
        data = {}
        for name, value in values.items():
            variable = cls.variables.get(name, Variable(axes, ""))
            entry = value if isinstance(value, tuple) else (axes if "?" in variable.axes else variable.axes, value)
            dims, array, own = (*entry, variable.unit_of(unit))[:3]
            about = {"unit": own, "meaning": variable.meaning, "supports": variable.supports_of(supports)}
            data[name] = (tuple(dims.split()), _numpy(array), about)
        sizes = {dim: size for dims, array, _ in data.values() for dim, size in zip(dims, array.shape, strict=True)}
        labels: dict[str, Any] = {axis: np.arange(size) for axis, size in sizes.items() if axis not in UNNUMBERED}
        if "bound" in sizes:
            labels["bound"] = list(BOUNDS)
        if "batch" in sizes:
            labels |= prompts.coordinates(*(axis for axis in sizes if axis in ("pos", "query_pos", "key_pos")))
        labels |= coordinates
        dataset = xr.Dataset(data, coords=labels, attrs={**(facts or {}), "measured": measured, "sign": sign})
        return cls(dataset)

    def with_provenance(self, provenance: Provenance) -> Self:
        """The same result, with its origin."""
        return replace(self, provenance=provenance)

    @classmethod
    def describe(cls) -> pd.DataFrame:
        """The kind's variables: name, axes, table, unit and meaning, a row each."""
        rows = [(name, v.axes, v.table or "", v.unit, v.meaning) for name, v in cls.variables.items()]
        return pd.DataFrame(rows, columns=["variable", "axes", "table", "unit", "meaning"])

    @property
    def measured(self) -> str:
        """What the numbers are, in one line."""
        return str(self.data.attrs.get("measured", ""))

    @property
    def sign(self) -> str:
        """What the sign of the numbers means; empty where they have none."""
        return str(self.data.attrs.get("sign", ""))

    def supports(self, variable: str) -> str:
        """The sign of the values that support the answer or raise what is explained; empty where they have no sides."""
        default = self.variables[variable].supports_of("")
        return str(self.data[variable].attrs.get("supports", default))

    def values(self, variable: str | None = None) -> xr.DataArray:
        """One variable; the first declared where none is named."""
        name = variable or next(iter(self.variables))
        if name not in self.data.data_vars:
            raise ResultError(
                f"{type(self).__name__} has no variable {name!r}; choose one of {list(self.data.data_vars)}"
            )
        return self.data[name]

    def to_frame(self, table: str | None = None) -> pd.DataFrame:
        """A tidy table: one row a cell, a column for each axis, label and variable.

        `table` is one of the kind's `tables`; without it, the main one. A batch of one prompt loses its `batch` and
        `prompt` columns; padded places are left out.
        Raises: ResultError for a table that the kind or this result does not have.
        """
        data = with_ends_apart(self.data[self._in_table(table)], self.variables)
        if data.sizes.get("batch") == 1:
            data = data.isel(batch=0).drop_vars(["batch", "prompt"], errors="ignore")
        frame = _table(data)
        padding = pd.Series(False, index=frame.index)
        for name in ("token", "query_token", "key_token"):
            if name in frame:
                padding |= frame[name] == ""
        return frame.drop(index=frame.index[padding]).reset_index(drop=True)

    def _in_table(self, table: str | None) -> list[str]:
        """The variables of a table that this result holds."""
        if table is None:
            elsewhere = {name for names in self.tables.values() for name in names}
            return [str(name) for name in self.data.data_vars if name not in elsewhere]
        if table not in self.tables:
            tables = ", ".join(self.tables) or "none"
            raise ResultError(f"{type(self).__name__} has no table {table!r}; its tables are: {tables}")
        names = [name for name in self.tables[table] if name in self.data.data_vars]
        if not names:
            engine = self.provenance.engine or type(self).__name__
            raise ResultError(
                f"this {engine} result has no {table}; run the engine again with the option that returns it"
            )
        return names

    def summary(self, table: str | None = None) -> pd.DataFrame:
        """A tidy table of means over prompts, each with its 95 % bootstrap interval in `…_low` and `…_high`.

        `table` is one of the kind's `tables`; without it, the main one.
        Raises: ResultError where cells of different prompts do not correspond (a result with token positions).
        """
        if not self.is_comparable:
            raise ResultError(
                f"{type(self).__name__} has token positions or words, which differ between prompts, so it has no "
                "mean; ask for every prompt's own numbers"
            )
        data = {}
        for name, array in with_ends_apart(self.data[self._in_table(table)], self.variables).data_vars.items():
            axis = array.dims.index("batch")
            for suffix, values in zip(("", "_low", "_high"), bootstrap_mean(array.values, axis=axis), strict=True):
                data[f"{name}{suffix}"] = (array.dims[:axis] + array.dims[axis + 1 :], values)
        axes = {dim for dims, _ in data.values() for dim in dims}
        coordinates = {name: c for name, c in self.data.coords.items() if "batch" not in c.dims and axes >= set(c.dims)}
        return _table(xr.Dataset(data, coords=coordinates))

    @property
    def is_comparable(self) -> bool:
        """Whether a mean over prompts makes sense: every variable is a number per prompt, none has token positions."""
        return all(
            "batch" in array.dims
            and array.dtype.kind in "fib"
            and not {"pos", "query_pos", "key_pos"} & set(array.dims)
            for array in self.data.data_vars.values()
        )

    def save(self, path: str | Path) -> Path:
        """Write to `path` (`.nc` is added where it is missing), whole or not at all. Returns the path written."""
        path = _netcdf_path(path)
        data = self.data.assign_attrs(
            kind=type(self).__name__, provenance=json.dumps(asdict(self.provenance), default=str), seal=SEAL
        )
        # In memory first: a disk that fills up under HDF5 leaves it with files that it can neither finish nor close.
        write_whole(path, sealed(data.to_netcdf(engine="h5netcdf")))
        return path

    @staticmethod
    def load(path: str | Path) -> "Result":
        """Read a result of any kind. Raises: ResultError if the file is missing, truncated, corrupt or not ours."""
        path = _netcdf_path(path)
        if not path.is_file():
            raise ResultError(f"no result at {path}; give the path that `save` returned")
        try:
            is_sealed = has_whole_seal(path)
            with xr.open_dataset(path, engine="h5netcdf") as file:
                data = file.load()
            if data.attrs.pop("seal", "") and not is_sealed:
                raise ValueError("its checksum is missing")
        except Exception as error:  # h5py raises OSError, KeyError, RuntimeError or ValueError, as the damage has it
            reason = " ".join(str(error).split())
            raise ResultError(
                f"{path} is damaged or not a result file ({reason}); run the engine again and save the result"
            ) from error
        import_module(KINDS)
        kind = Result.kinds.get(str(data.attrs.pop("kind", "")))
        try:
            provenance = Provenance(**json.loads(data.attrs.pop("provenance", "")))
        except (TypeError, ValueError):
            provenance = None
        if kind is None or provenance is None:
            raise ResultError(f"{path} is not a result file of interp; give a file that `save` wrote")
        return kind(with_ends_joined(data, kind.variables), provenance)

    @property
    def is_by_step(self) -> bool:
        """Whether it is that of every step of a training, though its kind is of one model."""
        return STEP in self.data.dims and not any(STEP in v.axes.split() for v in self.variables.values())

    def __repr__(self) -> str:
        return f"{type(self).__name__} of {self.provenance.engine or 'no engine'}: {self.measured}\n{self.data!r}"

    def _repr_html_(self) -> str:
        origin = self.provenance
        lines = [
            f"<b>{html.escape(type(self).__name__)}</b> · {html.escape(origin.engine)} · {html.escape(origin.model)}",
            html.escape(self.measured),
            html.escape(self.sign),
        ]
        top = self.strongest()
        rows = top.to_html(index=False, float_format="{:.4g}".format, na_rep="")
        more = f"{len(top)} of {len(self.to_frame())} rows, largest first; `to_frame()` has all"
        variables = f"<details><summary>variables</summary>{self.data._repr_html_()}</details>"
        return "<br>".join(line for line in lines if line) + rows + f"<small>{html.escape(more)}</small>{variables}"

    def strongest(self, n: int = 8) -> pd.DataFrame:
        """The `n` rows of `to_frame()` that are largest by absolute value of the first numeric variable."""
        frame = self.to_frame()
        number = next((str(v) for v in self.data.data_vars if v in frame and frame[v].dtype.kind in "fiu"), None)
        if number is None:
            return frame.head(n)
        return frame.sort_values(number, key=np.abs, ascending=False, kind="stable").head(n)

    def _ipython_display_(self) -> None:
        """In a notebook: what was measured and the top rows, then the figure; text in a terminal."""
        display = import_module("IPython.display")
        if not hasattr(import_module("IPython").get_ipython(), "kernel"):
            display.display({"text/plain": repr(self)}, raw=True)
            return
        display.display(display.HTML(self._repr_html_()))
        with suppress(ResultError):  # a kind without a view
            display.display(import_module(VIEWS).figure(self))


def _table(data: xr.Dataset) -> pd.DataFrame:
    """One row a cell: columns for the axes (in the order of the widest variable), the labels, the variables."""
    variables = [str(name) for name in data.data_vars]
    if not data.dims:
        return pd.DataFrame([{name: data[name].item() for name in variables}])
    axes = [str(dim) for dim in max(data.data_vars.values(), key=lambda array: array.ndim).dims]
    axes += [str(dim) for dim in data.dims if dim not in axes]
    labels = [str(name) for name in data.coords if name not in data.dims]
    frame: Any = data.to_dataframe(dim_order=axes)
    return frame.reset_index()[[axis for axis in axes if axis in data.coords] + labels + variables]


def _numpy(values: Any) -> np.ndarray:
    """An array or tensor as numpy has it; bfloat16, which numpy lacks, as float32."""
    if not isinstance(values, torch.Tensor):
        return np.asarray(values)
    values = values.detach().cpu()
    return (values.float() if values.dtype == torch.bfloat16 else values).numpy()


def _netcdf_path(path: str | Path) -> Path:
    path = typed_path(path)
    if not path.name:
        raise ResultError(f"{str(path)!r} is not a file name; give one, such as results/heads.nc")
    return path if path.suffix == ".nc" else path.with_name(path.name + ".nc")

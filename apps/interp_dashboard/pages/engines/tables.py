"""A result as the page shows it beside its figure: its table, where it came from, and what can be chosen."""

import json
from dataclasses import asdict
from typing import Any

import numpy as np
from pandas.api.types import is_numeric_dtype

from interp import views
from interp.core.result import Result

MOST = 2000  # rows that the browser receives


def payload(result: Result, table: str) -> dict[str, Any]:
    """The table's first rows, as numbers and text; the result's tables, the figure's choices and its origin.

    Raises: ResultError for a table that there is not.
    """
    frame = result.to_frame(table or None)
    head = frame.head(MOST)
    meanings = {column: v.meaning for v in result.variables.values() for column in v.columns}
    units = {
        column: str(result.data[name].attrs.get("unit", ""))
        for name, v in result.variables.items() if name in result.data for column in v.columns
    }  # fmt: skip
    origin = json.loads(json.dumps(asdict(result.provenance), default=str))
    return {
        "columns": [str(name) for name in frame.columns],
        "units": [units.get(str(name), "") for name in frame.columns],
        "meanings": [meanings.get(str(name), "") for name in frame.columns],
        "numeric": [is_numeric_dtype(kind) for kind in frame.dtypes],
        "rows": [[_plain(value) for value in row] for row in head.itertuples(index=False)],
        "total": len(frame),
        "tables": extra_tables(result),
        "choices": choices(result),
        "kind": type(result).__name__,
        "origin": {name: value for name, value in origin.items() if value not in ("", {}, 0.0)},
        "measured": result.measured,
        "sign": result.sign,
    }


def extra_tables(result: Result) -> list[str]:
    """The tables that this result has beside the main one."""
    return [name for name, names in result.tables.items() if any(part in result.data.data_vars for part in names)]


def choices(result: Result) -> dict[str, list[str] | None]:
    """What the figure lets one choose: words, as far as this result holds what they name; None for a number."""
    kind, data = type(result), result.data.data_vars
    optional = {*kind.variables, *kind.tables}
    missing = optional - {str(name) for name in data} - set(extra_tables(result))
    options = {}
    for name, words in views.choices(kind).items():
        available = [word for word in words if word and word not in missing]
        if available or not words:
            options[name] = available or None
    return options


def _plain(value: Any) -> Any:
    """A cell as JSON has it: NaN and infinity as text, which sorts apart."""
    if isinstance(value, float | np.floating):
        return float(value) if np.isfinite(value) else None if np.isnan(value) else str(value)
    return value.item() if isinstance(value, np.generic) else value

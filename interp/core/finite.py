"""Results hold finite numbers: a NaN stands only where a variable's meaning says so, an infinity nowhere."""

import numpy as np
import xarray as xr

from interp.core.result import Result

_TOKEN_LABELS = ("token", "query_token", "key_token")  # labels that are empty where a shorter prompt has no token


def fault(result: Result) -> str:
    """The first value that is not finite though its variable has no place for one, and where it stands; or nothing."""
    for name, array in result.data.data_vars.items():
        if array.dtype.kind not in "fc":
            continue
        may_be_nan = "NaN" in result.variables[str(name)].meaning
        wrong = np.isinf(array.values) if may_be_nan else ~np.isfinite(array.values)
        if wrong.any() and (wrong := wrong & ~_padding(array)).any():
            place = np.unravel_index(int(wrong.argmax()), wrong.shape)
            return f"{name}{_place_in_words(array, place)} is {float(array.values[place])}"
    return ""


def _padding(array: xr.DataArray) -> np.ndarray:
    """Where an array belongs to no token."""
    mask = xr.zeros_like(array, dtype=bool)
    for label in _TOKEN_LABELS:
        if label in array.coords:
            mask = mask | (array.coords[label] == "")
    return mask.transpose(*array.dims).values


def _place_in_words(array: xr.DataArray, place: tuple[np.intp, ...]) -> str:
    where = (f"{axis} {int(index)}" for axis, index in zip(array.dims, place, strict=True))
    return f" at {', '.join(where)}" if place else ""

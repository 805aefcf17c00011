"""Which part of a result is shown: a prompt, an entry of an axis, a prompt's positions, a mean over prompts."""

import operator
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from interp.core.errors import OptionError
from interp.core.intervals import bootstrap_mean
from interp.core.result import Result
from interp.views.labels import escape, shorten, visible

Ends = np.ndarray | None  # of an interval; None where there is none


class Places(NamedTuple):
    """Indices along an axis and their labels."""

    at: np.ndarray
    labels: list[str]


def choose_row(result: Result, axis: str, label: int | None) -> int:
    """The index of `label` on an axis, the first where None. Raises: OptionError with the labels there are."""
    labels = list(result.data[axis].values)
    if label is None:
        return 0
    try:
        return labels.index(operator.index(label))
    except (TypeError, ValueError):
        name = "prompt" if axis == "batch" else axis
        raise OptionError(f"no {name} {label!r} in this result; choose from {_span(labels)}") from None


def row_or_mean(result: Result, prompt: int | None) -> int | None:
    """The prompt that is shown, or None for the mean over several. Raises: OptionError as `choose_row`."""
    one = prompt is not None or result.data.sizes["batch"] == 1
    return choose_row(result, "batch", prompt) if one else None


def choose_one(name: str, value: str, choices: Sequence[str]) -> str:
    """`value` if it is one of `known`. Raises: OptionError."""
    if value not in choices:
        raise OptionError(f"{name} = {value!r}; choose one of {', '.join(filter(None, choices))}")
    return value


def choices_made(show: str, names: Sequence[str], **values: Any) -> dict[str, Any]:
    """The choices that are not None. Raises: OptionError for one that this `show` does not have."""
    choices = {name: value for name, value in values.items() if value is not None}
    for name in choices:
        if name not in names:
            raise OptionError(f"show = {show!r} has no choice {name!r}; leave it out")
    return choices


def strongest(values: np.ndarray, top: int, what: str) -> np.ndarray:
    """The `top` entries of largest absolute value, flat and in order. Raises: OptionError for no whole number."""
    if not isinstance(top, int) or top < 1:
        raise OptionError(f"top = {top!r}; give a whole number of {what}, at least 1")
    return np.argsort(-np.abs(values), axis=None, kind="stable")[:top]


def places(result: Result, axis: str, row: int) -> Places:
    """Where a prompt has tokens on `axis`, as indices, and their labels; padding is left out."""
    name = axis.replace("pos", "token")
    if name not in result.data.coords:
        return Places(np.arange(result.data.sizes[axis]), [str(value) for value in result.data[axis].values])
    labels = result.data[name].isel(batch=row).values
    there = np.flatnonzero(labels != "")
    return Places(there, [str(labels[i]) for i in there])


def names_of(result: Result, axis: str) -> list[str]:
    """The labels of an axis as text."""
    return [str(name) for name in result.data[axis].values]


def of_prompt(values: np.ndarray, row: int | None) -> tuple[np.ndarray, Ends, Ends]:
    """One prompt's values; without a `row` the mean over the first axis with its bootstrap interval.

    The ends of the interval are None where there is one prompt.
    """
    if row is not None or len(values) == 1:
        return values[row or 0], None, None
    return bootstrap_mean(values)


def about_prompt(result: Result, row: int | None) -> str:
    """Which prompt a figure shows, for its subtitle."""
    count = result.data.sizes.get("batch", 1)
    if row is None:
        return f"mean over {count} prompts"
    text = shorten(visible(str(result.data["prompt"].values[row])), 70) if "prompt" in result.data.coords else ""
    where = "" if count == 1 else f"prompt {row} of {count}: "
    return f"{where}“{text}”" if text else where.rstrip(": ")


def unit(result: Result, variable: str) -> str:
    """A variable's unit, escaped."""
    return escape(result.data[variable].attrs.get("unit", ""))


def _span(labels: Sequence[Any]) -> str:
    numbers = [int(label) for label in labels]
    if len(numbers) > 1 and numbers == list(range(numbers[0], numbers[-1] + 1)):
        return f"{numbers[0]} to {numbers[-1]}"
    return ", ".join(map(str, numbers))

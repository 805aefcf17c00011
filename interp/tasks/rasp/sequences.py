"""What a RASP program is made of once its names are resolved: sequences of values, and selectors between them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from interp.tasks.programs import Value, written
from interp.tasks.rasp.syntax import Place, RaspError

Values = tuple[Any, ...]  # what a sequence can hold, each once; of several sequences together, tuples


@dataclass(eq=False)
class SOp:
    """A sequence of one value a position, None where it holds none; `values` are all that it can hold."""

    name: str
    values: Values


@dataclass(eq=False)
class Tokens(SOp):
    """The input."""


@dataclass(eq=False)
class Indices(SOp):
    """The positions, from 0."""


@dataclass(eq=False)
class Each(SOp):
    """A function of one or two sequences, position by position; blank where one of them is."""

    leaves: tuple[SOp, ...]
    function: Callable[..., Any]
    at: Place


@dataclass(eq=False)
class Selector:
    """Which keys each query selects; a blank is never selected and selects nothing.

    `predicate` takes a value of `keys` and one of `queries`.
    """

    name: str
    keys: SOp
    queries: SOp
    predicate: Callable[[Any, Any], bool]


@dataclass(eq=False)
class Width(SOp):
    """How many keys are selected."""

    selector: Selector


@dataclass(eq=False)
class Aggregate(SOp):
    """The value at the key selected, blank where none is; or `is_mean` of zeros and ones, 0 where none is."""

    selector: Selector
    of: SOp
    is_mean: bool
    at: Place


def paths(sop: SOp, known: dict[int, int]) -> int:
    """How many ways lead from it back to the input: what a compiler's walk over them costs."""
    if id(sop) not in known:
        match sop:
            case Each(leaves=leaves):
                before = leaves
            case Width(selector=selector):
                before = (selector.keys, selector.queries)
            case Aggregate(selector=selector, of=of):
                before = (selector.keys, selector.queries, of)
            case _:
                before = ()
        known[id(sop)] = 1 + sum(paths(each, known) for each in before)
    return known[id(sop)]


def number(value: Any) -> Any:
    """A fraction that is a whole number, as one."""
    return int(value) if isinstance(value, Fraction) and value.denominator == 1 else value


def text_of_value(value: Any) -> str:
    """A value as axes and tokens are named; of several sequences together, in brackets."""
    return f"({','.join(map(text_of_value, value))})" if isinstance(value, tuple) else written(value)


class Evaluation:
    """A program on one input, each sequence computed once."""

    def __init__(self, tokens: Sequence[Value], causal: bool) -> None:
        self._tokens, self._causal = tokens, causal
        self._rows: dict[int, Sequence[Any]] = {}

    def of(self, sop: SOp) -> Sequence[Any]:
        """Its value at every position. Raises: RaspError where it would average what it can only move."""
        if id(sop) not in self._rows:
            self._rows[id(sop)] = self._computed(sop)
        return self._rows[id(sop)]

    def selected(self, selector: Selector) -> list[list[int]]:
        """The keys that each query selects."""
        keys, queries = self.of(selector.keys), self.of(selector.queries)
        return [
            [
                at
                for at, key in enumerate(keys[: place + 1] if self._causal else keys)
                if None not in (key, query) and selector.predicate(key, query)
            ]
            for place, query in enumerate(queries)
        ]

    def _computed(self, sop: SOp) -> Sequence[Any]:
        match sop:
            case Tokens():
                return list(self._tokens)
            case Indices():
                return list(range(len(self._tokens)))
            case Each(leaves=leaves, function=function):
                rows = zip(*map(self.of, leaves), strict=True)
                return [None if None in values else function(*values) for values in rows]
            case Width(selector=selector):
                return [len(row) for row in self.selected(selector)]
            case Aggregate():
                values = self.of(sop.of)
                return [self._aggregated(sop, [values[at] for at in row]) for row in self.selected(sop.selector)]
        raise TypeError(f"{sop} is no sequence")

    def _aggregated(self, sop: Aggregate, values: list[Any]) -> Any:
        if sop.is_mean:
            return number(Fraction(sum(int(value or 0) for value in values), len(values) or 1))
        if any(value != values[0] for value in values):
            one, other = (text_of_value(value) for value in sorted(set(values), key=str)[:2])
            raise RaspError(
                sop.at,
                f"aggregate has to average {one} and {other} on the input {' '.join(map(written, self._tokens))!r}; "
                "only zeros and ones, or truth values, are averaged: select one key a query",
            )
        return values[0] if values else None


def table(leaves: Sequence[SOp], function: Callable[..., Any]) -> Mapping[tuple[Any, ...], Any]:
    """A function's value for everything that its sequences can hold together."""
    rows: list[tuple[Any, ...]] = [()]
    for leaf in leaves:
        rows = [(*row, value) for row in rows for value in leaf.values]
    return {row: function(*row) for row in rows}

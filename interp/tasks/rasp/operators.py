"""RASP's operators on single values."""

import operator
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

from interp.tasks.programs import written
from interp.tasks.rasp.syntax import Place, RaspError

_ARITHMETIC: dict[str, Callable[..., Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "round": round,
    "abs": abs,
}
_ORDER: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_LARGEST = 10**9


class Blank(Exception):
    """A value that there is not: a division by zero."""


def apply(sign: str, operands: Sequence[Callable[[], Any]], at: Place) -> Any:
    """An operator's value; of `if`, `and` and `or` only the operands that it needs are evaluated.

    Raises: RaspError for operands that it does not take; Blank where there is no value.
    """
    if sign == "if":
        value, condition, otherwise = operands
        return value() if _truth(condition(), sign, at) else otherwise()
    if sign in ("and", "or"):
        first = _truth(operands[0](), sign, at)
        return first if first == (sign == "or") else _truth(operands[1](), sign, at)
    values = [operand() for operand in operands]
    if sign in ("not", "indicator"):
        truth = _truth(values[0], sign, at)
        return not truth if sign == "not" else int(truth)
    if sign in ("==", "!="):
        return (values[0] == values[1]) == (sign == "==")
    are_tokens = sign in _ORDER and all(isinstance(value, str) for value in values)
    return _ORDER[sign](*values) if are_tokens else _of_numbers(sign, values, at)


def _of_numbers(sign: str, values: Sequence[Any], at: Place) -> Any:
    for value in values:
        if isinstance(value, str):
            raise RaspError(at, f"{sign!r} takes numbers, not the token {value!r}; compare tokens with '=='")
    if sign in _ORDER:
        return _ORDER[sign](*values)
    if sign == "/":
        if values[1] == 0:
            raise Blank
        result: Any = Fraction(values[0]) / Fraction(values[1])
    else:
        result = (operator.neg if len(values) == 1 and sign == "-" else _ARITHMETIC[sign])(*values)
    if abs(result) > _LARGEST or Fraction(result).denominator > _LARGEST:
        raise RaspError(at, f"{sign!r} gives a number beyond {_LARGEST:,}; use smaller ones")
    return result


def _truth(value: Any, sign: str, at: Place) -> bool:
    if isinstance(value, bool) or value in (0, 1):
        return bool(value)
    raise RaspError(at, f"{sign!r} takes truth values, not {written(value)}; compare it with something")

"""One figure for every kind of result."""

from functools import singledispatch
from inspect import Parameter, signature
from typing import Any, Literal, get_args, get_origin, get_type_hints

import plotly.graph_objects as go

from interp.core.errors import OptionError, ResultError
from interp.core.result import Result
from interp.views.choosing import choose_one
from interp.views.steps import by_step, part_at_step
from interp.views.theme import Theme, theme_named


def figure(result: Result, *, theme: str = "light", **choice: Any) -> go.Figure:
    """The figure of a result, of whichever kind; `choice` says which part of it to show.

    Raises: ResultError for a kind without a view; OptionError for a theme or a choice that the view does not have.
    """
    look, drawing = theme_named(theme), view.dispatch(type(result))
    names = choices(type(result))
    for name, value in choice.items():
        if name not in names and drawing is not view.dispatch(object):
            available = f"it has {', '.join(names)}" if names else "it has none"
            raise OptionError(f"the view of {type(result).__name__} has no choice {name!r}; {available}")
        if words := names.get(name):
            choose_one(name, value, words)
    if isinstance(result, Result) and result.is_by_step:
        return by_step(result, look, drawing, **choice)
    return drawing(result, look, **choice)


def at_step(result: Result, *, step: int, theme: str = "light", **choice: Any) -> go.Figure:
    """The figure of a result over steps, as it is at one of them. Raises: ResultError for a step that it lacks."""
    return figure(part_at_step(result, step), theme=theme, **choice)


def choices(kind: type[Result]) -> dict[str, tuple[Any, ...]]:
    """What the view of a kind lets one choose, each with its words; without words where it is a number or a name."""
    drawing = view.dispatch(kind)
    hints, parameters = get_type_hints(drawing), signature(drawing).parameters.values()
    return {p.name: _words(hints[p.name]) for p in parameters if p.kind is Parameter.KEYWORD_ONLY}


def _words(hint: Any) -> tuple[Any, ...]:
    """The values of a `Literal`, and None where it may be left out; none of another type."""
    if get_origin(hint) is Literal:
        return get_args(hint)
    words = [word for part in get_args(hint) for word in _words(part)]
    return (*words, None) if words else ()


@singledispatch
def view(result: object, theme: Theme, **choice: Any) -> go.Figure:
    """Draw a result in a theme; each kind registers its own function."""
    raise ResultError(f"no view for {type(result).__name__}; export it as CSV, or give a result of a known kind")

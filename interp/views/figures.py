"""One figure for every kind of result."""

from functools import singledispatch
from inspect import signature
from typing import Any

import plotly.graph_objects as go

from interp.core.errors import OptionError, ResultError
from interp.core.result import Result
from interp.views.theme import Theme, theme_named


def figure(result: Result, *, theme: str = "light", **choice: Any) -> go.Figure:
    """The figure of a result, of whichever kind; `choice` says which part of it to show.

    Raises: ResultError for a kind without a view; OptionError for a theme or a choice that the view does not have.
    """
    look = theme_named(theme)
    drawing = view.dispatch(type(result))
    known = [name for name, parameter in signature(drawing).parameters.items() if parameter.kind.name == "KEYWORD_ONLY"]
    for name in choice:
        if name not in known and drawing is not view.dispatch(object):
            has = f"it has {', '.join(known)}" if known else "it has none"
            raise OptionError(f"the view of {type(result).__name__} has no choice {name!r}; {has}")
    return drawing(result, look, **choice)


@singledispatch
def view(result: object, theme: Theme, **choice: Any) -> go.Figure:
    """Draw a result in a theme; each kind registers its own function."""
    raise ResultError(f"no view for {type(result).__name__}; export it as CSV, or give a result of a known kind")

"""What a panel shows: a payload for a canvas, or a figure of the library; with its files and its Python."""

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import pandas as pd
import plotly.graph_objects as go

from interp import views
from interp.core.errors import ResultError
from interp.models.hooked import HookedModel
from interp_dashboard.asking import Call, hashable, literal, preamble, script
from interp_dashboard.state import View

Results = Any  # a Result; of several asks, a dict of those that have been computed, by name


class Asks(Protocol):
    """Anything that a view can turn into a call."""

    def call(self, model: HookedModel, view: Any) -> Call | None:
        """The call that this view asks for; None where there is nothing to ask."""
        ...


def everything(model: HookedModel, view: View) -> dict[str, Any]:
    """No choice: the whole result."""
    return {}


@dataclass(frozen=True)
class Content:
    """One thing that the browser can ask for, by its `name`.

    `ask` is the work, or picks it for a view: None where there is nothing to ask, several by name where results are
    compared as far as they have been computed. `choice` is which part of the result is shown: the arguments of
    `figure(result, …, theme=)`, of `table(result, …)` and of `payload(result, …)`, which makes what a canvas draws
    where the panel does not show the figure. Pictures are the figure, CSV is the table, and the Python makes both:
    figure and table are functions of `interp.views`. Where they are drawn from something derived from the result,
    `rest(result, …)` is the Python for that, figure and table included. `files` are more formats: the button's
    words, the ending and what makes it. Of several results, `least` have to be available before any is shown. `hint`
    is shown while there is nothing to ask.
    """

    name: str
    ask: Asks | Mapping[str, Asks] | Callable[[Any], Asks | Mapping[str, Asks] | None]
    payload: Callable[..., dict[str, Any]] | None = None
    choice: Callable[[HookedModel, Any], dict[str, Any]] = everything
    figure: Callable[..., go.Figure] = views.figure
    table: Callable[..., pd.DataFrame] = views.table
    rest: Callable[..., str] | None = None
    files: Mapping[str, tuple[str, str, Callable[..., str]]] = field(default_factory=dict)
    least: int = 1
    hint: str = ""

    def calls(self, model: HookedModel, view: View) -> dict[str, Call]:
        """The calls behind it, by name ("" where it is the only one); none where there is nothing to ask."""
        asks: Any = self.ask(view) if callable(self.ask) else self.ask
        by_name = asks if isinstance(asks, Mapping) else {"": asks}
        calls = {name: ask.call(model, view) for name, ask in by_name.items() if ask is not None}
        return {name: call for name, call in calls.items() if call is not None}

    def key(self, calls: Mapping[str, Call], choice: Mapping[str, Any], theme: str) -> Hashable:
        """The cache key of what is shown; a figure also depends on the theme."""
        keys = tuple((name, call.key) for name, call in calls.items())
        return (self.name, keys, hashable(choice), theme if self.payload is None else "")

    def render(self, results: Results, choice: Mapping[str, Any], theme: str) -> dict[str, Any]:
        """What the browser receives; if the result lacks what is to be shown, a line that says so."""
        try:
            if self.payload is not None:
                return self.payload(results, **choice)
            return drawing(self.figure(results, **choice, theme=theme))
        except ResultError as error:
            return {"missing": str(error)}

    def python(self, model: HookedModel, calls: Mapping[str, Call], results: Results, choice: Mapping[str, Any]) -> str:
        """A script that gives the same result, figure and table."""
        if "" in calls:
            text, result = calls[""].python(), "result"
        else:
            by_variable = {f"results[{literal(name)}]": call for name, call in calls.items()}
            text, result = "results = {}\n" + script(by_variable), "results"
        if self.rest is not None:
            text += self.rest(results, **choice)
        else:
            arguments = ", ".join([result, *(f"{name}={literal(value)}" for name, value in choice.items())])
            for name, function in (("figure", self.figure), ("table", self.table)):
                text += f"{name} = interp.views.{function.__name__}({arguments})\n"
        return preamble(model) + text


def drawing(figure: go.Figure) -> dict[str, Any]:
    """A figure for a panel, without the title and the measure, which the panel shows itself."""
    bare = views.bare(figure)
    about = bare["layout"]["meta"]
    return {"figure": bare} | {name: about[name] for name in ("title", "measured", "sign", "notes")}

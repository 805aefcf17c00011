"""What the page Engines asks of the model: any engine, with the options of the form; or a result that there is."""

import dataclasses
import shlex
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any

from interp.core.engine import EngineSpec
from interp.core.errors import ResultError
from interp.core.result import Result
from interp.engines import all_engines
from interp.models.hooked import HookedModel
from interp_dashboard.asking import Call, once
from interp_dashboard.pages.engines.state import Engines, parse_values
from interp_dashboard.work import ShortName

WAITS = "Not run yet."


class EngineRun:
    """The engine that the view names, over the question or over its own text."""

    def call(self, model: HookedModel, view: Engines) -> Call:
        """Raises: EngineError for an engine that does not support the model; OptionError."""
        engine = all_engines()[view.engine]
        engine.require_model(model)
        arguments = question_arguments(engine, view) | changed_options(engine, view)
        return Call(engine, arguments, f"running {engine.name}", once, waits=WAITS)


@dataclass(frozen=True)
class StoredResult(Call):
    """A result that was computed or opened before, by its short name; a script reads the file that netCDF saves."""

    engine: Callable[..., Any] = Result.load
    arguments: Mapping[str, Any] = field(default_factory=lambda: {"path": "interp-result.nc"})
    label: str = "opening a result"
    name: str = ""

    def call(self, model: HookedModel, view: Any) -> Call:
        """Itself: it depends on nothing else."""
        return self

    @property
    def key(self) -> Hashable:
        """Finds the result that has this name."""
        return ShortName(self.name)

    def run(self, model: HookedModel, result_of: Callable[[Call], Any] | None = None) -> Any:
        """Only where there is no such result. Raises: ResultError."""
        raise ResultError("this result is no longer in memory; run its engine again, or open the saved file")


def current(view: Engines) -> EngineRun | StoredResult | None:
    """What the page shows: the opened result, or that of the engine."""
    if view.opened:
        return StoredResult(name=view.opened)
    return EngineRun() if view.engine else None


def pair(view: Engines) -> dict[str, EngineRun | StoredResult] | None:
    """What is shown, and the result beside it."""
    first = current(view)
    return {"first": first, "second": StoredResult(name=view.beside)} if first is not None and view.beside else None


def question_arguments(engine: EngineSpec, view: Engines) -> dict[str, Any]:
    """As much of the question as the engine takes; nothing where it reads text of its own."""
    if engine.default_prompts is not None and view.reads == "own":
        return {}
    question = view.comparison if engine.pairs != "none" else view.question
    omitted = ("target", "contrast") if engine.asks == "nothing" else ()
    return {name: value for name, value in question.items() if name not in omitted}


def changed_options(engine: EngineSpec, view: Engines) -> dict[str, Any]:
    """The options that differ from their defaults. Raises: OptionError."""
    values = parse_values(view.options)
    parsed, default = engine.parse_options(values), engine.parse_options({})
    changes = {name: getattr(parsed, name) for name in values if getattr(parsed, name) != getattr(default, name)}
    return {name: str(value) if isinstance(value, PurePath) else value for name, value in changes.items()}


def command(model: HookedModel, view: Engines) -> str:
    """The same run as a command of the shell. Raises: EngineError, OptionError."""
    words = ["interp", "run", view.engine, *_flag("model", model.name)]
    for name, value in EngineRun().call(model, view).arguments.items():
        words += _flag("prompt" if name == "prompts" else name.replace("_", "-"), value)
    return shlex.join(words)


def _flag(name: str, value: Any) -> list[str]:
    match value:
        case bool():
            return [f"--{name}" if value else f"--no-{name}"]
        case tuple():
            return [f"--{name}", *map(str, value)]
        case _:
            return [f"--{name}={value}"] if str(value).startswith("-") else [f"--{name}", str(value)]


def defaults(engine: EngineSpec) -> Mapping[str, Any]:
    """Every option's default, in the form that JSON has."""
    values = dataclasses.asdict(engine.parse_options({}))
    return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}

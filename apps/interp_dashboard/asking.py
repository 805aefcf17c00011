"""Asks: an engine and its arguments, from which the run, its key, its Python and its cost follow."""

import json
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic

from interp.core.engine import EngineSpec
from interp.core.result import Result
from interp.models.hooked import HookedModel
from interp_dashboard.state import State

Passes = Callable[[HookedModel, int], int]  # about how many forward passes, given the prompt's number of tokens


@dataclass(frozen=True)
class Made:
    """A value that is made when the call runs; `python` is the expression that makes it in a script.

    The expression tells one such value from another, so it has to name everything that the value depends on.
    `imports` are the lines that the expression needs first.
    """

    python: str
    make: Callable[[HookedModel], Any] = field(compare=False)
    imports: str = ""


@dataclass(frozen=True)
class Call:
    """One run of an engine, while `edits` are in force.

    `waits` is what a panel says while it waits for a click, whatever the run costs; empty where the cost decides.
    """

    engine: EngineSpec
    arguments: Mapping[str, Any]
    label: str
    passes: Passes | None = None
    edits: Made | None = None
    waits: str = ""

    @property
    def key(self) -> Hashable:
        """What the result depends on: the engine and its arguments, nothing else."""
        return ("call", self.engine.name, frozen(self.arguments), self.edits)

    def run(self, model: HookedModel) -> Result:
        """The result. Raises: InterpError as the engine does."""
        values = {name: _made(value, model) for name, value in self.arguments.items()}
        prompts = values.pop("prompts", None)
        if self.edits is None:
            return self.engine(model, prompts, **values)
        with model.edited(self.edits.make(model)):
            return self.engine(model, prompts, **values)

    def python(self, name: str = "result") -> str:
        """The same call in Python, its result under `name`; `model` is the loaded model."""
        made = [value for value in (*self.arguments.values(), self.edits) if isinstance(value, Made)]
        imports = "".join(dict.fromkeys(value.imports for value in made))
        given = dict(self.arguments)
        first = [written(given.pop("prompts"))] if "prompts" in given else []
        lines = [*first, *(f"{key}={written(value)}" for key, value in given.items())]
        inner = "".join(f"    {line},\n" for line in lines)
        call = f"{name} = {spelled(self.engine)}(\n    model,\n{inner})\n"
        if self.edits is not None:
            inside = "".join(f"    {line}\n" for line in call.splitlines())
            call = f"with model.edited({self.edits.python}):\n{inside}"
        return imports + call

    def cost(self, model: HookedModel, tokens: int) -> int:
        """About how many forward passes over `tokens` tokens it takes."""
        return 1 if self.passes is None else self.passes(model, tokens)

    @property
    def quick(self) -> bool:
        """Whether it is done in a few passes, and goes ahead of longer work."""
        return self.passes is None

    @property
    def text(self) -> str:
        """The prompt that it reads, for its cost; empty where it brings its own."""
        prompts = self.arguments.get("prompts", "")
        return prompts if isinstance(prompts, str) else ""


@dataclass(frozen=True)
class Ask(Generic[State]):
    """What a panel asks of the model: an engine, with the arguments that a view gives it.

    `arguments` returns None where the view has nothing to ask yet. `passes` tells what long work costs; without it the
    call is quick: it waits for nobody's click, and goes first. `edits` are those in force meanwhile.
    """

    engine: EngineSpec
    arguments: Callable[[HookedModel, State], Mapping[str, Any] | None]
    label: str = ""
    passes: Passes | None = None
    edits: Callable[[HookedModel, State], Made] | None = None

    def call(self, model: HookedModel, view: State) -> Call | None:
        """The call that this view asks for."""
        arguments = self.arguments(model, view)
        if arguments is None:
            return None
        edits = None if self.edits is None else self.edits(model, view)
        return Call(self.engine, arguments, self.label or f"running {self.engine.name}", self.passes, edits)


def once(model: HookedModel, tokens: int) -> int:
    """The cost of long work that does not grow with the prompt."""
    return 1


def spelled(engine: EngineSpec) -> str:
    """Where a script finds an engine: in the family whose module defines it."""
    family = engine.run.__module__.split(".")[1]
    return f"interp.{family}.{engine.name.replace('-', '_')}"


def loading(model: HookedModel) -> str:
    """The lines that every script begins with."""
    return f"import interp\nmodel = interp.load({written(model.name)})\n"


def written(value: Any) -> str:
    """A value in Python: strings in double quotes, what is `Made` as its expression."""
    match value:
        case Made():
            return value.python
        case str():
            return json.dumps(value, ensure_ascii=False)
        case tuple() | list():
            inner = ", ".join(map(written, value))
            if isinstance(value, list):
                return f"[{inner}]"
            return f"({inner},)" if len(value) == 1 else f"({inner})"
        case _:
            return repr(value)


def frozen(value: Any) -> Hashable:
    """Arguments in a form that can be compared and hashed."""
    match value:
        case Mapping():
            return tuple((name, frozen(entry)) for name, entry in value.items())
        case list() | tuple():
            return tuple(map(frozen, value))
        case _:
            return value


def _made(value: Any, model: HookedModel) -> Any:
    return value.make(model) if isinstance(value, Made) else value

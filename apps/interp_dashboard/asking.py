"""Asks: an engine and its arguments, from which the run, its key, its Python and its cost follow."""

import json
import re
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from inspect import signature
from itertools import count
from textwrap import indent
from typing import Any, Generic

import interp
from interp.core.engine import EngineSpec
from interp.engines import is_packaged, precomputed
from interp.models.hooked import HookedModel
from interp_dashboard.state import State

Passes = Callable[[HookedModel, int], int]  # about how many forward passes, given the prompt's number of tokens


@dataclass(frozen=True)
class Deferred:
    """A value that is computed when the call runs; `python` is the expression that computes it in a script.

    The expression identifies the value, so it has to name everything that the value depends on.
    `imports` are the lines that the expression needs first.
    """

    python: str
    make: Callable[[HookedModel], Any] = field(compare=False, repr=False)  # no part of a key's short name either
    imports: str = ""


@dataclass(frozen=True)
class Call:
    """One run of an engine, or of another function of the library, while `edits` are in force.

    An argument that is itself a call stands for its result: if it runs the model, it is cached, so that many calls
    share it; otherwise it is computed anew. `waits` is what a panel says while it waits for a click, whatever
    the run costs; empty where the cost decides.
    """

    engine: Callable[..., Any]
    arguments: Mapping[str, Any]
    label: str
    passes: Passes | None = None
    edits: Deferred | None = None
    waits: str = ""

    @property
    def key(self) -> Hashable:
        """What the result depends on: the engine and its arguments, nothing else."""
        return ("call", qualified_name(self.engine), hashable(self.arguments), self.edits)

    @property
    def reads_model(self) -> bool:
        """Whether the model is its first argument, as it is every engine's."""
        return isinstance(self.engine, EngineSpec) or "model" in signature(self.engine).parameters

    @property
    def inner(self) -> list["Call"]:
        """The calls among its arguments, and among theirs, in an order in which they can be run."""
        own = [value for value in self.arguments.values() if isinstance(value, Call)]
        return [call for each in own for call in (*each.inner, each)]

    @property
    def works(self) -> list["Call"]:
        """What is run for it, in order: the long calls among its arguments, each as a job of its own, then itself."""
        return [*(call for call in self.inner if not call.quick), self]

    def run(self, model: HookedModel, result_of: "Callable[[Call], Any] | None" = None) -> Any:
        """The result; `result_of` gives those of calls among the arguments. Raises: InterpError as the engine does."""

        def resolve(value: Any) -> Any:
            match value:
                case Deferred():
                    return value.make(model)
                case Call() if result_of is not None and value.reads_model:
                    return result_of(value)
                case Call():
                    return value.run(model, result_of)
                case _:
                    return value

        values = {name: resolve(value) for name, value in self.arguments.items()}
        first = [*([model] if self.reads_model else []), *([values.pop("prompts")] if "prompts" in values else [])]
        if self.edits is None:
            return self.engine(*first, **values)
        with model.edited(self.edits.make(model)):
            return self.engine(*first, **values)

    def python(self, name: str = "result") -> str:
        """The same in Python, its result under `name`; `model` is the loaded model."""
        return script({name: self})

    def cost(self, model: HookedModel, tokens: int) -> int:
        """Its approximate cost, in forward passes over `tokens` tokens."""
        return 1 if self.passes is None else self.passes(model, tokens)

    @property
    def quick(self) -> bool:
        """Whether it takes only a few passes and so runs ahead of longer jobs."""
        return self.passes is None

    @property
    def text(self) -> str:
        """The prompt that it reads, for its cost; empty where it brings its own."""
        sources = [call.arguments.get("prompts") for call in (self, *self.inner)]
        return next((prompts for prompts in sources if isinstance(prompts, str)), "")


@dataclass(frozen=True)
class Ask(Generic[State]):
    """What a panel asks of the model: an engine (or another function), with the arguments that a view gives it.

    `arguments` returns None where the view has nothing to ask yet. `passes` tells what long work costs; without it the
    call is quick: it waits for nobody's click, and goes first. `edits` are those in force meanwhile.
    """

    engine: Callable[..., Any]
    arguments: Callable[[HookedModel, State], Mapping[str, Any] | None]
    label: str = ""
    passes: Passes | None = None
    edits: Callable[[HookedModel, State], Deferred] | None = None

    def call(self, model: HookedModel, view: State) -> Call | None:
        """The call that this view asks for."""
        arguments = self.arguments(model, view)
        if arguments is None:
            return None
        edits = None if self.edits is None else self.edits(model, view)
        return Call(self.engine, arguments, self.label or f"running {qualified_name(self.engine)}", self.passes, edits)


@dataclass(frozen=True)
class Packaged(Generic[State]):
    """What a panel asks of an engine that reads a corpus: a result that comes with the package, or else a run.

    `passes` is about how many forward passes the run takes over its windows: it waits for a click, unless it is one.
    """

    engine: str
    arguments: Callable[[HookedModel, State], Mapping[str, Any] | None]
    passes: int = 1

    def call(self, model: HookedModel, view: State) -> Call | None:
        """The call that this view asks for."""
        arguments = self.arguments(model, view)
        if arguments is None:
            return None
        waits = ""
        if self.passes > 1 and ("corpus" in arguments or not is_packaged(model, self.engine)):
            waits = (
                f"{self.engine} takes about {self.passes} passes over {arguments.get('windows', 64)} windows of text."
            )
        return Call(precomputed, {"engine": self.engine, **arguments}, f"running {self.engine}", once, waits=waits)


def once(model: HookedModel, tokens: int) -> int:
    """The cost of long work that does not grow with the prompt."""
    return 1


def qualified_name(engine: Callable[..., Any]) -> str:
    """Where a script finds an engine, or another function: in the family whose module defines it, or in `interp`."""
    if isinstance(engine, EngineSpec):
        family = engine.run.__module__.split(".")[1]
        return f"interp.{family}.{engine.name.replace('-', '_')}"
    name = engine.__qualname__
    return f"interp.{name}" if name.split(".")[0] in dir(interp) else f"interp.{engine.__module__.split('.')[1]}.{name}"


def script(calls: Mapping[str, Call]) -> str:
    """Calls in Python, each result under its name; what several of them need comes once, and first."""
    writer = _Script({name.split("[")[0] for name in calls})
    for name, call in calls.items():
        writer.assign(call, name)
    return "".join(dict.fromkeys(writer.imports)) + "".join(writer.parts)


class _Script:
    """Assignments, and the names that they bind."""

    def __init__(self, reserved: set[str]) -> None:
        self.reserved = reserved
        self.imports: list[str] = []
        self.parts: list[str] = []
        self._names: dict[Hashable, str] = {}

    def assign(self, call: Call, name: str) -> str:
        """Write a call after the calls that it depends on. Returns the name of its result."""
        arguments = {argument: self._value(value) for argument, value in call.arguments.items()}
        function = (
            f"{arguments.pop('self')}.{call.engine.__name__}" if "self" in arguments else qualified_name(call.engine)
        )
        first = [
            *(["model"] if call.reads_model else []),
            *([arguments.pop("prompts")] if "prompts" in arguments else []),
        ]
        inner = "".join(f"    {line},\n" for line in (*first, *(f"{key}={value}" for key, value in arguments.items())))
        text = f"{name} = {function}(\n{inner})\n"
        if call.edits is not None:
            text = f"with model.edited({self._value(call.edits)}):\n" + indent(text, "    ")
        self.parts.append(text)
        self._names[call.key] = name
        return name

    def _value(self, value: Any) -> str:
        if isinstance(value, Call):
            return self._names.get(value.key) or self.assign(value, self._free(_variable(value)))
        if isinstance(value, Deferred):
            self.imports.append(value.imports)
        return literal(value)

    def _free(self, name: str) -> str:
        candidates = (f"{name}_{number}" if number > 1 else name for number in count(1))
        free = next(name for name in candidates if name not in self.reserved)
        self.reserved.add(free)
        return free


def _variable(call: Call) -> str:
    """What a script calls a result: by the engine or the function, or by the last word of the class that makes it."""
    if isinstance(call.engine, EngineSpec):
        return call.engine.name.replace("-", "_")
    return re.findall("[A-Z]?[a-z]+", call.engine.__qualname__.split(".")[0])[-1].lower()


def preamble(model: HookedModel) -> str:
    """The lines with which every script begins."""
    return f"import interp\nmodel = interp.load({literal(model.name)})\n"


def literal(value: Any) -> str:
    """A value in Python: strings in double quotes, a `Deferred` as its expression."""
    match value:
        case Deferred():
            return value.python
        case str():
            return json.dumps(value, ensure_ascii=False)
        case tuple() | list():
            inner = ", ".join(map(literal, value))
            if isinstance(value, list):
                return f"[{inner}]"
            return f"({inner},)" if len(value) == 1 else f"({inner})"
        case _:
            return repr(value)


def hashable(value: Any) -> Hashable:
    """Arguments in a form that can be compared and hashed."""
    match value:
        case Mapping():
            return tuple((name, hashable(entry)) for name, entry in value.items())
        case list() | tuple():
            return tuple(map(hashable, value))
        case Call():
            return value.key
        case _:
            return value

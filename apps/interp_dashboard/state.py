"""What is asked and looked at: what all pages share, each page's own fields, and their form in the address.

A page's state is a frozen pydantic dataclass that extends `View`; the fields that it adds are its part of the address.
Their types say what a link may hold: `Literal` or `Choice` one of some words, `below` a number that the model limits,
`one_of` a name that the model knows, `Listed` entries with commas between them.
"""

from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cache
from typing import Annotated, Any, TypeVar, get_type_hints
from urllib.parse import parse_qsl

from pydantic import AfterValidator, BeforeValidator, Field, GetCoreSchemaHandler, TypeAdapter, ValidationError
from pydantic import ValidationInfo as Info
from pydantic.dataclasses import dataclass as validated
from pydantic_core import core_schema

from interp.circuits.interventions.replacements import How
from interp.core.errors import InterpError
from interp.core.nodes import parse_edited
from interp.core.options import parse_options
from interp.core.prompts import PromptPairs, Prompts
from interp.models.directions import saved_direction
from interp.models.hooked import HookedModel
from interp.models.writes import graph_of

QUESTION = ("clean", "corrupted", "answer", "contrast")
SHOWN = 40  # characters of a bad entry that a message repeats
Values = dict[str, Any]  # every page's fields by name, as the browser holds them


def suits(holds: Callable[[HookedModel, Any], bool], problem: str = "") -> AfterValidator:
    """A check against the model that a link is opened with; what the browser sends back has passed it already."""

    def check(value: Any, info: Info) -> Any:
        if info.context is not None and not holds(info.context, value):
            raise ValueError(f"{str(value)[:SHOWN]!r} {problem}" if problem else "")
        return value

    return AfterValidator(check)


def below(limit: Callable[[HookedModel], int]) -> AfterValidator:
    """A number under what this model allows."""
    return suits(lambda model, value: value < limit(model))


def one_of(names: Callable[[HookedModel], Container[str]]) -> AfterValidator:
    """A name that this model knows; an empty one leaves the choice to the page."""
    return suits(lambda model, value: not value or value in names(model))


def _split(value: Any) -> Any:
    return [part for part in value.split(",") if part] if isinstance(value, str) else value


class Listed:
    """Several entries with commas between them, each once, each with these checks."""

    def __init__(self, *checks: AfterValidator) -> None:
        self.checks = checks

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        entry: Any = Annotated[str, *self.checks]
        once = AfterValidator(lambda entries: tuple(dict.fromkeys(entries)))
        return handler.generate_schema(Annotated[tuple[entry, ...], BeforeValidator(_split), once])


@dataclass(frozen=True)
class Choice:
    """One of some values, each with the words on its button.

    `needs` names the field that has to be filled in for a value to be chosen: `{"resample": "corrupted"}`.
    """

    words: Mapping[str, str]
    needs: Mapping[str, str] = field(default_factory=dict)

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def _check(self, value: str) -> str:
        if value not in self.words:
            raise ValueError
        return value


class Undoable:
    """Marks a field that a person edits step by step, so that each step can be taken back."""


Count = Annotated[int, Field(ge=0, lt=10**9)]
HOWS = {"zero": "zero", "mean": "mean over the prompt", "resample": "resample from corrupted"}
NEEDED = {"corrupted": "a corrupted prompt", "kept": "a kept circuit"}  # fields that choices need, in words


def _node(value: str, info: Info) -> str:
    try:
        node = parse_edited(value)
    except InterpError:
        raise ValueError(f"{value[:SHOWN]!r} is not a head, an MLP or a direction") from None
    if info.context is not None and node.kind == "d":
        try:
            saved_direction(info.context, node)
        except InterpError as error:
            raise ValueError(str(error)) from None
    elif info.context is not None and str(node) not in graph_of(info.context).senders:
        raise ValueError(f"this model has no {value[:SHOWN]}")
    return str(node)


@validated(frozen=True)
class View:
    """What all pages share: the question, the selection, and the edits in force.

    `corrupted` and `contrast` may be empty. `query` and `key` are token positions; None is the answer's position and
    the token most attended to. `nodes` are the edits in force, made as `how` says.
    """

    clean: str = "When Mary and John went to the store, John gave a drink to"
    corrupted: str = "When Mary and John went to the store, Mary gave a drink to"
    answer: str = " Mary"
    contrast: str = " John"
    layer: Annotated[Count, below(lambda model: model.dims.layers)] | None = None
    head: Annotated[Count, below(lambda model: model.dims.heads)] | None = None
    query: Count | None = None
    key: Count | None = None
    nodes: Annotated[tuple[str, ...], Listed(AfterValidator(_node)), Undoable()] = ()
    how: Annotated[How, Choice(HOWS, {"resample": "corrupted"}), Undoable()] = "zero"

    @property
    def prompt(self) -> dict[str, Any]:
        """The clean prompt as an argument of a call."""
        return {"prompts": self.clean}

    @property
    def question(self) -> dict[str, Any]:
        """The clean prompt with answer and contrast, as arguments of a call."""
        return self.prompt | {"target": self.answer} | ({"contrast": self.contrast} if self.contrast else {})

    @property
    def comparison(self) -> dict[str, Any]:
        """The whole question as arguments of a call: with the corrupted prompt, where there is one."""
        return self.prompt | ({"corrupted": self.corrupted} if self.corrupted else {}) | self.question

    @property
    def selected(self) -> dict[str, int] | None:
        """The selected head as arguments of a call; None where none is."""
        if self.layer is None or self.head is None:
            return None
        return {"layer": self.layer, "head": self.head}


State = TypeVar("State", bound=View)
Mark = TypeVar("Mark", Choice, Undoable)
SHARED = tuple(field.name for field in fields(View))


def own(kind: type[View]) -> tuple[str, ...]:
    """The fields that a page adds to what all share."""
    return tuple(field.name for field in fields(kind) if field.name not in SHARED)


def state(kind: type[State], values: Mapping[str, Any]) -> State:
    """A page's state out of every page's fields. Raises: OptionError for a value that no link could have given."""
    return parse_options("this page", kind, {name: values[name] for name in _readers(kind) if name in values})


def plain(view: View) -> Values:
    """The form used by the browser: lists where Python has tuples."""
    return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(view).items()}


@cache
def _readers(kind: type[View]) -> dict[str, TypeAdapter[Any]]:
    return {name: TypeAdapter(hint) for name, hint in get_type_hints(kind, include_extras=True).items()}


def prompts_of(model: HookedModel, view: View) -> Prompts | PromptPairs:
    """The view's prompts with its question attached. Raises: PromptError, TargetError."""
    target, contrast = view.answer, view.contrast or None
    if not view.corrupted:
        return Prompts.of(model, view.clean, target=target, contrast=contrast)
    return PromptPairs.of(model, view.clean, view.corrupted, target=target, contrast=contrast)


def choice_of(kind: type[View], field: str) -> Choice:
    """What a field may hold that is a `Choice`."""
    return _marks_of(kind, Choice)[field]


def needs_of(kind: type[View]) -> dict[str, Mapping[str, str]]:
    """What the values of its choices need, by field."""
    return {name: choice.needs for name, choice in _marks_of(kind, Choice).items() if choice.needs}


def undoable(kind: type[View]) -> list[str]:
    """The fields whose changes can be taken back."""
    return list(_marks_of(kind, Undoable))


def _marks_of(kind: type[View], mark: type[Mark]) -> dict[str, Mark]:
    hints = get_type_hints(kind, include_extras=True).items()
    marks = {
        name: [entry for entry in getattr(hint, "__metadata__", ()) if isinstance(entry, mark)] for name, hint in hints
    }
    return {name: entries[0] for name, entries in marks.items() if entries}


def replace_unavailable(view: State) -> tuple[State, dict[str, str]]:
    """The view with each unavailable choice replaced by the first available one; and why, by field."""
    changes, why = {}, {}
    for name, choice in _marks_of(type(view), Choice).items():
        value = getattr(view, name)
        available = [word for word in choice.words if word not in choice.needs or getattr(view, choice.needs[word])]
        if value in choice.words and value not in available:
            changes[name] = available[0]
            words = (choice.words[value], NEEDED[choice.needs[value]], choice.words[available[0]])
            why[name] = "“{}” needs {}; “{}” stands in its place.".format(*words)
    return replace(view, **changes), why


class Link:
    """A link's query string, parsed field by field; what cannot be used is listed in `problems` and omitted.

    `made_with` is the model that the link names: what it says of layers and heads is about that one.
    """

    def __init__(self, search: str, model: HookedModel) -> None:
        self.given = dict(parse_qsl(search.removeprefix("?"), keep_blank_values=True, errors="replace"))
        self.made_with = self.given.pop("model", "")
        self.model = model
        self.problems: list[str] = []

    def read(self, pages: Iterable[str], kinds: Iterable[type[View]]) -> Values:
        """The link's values that are valid for this model and these pages' states."""
        readers = {name: reader for kind in (View, *kinds) for name, reader in _readers(kind).items()}
        readers["page"] = TypeAdapter(Annotated[str, one_of(lambda model: tuple(pages))])
        unknown = sorted(set(self.given) - set(readers))
        if unknown:
            self.problems.append(f"{unknown[0][:SHOWN]!r} is not a parameter of a link")
        return {
            name: value
            for name, text in self.given.items()
            if name in readers and (value := self._value(name, text, readers[name])) is not None
        }

    @property
    def problem(self) -> str:
        """One line that names what was ignored; empty if nothing was."""
        if not self.problems:
            return ""
        more = f" (and {len(self.problems) - 1} more)" if len(self.problems) > 1 else ""
        return f"Part of this link was ignored: {self.problems[0]}{more}."

    def _value(self, name: str, text: str, reader: TypeAdapter[Any]) -> Any:
        try:
            return _as_list(reader.validate_python(text, context=self.model))
        except ValidationError as error:
            first = {fault["loc"][:1]: self._message(name, text, fault) for fault in reversed(error.errors())}
        self.problems += reversed(first.values())
        bad = {place for loc in first for place in loc if isinstance(place, int)}
        if not bad:
            return None
        valid = [part for index, part in enumerate(_split(text)) if index not in bad]
        return _as_list(reader.validate_python(valid, context=self.model))

    @staticmethod
    def _message(name: str, text: str, fault: Any) -> str:
        cause = fault.get("ctx", {}).get("error")
        entry = fault["input"] if isinstance(fault["input"], str) else text
        return str(cause or "") or f"there is no {name} {entry[:SHOWN]!r}"


def _as_list(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value

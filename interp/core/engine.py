"""The engine record: what people call, and what the command line, the page and the tests are made from."""

import dataclasses
import inspect
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, wraps
from importlib.metadata import version
from typing import Any, Generic, Literal, TypeVar, get_type_hints, overload

import numpy as np
import torch

from interp.core.errors import EngineError, ModelError, PromptError, TargetError
from interp.core.finite import fault
from interp.core.language_model import LanguageModel
from interp.core.metric import Metric
from interp.core.options import NoOptions, parse_options
from interp.core.prompts import PromptPairs, Prompts
from interp.core.result import Provenance, Result
from interp.core.signatures import document

Kind = TypeVar("Kind", bound=Result)


@dataclass(frozen=True, repr=False)
class EngineSpec(Generic[Kind]):
    """One engine. Calling the record runs it.

    `run(model, prompts, metric, options)` is only the mathematics and returns a result without provenance. `prompts`
    is a `PromptPairs` where `pairs` is "required", a `Prompts` where it is "none", and either where "optional".
    `default_prompts(model, options)` makes the prompts of an engine that brings its own when called with none.
    `collection()` is what the command line runs it over where no model is named: many models as one.
    `metric` is None only where `asks` is "nothing" (or "optional" and nothing was asked). `options` is a frozen
    pydantic dataclass; its fields become flags and form fields. `conserves` says what the result adds up to.

    `engine` makes the record from the function itself.
    """

    name: str
    run: Callable[..., Kind]
    result: type[Kind]
    summary: str
    source: str
    options: type = NoOptions
    pairs: Literal["none", "optional", "required"] = "none"
    asks: Literal["nothing", "optional", "required"] = "required"
    conserves: str = ""
    obstacle: Callable[[Any], str | None] = lambda model: None
    default_prompts: Callable[[Any, Any], Prompts] | None = None
    collection: Callable[[], Any] | None = None

    def __post_init__(self) -> None:
        hidden = {"target", "contrast", "metric"} if self.asks == "nothing" else set[str]()
        if self.pairs == "none":
            hidden.add("corrupted")
        if both := {field.name for field in dataclasses.fields(self.options)} & self.result.tables.keys():
            raise TypeError(f"{self.name}: {min(both)!r} is an option and a table, which are flags alike")
        document(self, inspect.getdoc(self.run) or self.summary, self.options, self.result, hidden)

    def __repr__(self) -> str:
        return f"<engine {self.name}>"

    def __call__(
        self,
        model: LanguageModel,
        prompts: str | Sequence[str] | Prompts | PromptPairs | None = None,
        *,
        corrupted: str | Sequence[str] | None = None,
        target: str | Sequence[str] | None = None,
        contrast: str | Sequence[str] | None = None,
        metric: Metric | None = None,
        **options: Any,
    ) -> Kind:
        """Run the engine on text or on prompts already made.

        Raises: PromptError, TargetError, OptionError for input that cannot be used; EngineError if the engine does not
        support this model, or gives numbers that are not finite where its kind has no place for them.
        """
        if reads := getattr(model, "reads", ""):
            raise ModelError(f"{self.name} reads tokens; {model} reads {reads}: use its read-outs in interp.sandbox")
        if not hasattr(model, "weight_hash"):
            raise ModelError(
                f"{self.name} runs on a loaded model, not on {type(model).__name__} {model!r:.60}; load one first: "
                f"interp.load('smollm2-135m')"
            )
        self.require_model(model)
        settings = self.parse_options(options)
        if prompts is None:
            if self.default_prompts is None:
                raise PromptError(f"{self.name} reads a prompt; give one")
            prompts = self.default_prompts(model, settings)
        inputs = self._inputs(model, prompts, corrupted)
        target_metric = self._metric(model, inputs, metric, target, contrast)
        start = time.perf_counter()
        try:
            result = self.run(model, inputs, target_metric, settings)
        except (np.linalg.LinAlgError, torch.linalg.LinAlgError) as error:
            raise self._not_finite(model, " ".join(str(error).split())) from error
        if problem := fault(result):
            raise self._not_finite(model, problem)
        return result.with_provenance(
            Provenance(
                engine=self.name,
                options=dataclasses.asdict(settings),
                model=model.name,
                weight_hash=model.weight_hash,
                prompt_hash=inputs.hash,
                metric="" if target_metric is None else target_metric.label,
                versions=dict(_versions()),
                seconds=round(time.perf_counter() - start, 3),
                created=datetime.now(UTC).isoformat(timespec="seconds"),
            )
        )

    def _not_finite(self, model: LanguageModel, problem: str) -> EngineError:
        name, value = model.largest_weight
        return EngineError(
            f"{self.name} on {model.name}: {problem}; the largest weight is {value:g}, in {name}: check the weights, "
            "use dtype float32, or a smaller value where an option scales something"
        )

    def require_model(self, model: LanguageModel) -> None:
        """Raises: EngineError if the engine does not support this model."""
        obstacle = self.obstacle(model)
        if obstacle is not None:
            raise EngineError(f"{self.name} does not support {model.name}: {obstacle}")

    def parse_options(self, values: Mapping[str, Any]) -> Any:
        """Validated options. Raises: OptionError that names the option and what it takes."""
        return parse_options(self.name, self.options, values)

    def _inputs(
        self,
        model: LanguageModel,
        prompts: str | Sequence[str] | Prompts | PromptPairs,
        corrupted: str | Sequence[str] | None,
    ) -> Prompts | PromptPairs:
        if not isinstance(prompts, Prompts | PromptPairs):
            prompts = Prompts.of(model, prompts)
        if corrupted is not None:
            if isinstance(prompts, PromptPairs):
                raise PromptError("the prompts are already pairs; leave `corrupted` out")
            prompts = PromptPairs(prompts, Prompts.of(model, corrupted))
        if self.pairs == "required" and isinstance(prompts, Prompts):
            raise PromptError(f"{self.name} compares two prompts; give a corrupted prompt too")
        if self.pairs == "none" and isinstance(prompts, PromptPairs):
            return prompts.clean
        return prompts

    def _metric(
        self,
        model: LanguageModel,
        inputs: Prompts | PromptPairs,
        metric: Metric | None,
        target: str | Sequence[str] | None,
        contrast: str | Sequence[str] | None,
    ) -> Metric | None:
        clean = inputs.clean
        if target is not None:
            metric = Metric.of(model, target, contrast, positions=clean.answer_positions(model))
        elif contrast is not None:
            raise TargetError("a contrast was given without an answer; give the target too")
        metric = metric or clean.metric
        if metric is None and self.asks == "required":
            raise TargetError(f"{self.name} measures an answer; give a target, such as ' Mary'")
        return metric


Obstacle = Callable[[Any], str | None]
DefaultPrompts = Callable[[Any, Any], Prompts]
_PAIRS: dict[Any, Literal["none", "optional", "required"]] = {
    Prompts: "none",
    Prompts | PromptPairs: "optional",
    PromptPairs: "required",
}
_METRIC_USE: dict[Any, Literal["nothing", "optional", "required"]] = {
    None: "nothing",
    Metric | None: "optional",
    Metric: "required",
}


@overload
def engine(function: Callable[..., Kind], /) -> EngineSpec[Kind]: ...
@overload
def engine(
    *,
    obstacle: Obstacle = ...,
    default_prompts: DefaultPrompts | None = ...,
    collection: Callable[[], Any] | None = ...,
) -> Callable[[Callable[..., Kind]], EngineSpec[Kind]]: ...
def engine(
    function: Callable[..., Kind] | None = None,
    /,
    *,
    obstacle: Obstacle = lambda model: None,
    default_prompts: DefaultPrompts | None = None,
    collection: Callable[[], Any] | None = None,
) -> Any:
    """Turn a function `(model, prompts[, metric][, options]) -> Kind` into the engine's record; a decorator.

    The name is the function's, in kebab case; what it takes and returns is read from its annotations: pairs from
    `prompts` (`Prompts`, `PromptPairs` or both), the question from `metric` (absent, `Metric | None` or `Metric`),
    flags and form from `options`. The docstring's first paragraph is the summary; its `Source:` and `Conserves:` are
    the record's. `obstacle(model)` says why a model cannot be used, `default_prompts` what is read without a prompt,
    `collection` what the command line runs over where no model is named.
    """
    if function is None:
        return lambda function: _record(function, obstacle, default_prompts, collection)
    return _record(function, obstacle, default_prompts, collection)


def _record(
    function: Callable[..., Result],
    obstacle: Obstacle,
    default_prompts: DefaultPrompts | None,
    collection: Callable[[], Any] | None,
) -> EngineSpec:
    hints, doc = get_type_hints(function), inspect.getdoc(function) or ""
    names = [name for name in ("metric", "options") if name in hints]

    @wraps(function)
    def run(model: LanguageModel, prompts: Prompts | PromptPairs, metric: Metric | None, options: Any) -> Any:
        values = {"metric": metric, "options": options}
        return function(model, prompts, **{name: values[name] for name in names})

    return EngineSpec(
        name=function.__name__.replace("_", "-"),
        run=run,
        result=hints["return"],
        summary=" ".join(doc.partition("\n\n")[0].split()).removesuffix("."),
        source=_section(doc, "Source"),
        options=hints.get("options", NoOptions),
        pairs=_PAIRS[hints["prompts"]],
        asks=_METRIC_USE[hints.get("metric")],
        conserves=_section(doc, "Conserves"),
        obstacle=obstacle,
        default_prompts=default_prompts,
        collection=collection,
    )


def _section(doc: str, title: str) -> str:
    """What a docstring says under `Title:`, in one line without its full stop; empty where it has no such section."""
    match = re.search(rf"^{title}:(.*?)(?=^[A-Z]\w+:|^$|\Z)", doc, re.MULTILINE | re.DOTALL)
    return " ".join(match[1].split()).removesuffix(".") if match else ""


def records(namespace: Mapping[str, Any]) -> tuple[EngineSpec, ...]:
    """The engines of a module's names, in the order in which they were imported."""
    return tuple(value for value in namespace.values() if isinstance(value, EngineSpec))


@cache
def _versions() -> dict[str, str]:
    """What a result was made with; reading it from the installed packages takes longer than a small run."""
    return {name: version(name) for name in ("interp", "torch", "transformers", "transformer-lens")}

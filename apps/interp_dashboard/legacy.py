"""Temporary: work of the pages that are not yet written as asks (attribution, circuit, features)."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any

from interp import views
from interp.models.hooked import HookedModel
from interp_dashboard.asking import Passes, written
from interp_dashboard.contents import Content
from interp_dashboard.state import View

QUESTION = ("clean", "corrupted", "answer", "contrast")
literal = written


@dataclass(frozen=True)
class Question:
    """One run. `uses` are the fields of the view that it depends on; it is handed no others."""

    name: str
    label: str
    uses: tuple[str, ...]
    run: Callable[[HookedModel, Any], Any]
    python: Callable[[Any], str]
    quick: bool = True
    runs: Passes = lambda model, tokens: 1

    def call(self, model: HookedModel, view: View) -> Any:
        """What the workspace runs."""
        return QuestionCall(self, only(view, self.uses))


@dataclass(frozen=True)
class QuestionCall:
    """A question about a view."""

    question: Question
    view: Any
    waits: str = ""
    inner = ()

    @property
    def key(self) -> Hashable:
        """What it depends on."""
        return (self.question.name, tuple(getattr(self.view, name) for name in self.question.uses))

    @property
    def label(self) -> str:
        """Its name while it runs."""
        return self.question.label

    @property
    def quick(self) -> bool:
        """Whether it goes first."""
        return self.question.quick

    @property
    def text(self) -> str:
        """The prompt."""
        return self.view.clean if "clean" in self.question.uses else ""

    def cost(self, model: HookedModel, tokens: int) -> int:
        """Forward passes."""
        return self.question.runs(model, tokens)

    def run(self, model: HookedModel, result_of: Any = None) -> Any:
        """The answer."""
        return self.question.run(model, self.view)

    def python(self, name: str = "result") -> str:
        """The same in Python."""
        return self.question.python(self.view)


def only(view: Any, names: tuple[str, ...]) -> Any:
    """The same view with every other field at its default."""
    return type(view)(**{name: getattr(view, name) for name in names})


def slot(
    name: str,
    question: Callable[[Any], Question | None],
    payload: Callable[[Any, Any], dict[str, Any]],
    uses: tuple[str, ...],
    *,
    python: Callable[[Any, Any], str] | None = None,
    table: Callable[[Any, Any], Any] | None = None,
    figure: Callable[[Any, Any, str], Any] | None = None,
    **more: Any,
) -> Content:
    """A content whose functions take the whole view; `uses` are the fields that they read."""

    def drawn(result: Any, *, view: Any, theme: str) -> Any:
        return figure(result, view, theme) if figure else views.figure(result, theme=theme)

    return Content(
        name,
        question,
        payload=payload,
        choice=lambda model, view: {"view": only(view, uses)},
        figure=drawn,
        table=table,
        rest=python,
        **more,
    )


# Python of a call


def call(function: str, *arguments: str) -> str:
    """A call of the library on the loaded model."""
    inner = "".join(f"    {argument},\n" for argument in arguments if argument)
    return f"result = interp.{function}(\n    model,\n{inner})\n"


def text_arguments(view: View, *, pair: bool = True) -> list[str]:
    """The view's question as arguments of a call."""
    asked = view.compared if pair else view.asked
    return [literal(asked["prompts"]), *(f"{k}={literal(asked[k])}" for k in asked if k != "prompts")]

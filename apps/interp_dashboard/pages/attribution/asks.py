"""The Attribution page's work: each method's relevance of the tokens, and what removing tokens does."""

from typing import Any

from interp import evaluation
from interp_dashboard.legacy import Question, call, literal, text_arguments
from interp_dashboard.pages.attribution.methods import METHODS, QUICK, chosen, passes, removals


def _asked(view: Any) -> dict[str, Any]:
    return {"target": view.answer, "contrast": view.contrast or None}


def _method(name: str) -> Question:
    return Question(
        f"relevance {name}",
        f"computing {name}",
        ("clean", "answer", "contrast"),
        lambda model, view: METHODS[name](model, view.clean, **_asked(view)),
        lambda view: call(f"attribution.{name.replace('-', '_')}", *text_arguments(view, pair=False)),
        quick=name in QUICK,
        runs=lambda model, tokens: passes(name, tokens),
    )


def _python_compared(view: Any) -> str:
    names = chosen(view)
    calls = "".join(f"    interp.attribution.{name.replace('-', '_')}(model, **asked),\n" for name in names)
    asked = f"asked = {{'prompts': {literal(view.clean)}, 'target': {literal(view.answer)}"
    asked += f", 'contrast': {literal(view.contrast)}}}\n" if view.contrast else "}\n"
    draw = "figure = interp.views.compare_relevance(results)\n" if len(names) > 1 else ""
    return f"{asked}results = [\n{calls}]\n{draw}"


def _deletion(name: str) -> Question:
    return Question(
        f"deletion {name}",
        "removing tokens",
        ("clean", "answer", "contrast"),
        lambda model, view: evaluation.faithfulness(model, view.clean, **_asked(view), methods=(name,)),
        lambda view: call("evaluation.faithfulness", *text_arguments(view, pair=False), f"methods=({literal(name)},)"),
        quick=False,
        runs=lambda model, tokens: removals(name, tokens),
    )


RELEVANCE = {name: _method(name) for name in METHODS}
DELETION = {name: _deletion(name) for name in METHODS}
COMPARED = Question(
    "compared methods",
    "comparing methods",
    ("clean", "answer", "contrast", "methods"),
    lambda model, view: chosen(view),
    _python_compared,
)

"""Sandbox: small models trained on tasks with known answers, at any step of their training."""

from collections.abc import Callable
from dataclasses import replace
from typing import Annotated, Any

from dash import html
from pydantic.dataclasses import dataclass

from interp import sandbox, views
from interp.core.errors import InterpError
from interp.models.hooked import HookedModel
from interp.sandbox import Trained
from interp_dashboard.asking import Ask
from interp_dashboard.contents import Content
from interp_dashboard.page import Page
from interp_dashboard.shell.panels import canvas, choice, panel, section
from interp_dashboard.state import Choice, Count, View, one_of

FIRST = "toy/induction"
CURVES = {
    "loss": "loss",
    "accuracy": "accuracy",
    "classes": "loss by class",
    "class accuracy": "accuracy by class",
    "gradient norm": "gradient",
    "sharpness": "sharpness",
    "entropy": "attention entropy",
}
DRAWN = {
    "embeddings": "sequences",
    "tokens": "tokens",
    "positions": "positions",
    "sums": "sums",
    "normalised": "normalised",
    "values": "values",
    "attention": "attention",
    "mlp_inputs": "MLP inputs",
    "neurons": "MLP neurons",
    "outputs": "outputs",
    "course": "course",
}


def _names(model: HookedModel) -> tuple[str, ...]:
    return sandbox.names()


@dataclass(frozen=True)
class Sandbox(View):
    """Which training is looked at, after which step, which curve and drawing; and a second training beside it.

    Without `after` it is the last step.
    """

    trained: Annotated[str, one_of(_names)] = FIRST
    after: Count | None = None
    curve: Annotated[str, Choice(CURVES)] = "loss"
    plane: Annotated[str, Choice(DRAWN)] = "embeddings"
    second: Annotated[str, one_of(_names)] = ""


def _training(name: str) -> Trained | None:
    """None where it has gone, or cannot be read."""
    try:
        return sandbox.trained(name) if name in sandbox.names() else None
    except InterpError:
        return None


def suit(model: HookedModel, view: Sandbox) -> Sandbox:
    """The kept step that is nearest to the one asked for; the first training where that one has gone."""
    there = next(filter(None, map(_training, (view.trained or FIRST, *sandbox.names()))), None)
    if there is None:
        return replace(view, trained="", after=None)
    wanted = there.steps[-1] if view.after is None else view.after
    nearest = min(there.steps, key=lambda step: abs(step - wanted))
    return replace(view, trained=there.name, after=nearest)


def _asking(field: str, *, reads_tokens: bool) -> Callable[[HookedModel, Sandbox], dict[str, Any] | None]:
    """The training that a field names as an argument, where it is of that kind."""

    def arguments(model: HookedModel, view: Sandbox) -> dict[str, Any] | None:
        there = _training(getattr(view, field))
        return {"run": there.name} if there is not None and there.reads_tokens is reads_tokens else None

    return arguments


def _curve(model: HookedModel, view: Sandbox) -> dict[str, Any]:
    return {"show": view.curve, "marked": view.after}


TOKENS = "Choose a training of a model that reads tokens above."
LOG = Content(
    "training_curves",
    Ask(sandbox.curves, _asking("trained", reads_tokens=True), "reading the log"),
    choice=_curve,
    hint=TOKENS,
)
SECOND = Content(
    "second_curves",
    Ask(sandbox.curves, _asking("second", reads_tokens=True), "reading the other log"),
    choice=lambda model, view: {"show": view.curve},
    hint="Choose a second training above.",
)
PATTERNS = Content(
    "training_patterns",
    Ask(sandbox.attention_by_step, _asking("trained", reads_tokens=True), "attention at every step"),
    choice=lambda model, view: {"step": view.after, "show": "thumbnails"},
    figure=views.at_step,
    table=views.table_at_step,
    hint=TOKENS,
)
CLUSTERS = Content(
    "clustering_head",
    Ask(sandbox.clustering_head, _asking("trained", reads_tokens=False), "reading every step"),
    choice=lambda model, view: {"show": view.plane, "step": view.after},
    hint="Choose a training of the Clustering Head above.",
)


def _layout() -> list[Any]:
    pair = [
        panel(
            LOG,
            "Learning curves",
            "What was logged in training; the dotted line is the step that is looked at.",
            controls=choice(Sandbox, "curve", "Which curves"),
            more="Losses are on test inputs drawn as in training; flat lines are predictors that learn nothing. "
            "Sharpness is the largest eigenvalue of the loss's Hessian.",
        ),
        panel(
            SECOND,
            "Beside it",
            "The same curves of another training.",
        ),
    ]
    return [
        section(
            "A training",
            "Small models trained on tasks whose answers are known. The slider moves every panel of this page to a "
            "step; open the step to look at its model on all other pages.",
            canvas("training"),
            canvas("secondtraining"),
            more="`interp train toy TASK` trains one here, `interp sandbox list` lists them. A step is a model of its "
            "own: `--model toy/induction@300`, or all of them: `--model toy/induction@all`.",
        ),
        html.Div(pair, className="columns"),
        panel(
            PATTERNS,
            "Attention at this step",
            "Every head's attention on one test input.",
            more="All steps are run once; the slider then only chooses among them.",
        ),
        panel(
            CLUSTERS,
            "The Clustering Head",
            "A model of two dimensions, drawn whole: its vectors, where sequences land, and what is decided there.",
            controls=choice(Sandbox, "plane", "What is drawn"),
            more="Sparse modular addition: the answer is the sum of the first few tokens. Sequences with equal counts "
            "in the support collapse into one cluster, then the clusters are classified (arXiv 2410.24050).",
        ),
    ]


def _about(model: HookedModel) -> dict[str, Any]:
    return {
        "trainings": [
            {
                "name": each.name,
                "summary": each.summary,
                "steps": each.steps,
                "tokens": each.reads_tokens,
                "example": sandbox.example_of(each.name),
            }
            for each in sandbox.trainings()
        ]
    }


PAGE = Page(
    "sandbox", "Sandbox", _layout, (LOG, SECOND, PATTERNS, CLUSTERS), Sandbox, suit, about=_about, home=__file__
)

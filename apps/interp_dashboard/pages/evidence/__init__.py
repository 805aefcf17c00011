"""Evidence: how often each method is right, on models whose circuit is known."""

from typing import Annotated, Any

from dash import html
from pydantic.dataclasses import dataclass

from interp import groundtruth, views
from interp.models.hooked import HookedModel
from interp.models.sources import known_models
from interp_dashboard.asking import Ask
from interp_dashboard.contents import Content
from interp_dashboard.page import Page
from interp_dashboard.shell.panels import choice, marks, panel
from interp_dashboard.state import Choice, View, one_of

FINDS = {"edges": "edges", "nodes": "heads and MLPs", "tokens": "tokens", "features": "features"}
MEASURES = {
    "auc": "ROC AUC",
    "average_precision": "average precision",
    "precision": "precision at the true size",
    "static_auc": "ROC AUC, all that could carry anything",
}


@dataclass(frozen=True)
class Evidence(View):
    """What is to be found, how it is scored, and the model of known truth that is looked at; all of them if empty."""

    finds: Annotated[str, Choice(FINDS)] = "edges"
    measure: Annotated[str, Choice(MEASURES)] = "auc"
    known: Annotated[str, one_of(lambda model: known_models())] = ""


def _looked_at(model: HookedModel, view: Evidence) -> dict[str, Any]:
    return {"show": view.measure, "finds": view.finds}


def _of_one(model: HookedModel, view: Evidence) -> dict[str, Any]:
    return _looked_at(model, view) | ({"model": view.known} if view.known else {})


SCORES = Ask(groundtruth.scores, lambda model, view: {}, "reading the scorecard")
METHODS = Content("evidence_methods", SCORES, choice=_of_one, table=views.methods_table)
MODELS = Content("evidence_models", SCORES, choice=_looked_at, figure=views.scores_by_model, table=views.scores_table)


def _layout() -> list[Any]:
    return [
        panel(
            METHODS,
            "How often each method is right",
            "Every engine that claims to find something, on models whose circuit is known: those that nobody had to "
            "guess. Compare with a random order and with size alone.",
            controls=[
                choice(Evidence, "finds", "What is to be found"),
                choice(Evidence, "measure", "Score"),
                html.Button("all models", className="quiet", **marks(set="known", value="")),
            ],
            more="1: everything true ranks before everything else; 0.5: no better than a random order (of an AUC). "
            "Bars end at the mean over models; whiskers are 95 % intervals over models and draws of prompts. True is "
            "what changes a logit when it alone is resampled. These programs are small, and saturate their softmax, "
            "which blinds gradients: what is right here may be wrong on a language model, and the reverse.",
        ),
        panel(
            MODELS,
            "Model by model",
            "Where a cell is empty its hover says why: the engine refuses the model, or there is nothing to find. "
            "Click a model to see it alone above.",
            click={"known": "x"},
            more="The models are in the list behind the name in the header: each opens on every page, with its true "
            "circuit.",
        ),
    ]


PAGE = Page("evidence", "Evidence", _layout, (METHODS, MODELS), Evidence, home=__file__)

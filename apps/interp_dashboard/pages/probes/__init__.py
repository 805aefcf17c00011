"""Probes: where in the stream a label can be read, compared with controls, and whether the model uses it."""

from dataclasses import replace
from typing import Annotated, Any

from dash import Dash, html
from flask import request
from pydantic import Field
from pydantic.dataclasses import dataclass

from interp.core.errors import InterpError
from interp.directions import from_probe
from interp.models.hooked import HookedModel
from interp_dashboard.asking import Packaged
from interp_dashboard.bodies import well_formed
from interp_dashboard.contents import Content
from interp_dashboard.page import Page
from interp_dashboard.shell.panels import canvas, choice, figure, panel, section
from interp_dashboard.state import Choice, Count, View, below, state

OFFSETS = (-1, 0, 1)  # positions from the labelled token
FILE = "file"
SOURCES = {
    "planted": "a name in a sentence",
    "arrangement": "steps of a puzzle",
    "word": "begins a word",
    "seen": "occurred before",
    FILE: "a file",
}
VALUES = {
    "accuracy": "accuracy",
    "selectivity": "selectivity",
    "untrained": "untrained model",
    "shuffled": "labels shuffled",
    "by_type": "labels by token",
    "erased_accuracy": "after erasure",
    "divergence": "change of the answer",
}
SIZES = {"n": 24, "windows": 12, "items": 300, "changed": 4}  # of what a page waits for


@dataclass(frozen=True)
class Probing(View):
    """Where labels come from, what the map shows, and the cell that is looked at: a layer and the number of an offset.

    `labels` is the path of a file of labelled prompts, read where the source is a file; without `probed` it is the
    middle layer.
    """

    source: Annotated[str, Choice(SOURCES)] = "planted"
    labels: Annotated[str, Field(max_length=4096)] = ""
    mapped: Annotated[str, Choice(VALUES)] = "accuracy"
    probed: Annotated[Count, below(lambda model: model.dims.layers + 1)] | None = None
    offset: Annotated[Count, below(lambda model: len(OFFSETS))] = 1


def suit(model: HookedModel, view: Probing) -> Probing:
    """The middle of this model, where no layer is chosen."""
    return replace(view, probed=model.dims.layers // 2) if view.probed is None else view


def _labels(model: HookedModel, view: Probing) -> dict[str, Any] | None:
    labels = view.labels if view.source == FILE else view.source
    return {"labels": labels, "offsets": OFFSETS} | SIZES if labels else None


def _cell(model: HookedModel, view: Probing) -> dict[str, Any]:
    return {"show": "cell", "pos": OFFSETS[view.offset], "layer": view.probed}


def _column(show: str) -> Any:
    return lambda model, view: {"show": show, "pos": OFFSETS[view.offset]}


TITLE = "One layer and position"
HINT = "Type the path of a file with labels above."
PROBES = Packaged("probe", _labels)
MAP = Content("probe_map", PROBES, choice=lambda model, view: {"show": "map", "value": view.mapped}, hint=HINT)
CELL = Content("probe_cell", PROBES, choice=_cell, hint=HINT)
LAYERS = Content("probe_layers", PROBES, choice=_column("layers"), hint=HINT)
CHANGES = Content("probe_changes", PROBES, choice=_column("changes"), hint=HINT)


def _layout() -> list[Any]:
    beside = [
        panel(
            MAP,
            "Where the label can be read",
            "A probe on each layer's stream, at the labelled token and its neighbours. Click a cell for its details.",
            click={"probed": "y", "offset": "x"},
            controls=choice(Probing, "mapped", "What the map shows"),
            more="Balanced accuracy on groups (puzzles, frames, prompts) that the probe was not fitted on. Controls: "
            "labels shuffled; one random label for each token of the vocabulary, which a probe can only memorise; "
            "a model of the same shape before training. Selectivity is accuracy less the labels by token, or less the "
            "shuffled ones where the tokens are the labels.",
        ),
        panel(
            CELL,
            TITLE,
            "The probe's accuracy beside every control's, and how well a probe on the last stream still does once the "
            "label is erased here. Its direction can be ablated in your own prompt.",
            figure(CELL, TITLE),
            canvas("probedirection", CELL),
            more="The label is erased by LEACE, the least change after which no linear probe can tell it, from items "
            "of groups that the erasure was not fitted on.",
        ),
    ]
    return [
        section(
            "Labels",
            "What is probed for, and at which tokens: generated sentences, a rule on a text's words, or your own file.",
            choice(Probing, "source", "Where labels come from"),
            canvas("labels"),
            more="A .jsonl or .csv file has a text and a label in every row and, optionally, the position of the "
            "labelled token and the group that no split may cut.",
        ),
        panel(
            LAYERS,
            "Probes by layer",
            "How well a probe on each layer's stream predicts the label at the selected position, beside its controls.",
            more="A layer where the probe beats the untrained model and the bag of tokens computes something that the "
            "words alone do not give away.",
        ),
        html.Div(beside, className="columns"),
        panel(
            CHANGES,
            "Does the model use it?",
            "How far the answers move when the label is erased from each layer's stream at the selected position.",
            more="Compared with as many random directions. A label that can be read but whose erasure changes nothing "
            "is present but not used.",
        ),
    ]


def _connect(app: Dash, serving: Any) -> None:
    """The direction of the cell that is looked at, saved under a name that lists of nodes understand."""

    @app.server.post("/_probes/direction")
    def save_direction() -> dict[str, str]:
        values = well_formed(dict[str, Any], request.get_json())
        workspace = serving.workspace
        try:
            view = suit(workspace.model, state(Probing, values))
            result = workspace.result(workspace.display(CELL.name, values))
            made = from_probe(result, layer=view.probed or 0, pos=OFFSETS[view.offset])
            return {"node": made.save(), "made": made.made}
        except InterpError as error:
            return {"error": str(error)}


PAGE = Page("probes", "Probes", _layout, (LAYERS, MAP, CELL, CHANGES), Probing, suit, home=__file__, connect=_connect)

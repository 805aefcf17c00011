"""Layers: what every layer does to the stream, by every measure, and what is lost without it."""

from collections.abc import Mapping
from typing import Any

from interp import views
from interp.core.result import Result
from interp.models.hooked import HookedModel
from interp_dashboard.contents import Content
from interp_dashboard.packing import numbers
from interp_dashboard.page import Page
from interp_dashboard.pages.layers.state import CHANGED, MEASURES, REMOVAL, Layers
from interp_dashboard.shell.panels import canvas, panel, section


def _columns(results: Mapping[str, Result], measures: tuple[str, ...]) -> dict[str, Any]:
    """Every measure, as far as it has been computed; how those were measured that are shown."""
    available, usual = views.measures_of(results), views.usual_measures(results)
    columns = [
        {
            "name": measure.name,
            "engine": measure.engine,
            "meaning": measure.meaning,
            "unit": measure.unit,
            "values": numbers(measure.values),
            "low": None if measure.low is None else numbers(measure.low),
            "high": None if measure.high is None else numbers(measure.high),
        }
        for measure in available.values()
    ]
    shown = [available[name] for name in measures if name in available] or usual.values()
    measured = views.how_measured(results, shown)
    return {"columns": columns, "usual": [*usual], "measured": measured, "sign": "", "unit": ""}


def _chosen(model: HookedModel, view: Layers) -> dict[str, Any]:
    return {"measures": view.measures}


TABLE = Content("layer_table", MEASURES, _columns, _chosen, figure=views.layer_curves, table=views.layer_table)
CURVES = Content("layer_curves", MEASURES, choice=_chosen, figure=views.layer_curves, table=views.layer_table)
ORDERS = Content("layer_removal", REMOVAL)
CHANGE = Content(
    "layer_change", CHANGED, figure=views.before_after, hint="Skip a layer or linearise it in the table above."
)


def _layout() -> list[Any]:
    return [
        section(
            "The text",
            "What the layers are measured on: a file, a folder or hf:NAME. Left empty, it is the standard library's "
            "documentation.",
            canvas("layercorpus"),
        ),
        panel(
            TABLE,
            "The layers",
            "A row for each layer, a column for each measure. Click a heading to sort by it. Skip a layer, or "
            "linearise it: an affine map of its input then takes its place.",
            canvas("layercolumns", TABLE),
            canvas("layertable", TABLE),
            more="Losses are increases over the unmodified model's, in nats a token, on "
            "windows that no map was fitted on. The first position and massive dimensions dominate cosines, entropies "
            "and least squares; the measures say what they leave out. Hover over a heading for its meaning, over a "
            "number for its 95 % interval.",
        ),
        panel(
            CURVES,
            "Measures over the layers",
            "The chosen columns as curves, with their 95 % intervals.",
        ),
        panel(
            CHANGE,
            "Before and after",
            "The answer to the prompt, and the loss on text, with the layers skipped or linearised.",
            more="Several layers are changed at once: their joint effect is not the sum of their effects, as each map "
            "was fitted on the unchanged stream.",
        ),
        panel(
            ORDERS,
            "How many layers can go",
            "The loss as more and more layers are left out, in the order of each measure and in random orders.",
            more="A measure is worth what its order saves over a random one. Layers are ordered on other windows than "
            "the loss is measured on.",
        ),
    ]


PAGE = Page("layers", "Layers", _layout, (TABLE, CURVES, CHANGE, ORDERS), Layers, home=__file__)

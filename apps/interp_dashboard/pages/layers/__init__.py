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
from interp_dashboard.shell.panels import canvas, panel


def _columns(results: Mapping[str, Result], **choice: Any) -> dict[str, Any]:
    """Every measure, as far as it has been computed."""
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
        for measure in views.measures_of(results).values()
    ]
    measured = "; ".join(f"{name}: {result.measured}" for name, result in results.items())
    return {"columns": columns, "usual": [*views.usual_measures(results)], "measured": measured, "sign": "", "unit": ""}


def _chosen(model: HookedModel, view: Layers) -> dict[str, Any]:
    return {"measures": view.measures}


TABLE = Content("layer_table", MEASURES, _columns, figure=views.layer_curves, table=views.layer_table)
CURVES = Content("layer_curves", MEASURES, choice=_chosen, figure=views.layer_curves, table=views.layer_table)
ORDERS = Content("layer_removal", REMOVAL)
CHANGE = Content(
    "layer_change", CHANGED, figure=views.before_after, hint="Skip a layer or linearise it in the table above."
)


def _layout() -> list[Any]:
    return [
        panel(
            TABLE,
            "The layers",
            "A row for each layer, a column for each measure. Click a heading to sort by it; skip a layer, or "
            "linearise it: let the affine map of its input stand in its place.",
            canvas("layercorpus"),
            canvas("layercolumns", TABLE),
            canvas("layertable", TABLE),
            more="Measured over windows of a text. Losses are rises above the plain model's, in nats a token, on "
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

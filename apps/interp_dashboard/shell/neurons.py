"""The neurons of one MLP, which several pages show."""

from collections.abc import Callable
from typing import Any

from dash import html

from interp import readout
from interp_dashboard.asking import Ask
from interp_dashboard.contents import Content
from interp_dashboard.shell.panels import panel

LISTED = 15


def neurons(name: str, layer_of: Callable[[Any], int | None], hint: str) -> Content:
    """The strongest neurons of the MLP that a view selects."""

    def arguments(model: Any, view: Any) -> dict[str, Any] | None:
        layer = layer_of(view)
        return None if layer is None else view.question | {"layer": layer}

    ask: Ask[Any] = Ask(readout.neuron_attribution, arguments, "splitting the MLP between its neurons")
    return Content(name, ask, choice=lambda model, view: {"top": LISTED}, hint=hint)


def neurons_panel(content: Content, which: str) -> html.Section:
    """The panel of such a content."""
    return panel(
        content,
        "Neurons of the MLP",
        f"What each neuron of {which} writes along the direction of the answer, the strongest first.",
        more="A neuron's activation where the answer is read times its output weights, along answer − contrast behind "
        "the final norm, whose divisor is held fixed. The neurons, the output bias (b) and the remainder (rounding) "
        "add up to the MLP's own direct contribution: a decomposition, not an intervention, and without what later "
        "components make of it. CSV has every neuron with its activation.",
    )

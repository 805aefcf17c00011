"""Lens: what each layer would predict at each position."""

from typing import Any

from interp import groundtruth
from interp.models.hooked import HookedModel
from interp_dashboard.asking import Ask
from interp_dashboard.contents import Content
from interp_dashboard.page import Page
from interp_dashboard.shell.panels import canvas, panel
from interp_dashboard.shell.readouts import CURVE, LENS
from interp_dashboard.state import View


def _variables(model: HookedModel, view: View) -> dict[str, Any] | None:
    return view.prompt if "axes" in groundtruth.known(model) else None


VARIABLES = Content("variables", Ask(groundtruth.variables, _variables, "reading the program's variables"),
                    choice=lambda model, view: {} if view.layer is None else {"layer": view.layer})  # fmt: skip


def _layout() -> list[Any]:
    return [
        panel(
            LENS,
            "Logit lens",
            "Each cell is the token that the model would predict at that position if it stopped after that layer. "
            "Stronger colour means higher probability.",
            canvas("lensgrid", LENS),
            more="The residual stream after each layer is decoded with the model's own final norm and unembedding; "
            "the last row is the model's actual prediction. Hover over a cell for its five most likely tokens; "
            "click it to select its position.",
        ),
        panel(
            CURVE,
            "The answer across layers",
            "Rank and probability of the answer at the selected position: where it emerges, and where it takes the "
            "lead.",
            more="Rank 1 is the top prediction. Rank is on a logarithmic scale, because the step from 10,000 to 100 "
            "matters as much as the one from 100 to 1.",
        ),
        panel(
            VARIABLES,
            "The program's variables",
            "What the residual stream holds of each variable of the program at each position, after the layer of the "
            "selected head.",
            more="A compiled program gives each variable axes of its own: one for each value, or one for a number. "
            "Shown is the value whose axis is near one; where none is, the stream does not hold the variable there.",
            click={"query": "x"},
            only="axes",
        ),
    ]


PAGE = Page("lens", "Lens", _layout, (LENS, CURVE, VARIABLES), home=__file__)

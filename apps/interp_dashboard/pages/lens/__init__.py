"""Lens: what each layer would predict at each position."""

from typing import Any

from interp_dashboard.page import Page
from interp_dashboard.shell.panels import canvas, panel
from interp_dashboard.shell.readouts import CURVE, LENS


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
    ]


PAGE = Page("lens", "Lens", _layout, (LENS, CURVE), home=__file__)

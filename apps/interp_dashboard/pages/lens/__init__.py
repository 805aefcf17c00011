"""Lens: what each layer would predict at each position."""

from typing import Any

from interp_dashboard.page import Page
from interp_dashboard.shell.panels import drawn, panel
from interp_dashboard.shell.readouts import CURVE, LENS


def _layout() -> list[Any]:
    return [
        panel(
            LENS,
            "Logit lens",
            "Each cell is the token that the model would predict at that position if it stopped after that layer. "
            "The stronger the colour, the more certain.",
            drawn("lensgrid", LENS),
            more="The residual stream after each layer is read with the model's own final norm and unembedding; the "
            "last row is the model itself. Hover a cell for its five likeliest tokens, click it to select its "
            "position.",
        ),
        panel(
            CURVE,
            "The answer along the layers",
            "Rank and probability of the answer at the selected position: where it enters, and where it wins.",
            more="Rank 1 is the model's first choice. The rank is drawn on a logarithmic scale, because the way from "
            "rank 10,000 to 100 and from 100 to 1 both matter.",
        ),
    ]


PAGE = Page("lens", "Lens", _layout, (LENS, CURVE), home=__file__)

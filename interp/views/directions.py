"""Dose curves: the effect of a direction, or its cost, against the strength, beside random directions."""

from typing import Literal

import numpy as np
import plotly.graph_objects as go

from interp.kinds import DoseCurve
from interp.views.choosing import unit
from interp.views.figures import view
from interp.views.lines import Line, lines, named_line
from interp.views.theme import Theme

_WORDS = {
    "effect": "Effect of steering",
    "divergence": "Divergence on neutral text",
    "loss_rise": "Loss on neutral text",
}


@view.register
def dose_curve(
    result: DoseCurve, theme: Theme, *, show: Literal["effect", "divergence", "loss_rise"] = "effect"
) -> go.Figure:
    """The effect or the cost at every strength; the middle 95 % of random directions in grey."""
    strengths = result.data["strength"].values
    order = np.argsort(strengths)
    random = result.values(f"random_{show}").values[:, order]
    span = np.quantile(random, [0.025, 0.975], axis=0).T
    main = named_line(result, show, "the direction")
    interval = None if main.interval is None else main.interval[order]
    curves = [
        Line(f"{len(random)} random directions (mean, middle 95 %)", random.mean(0), span),
        Line(main.name, main.values[order], interval),
    ]
    if show == "effect" and "instructed_effect" in result.data:
        level = float(result.values("instructed_effect"))
        curves.append(Line("the instruction instead", np.full(len(strengths), level)))
    across = f"strength ({result.data.attrs.get('unit_of_strength', '')})"
    return lines(
        result, theme, strengths[order], curves, across=across, up=unit(result, show), title=_WORDS[show],
        notes=[result.data.attrs.get("made", "")],
    )  # fmt: skip

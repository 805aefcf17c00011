"""Ablate and patch: silence a set of heads and MLPs and see what the answer does."""

from typing import Any

from dash import html

from interp_dashboard.components import choice, drawn, panel
from interp_dashboard.pages.page import Page

_HOWS = (("zero", "zero"), ("mean", "mean over the prompt"), ("resample", "resample from corrupted"))


def _layout() -> list[Any]:
    return [
        panel(
            "The set",
            "Click heads and MLPs into the set; the colour is each one's effect alone.",
            drawn("chips"),
            drawn("mosaic", slot="effects", toggle="yes"),
            slot="effects",
            controls=choice("how", _HOWS, "How to silence them"),
            more="Zero removes what the nodes write; the mean keeps their average over this prompt; resampling puts in "
            "their values from the corrupted prompt, which keeps them in their usual range. Every position is edited.",
        ),
        html.Div(
            [
                panel(
                    "Before and after",
                    "The answer's lead over the contrast, and the likeliest next tokens, without and with the edits.",
                    drawn("beforeafter", slot="ablation"),
                    slot="ablation",
                    more="The effects of several heads together are not the sum of their effects alone: later heads "
                    "can take over from silenced ones.",
                ),
                panel(
                    "The lens, before and after",
                    "The answer's rank at the last token after each layer, without and with the edits.",
                    drawn("lensline", slot="lens", edited="yes"),
                    slot="lens_edited",
                    variant="curve",
                    more="Where the two lines part is the first layer at which the edits are felt in the prediction.",
                ),
            ],
            className="columns",
        ),
    ]


PAGE = Page(
    "ablate", "Ablate & patch", _layout, lambda view: ("answer", "ablation", "lens", "lens_edited", "effects", "mlps")
)

"""Geometry: where positions and contexts live, whether a head matches on either, and how heads write to others."""

from typing import Any

from dash import html

from interp_dashboard.components import choice, drawn, panel
from interp_dashboard.pages.page import Page
from interp_dashboard.state import COMPOSITIONS, FACTORS, View


def _layout() -> list[Any]:
    return [
        panel(
            "Position and context in the stream",
            "What share of each layer's energy is one mean, the position alone, the text alone, and what is left. "
            "Click a layer to see it below.",
            drawn("energy", slot="geometry"),
            slot="geometry",
            variant="energy",
            more="h = mean + position + context + residual, over windows of the standard library's documentation, the "
            "first position left out. The parts are averages, so their energies add up exactly. The control has the "
            "positions of every window shuffled: what it still shows is chance.",
        ),
        html.Div(
            [
                panel(
                    "The positions' curve",
                    "The position part of the chosen layer on its first three principal directions. Drag to turn it.",
                    drawn("poscurve", slot="geometry_curve"),
                    slot="geometry_curve",
                    variant="curve",
                    more="Each dot is one position, light to dark from first to last. A smooth curve means that near "
                    "positions have near vectors.",
                ),
                panel(
                    "How alike positions are",
                    "Cosines between the position parts of every two positions of the chosen layer.",
                    drawn("gram", slot="geometry_curve"),
                    slot="geometry_curve",
                    variant="gram",
                    more="A band along the diagonal is locality: positions resemble their neighbours. A pattern "
                    "that depends on the distance alone is what a rotation through position space gives.",
                ),
            ],
            className="columns",
        ),
        panel(
            "Where texts lie",
            "The context part of each window of text, on two principal directions, coloured by topic.",
            drawn("topics", slot="geometry_context"),
            slot="geometry_context",
            variant="map",
            more="A window's context part is its mean over positions, less the mean of all windows. Windows of one "
            "topic near one another mean that this layer tells what a text is about.",
        ),
        panel(
            "Does the head attend by position or by content?",
            "The selected head's scores before masking on this prompt: three terms that add up to the fourth.",
            drawn("split", slot="geometry_split"),
            slot="geometry_split",
            variant="maps",
            more="Queries and keys are split into mean, position, context and residual with the norm's scale held "
            "fixed, so that nothing is left over. Position: pairs of mean and position parts. Context: pairs "
            "with a context part. Residual: every pair with what is special to this token here. A share says how much "
            "of the choice between keys a term explains.",
        ),
        panel(
            "All heads: by position or by content",
            "Purple heads choose their keys by position, orange ones by context and residual. Click a head to select "
            "it.",
            drawn("mosaic", slot="geometry_split", field="leaning", saying="position share less the rest"),
            slot="geometry_split",
            variant="heads",
            more="The shares of position, context and residual add up to 1; the colour is the first less the other "
            "two, on this prompt.",
        ),
        panel(
            "Which heads write to which",
            "How much of what a later head reads is written by an earlier one, from the weights alone. Pairs that are "
            "no stronger than 95 % of the impossible ones are left grey. Click a cell to select its sender.",
            drawn("composition", slot="geometry_composition"),
            slot="geometry_composition",
            variant="matrix",
            controls=choice("composition", list(COMPOSITIONS.items()), "Which side of the later head"),
            more="The score is ‖W_OV W_QK‖ over ‖W_OV‖ ‖W_QK‖. Impossible pairs, whose receiver comes before its "
            "sender, share the same weights and cannot compose: they are the model's own null. The other null is a "
            "random rotation between the two heads.",
        ),
        panel(
            "Channels",
            "The strongest single directions of a head's output, as later heads read them. Choose one to change it and "
            "see the answer move.",
            drawn("channels", slot="geometry_composition"),
            slot="geometry_composition",
            variant="channels",
            controls=choice("factor", list(FACTORS.items()), "What becomes of the channel"),
            more="A direction is one singular vector of the sender's output. Changing it reaches the named receiver "
            "alone: every other head still reads what it read before.",
        ),
        html.Div(
            [
                panel(
                    "How linear the layers are",
                    "How well one linear map does what each layer does.",
                    drawn("linearity", slot="geometry_linearity"),
                    slot="geometry_linearity",
                    more="The stream through the layer is nearly linear as the layer adds little to it; what the layer "
                    "adds is a harder test.",
                ),
                panel(
                    "How alike the layers are",
                    "Unbiased CKA between the streams into every two layers.",
                    drawn("similarity", slot="geometry_similarity"),
                    slot="geometry_similarity",
                    more="1: the same up to a rotation and a scale. 0: no more alike than chance.",
                ),
            ],
            className="columns",
        ),
        panel(
            "Position without position embeddings",
            "How much what attention adds varies between texts, position by position.",
            drawn("variance", slot="geometry_variance"),
            slot="geometry_variance",
            more="A head that averages over all earlier values varies less the more there are: its variance alone "
            "tells a later layer where it stands.",
        ),
    ]


def _slots(view: View) -> tuple[str, ...]:
    return (
        "answer",
        "geometry_composition",
        "geometry_channel",
        "geometry",
        "geometry_curve",
        "geometry_context",
        "geometry_split",
        "geometry_linearity",
        "geometry_similarity",
        "geometry_variance",
    )


PAGE = Page("geometry", "Geometry", _layout, _slots)

"""Geometry: where positions and texts live in the stream, what heads look for, and how heads write to one another."""

from typing import Any

from dash import html

from interp import views
from interp.core.result import Result
from interp.models.hooked import HookedModel
from interp_dashboard.contents import Content
from interp_dashboard.packing import numbers, said
from interp_dashboard.page import Page
from interp_dashboard.pages.geometry import state as asks
from interp_dashboard.pages.geometry.state import Geometry, suit
from interp_dashboard.shell.panels import choice, drawn, panel

LISTED = 24  # channels
SELECT = "Select a head above."


def _leaning(result: Result) -> dict[str, Any]:
    """Every head's share by position, less the two others."""
    position, context, residual = (
        result.data[f"{part}_share"].isel(batch=0).values for part in ("position", "context", "residual")
    )
    words = {"saying": "position share less the rest", "kind": "diverging"}
    return {"values": numbers(position - context - residual)} | words | said(result, "position_share")


def _of_layer(show: str) -> Any:
    return lambda model, view: {"show": show, "layer": view.depth}


def _side(model: HookedModel, view: Geometry) -> dict[str, Any]:
    return {"show": "matrix", "composition": view.composition}


def _strongest(model: HookedModel, view: Geometry) -> dict[str, Any]:
    return {"show": "channels", "composition": view.composition, "top": LISTED}


ENERGY = Content("geometry", asks.POSITIONS, choice=lambda model, view: {"show": "energy"})
MEASURES = Content("geometry_measures", asks.POSITIONS, choice=lambda model, view: {"show": "measures"})
CURVE = Content("geometry_curve", asks.POSITIONS, choice=_of_layer("curve"))
GRAM = Content("geometry_gram", asks.POSITIONS, choice=_of_layer("gram"))
CONTEXT = Content("geometry_context", asks.POSITIONS, choice=_of_layer("map"))
SPLIT = Content("geometry_split", asks.SPLIT, choice=lambda model, view: {"show": "maps"}, hint=SELECT)
LEANING = Content(
    "geometry_leaning",
    asks.SPLIT,
    _leaning,
    figure=lambda result, theme: views.figure(result, show="heads", theme=theme),
    table=lambda result: result.to_frame("heads"),
    hint=SELECT,
)
COMPOSITION = Content("geometry_composition", asks.COMPOSITION, choice=_side)
CHANNELS = Content("geometry_channels", asks.COMPOSITION, choice=_strongest)
CHANGED = Content("geometry_channel", asks.CHANGED, figure=views.before_after, hint="Choose a channel.")
LINEARITY = Content("geometry_linearity", asks.LINEARITY)
SIMILARITY = Content("geometry_similarity", asks.SIMILARITY)
VARIANCE = Content("geometry_variance", asks.VARIANCE)


def _stream() -> list[Any]:
    return [
        panel(
            ENERGY,
            "Mean, position, context and residual in the stream",
            "What share of each layer's energy is one mean, the position alone, the text alone, and what is left. "
            "Click a layer to see it below.",
            click={"depth": "x"},
            more="h = mean + position + context + residual, over windows of the standard library's documentation, the "
            "first position left out. The parts are averages, so their energies add up exactly. The control has the "
            "positions of every window shuffled: what it still shows is chance.",
        ),
        html.Div(
            [
                panel(
                    CURVE,
                    "The positions' curve",
                    "The position part of the chosen layer projected onto its first three principal components. "
                    "Drag to turn it.",
                    more="Each dot is one position, light to dark from first to last. A smooth curve means that near "
                    "positions have near vectors.",
                ),
                panel(
                    GRAM,
                    "How alike positions are",
                    "Cosines between the position parts of every two positions of the chosen layer.",
                    more="A band along the diagonal is locality: positions resemble their neighbours. A pattern "
                    "that depends on the distance alone is what a rotation through position space gives.",
                ),
            ],
            className="columns",
        ),
        panel(
            CONTEXT,
            "Context map",
            "The context part of each window of text, on two principal directions, coloured by topic.",
            more="A window's context part is its mean over positions, less the mean of all windows. Windows of one "
            "topic near one another mean that this layer tells what a text is about.",
        ),
        panel(
            MEASURES,
            "What position and context are like",
            "Rank, norm and angles of the parts, layer by layer, against the shuffled control. Click a layer to see it "
            "above.",
            click={"depth": "x"},
            more="A low stable rank means that few directions carry the positions. A small largest cosine means that "
            "positions and contexts keep to directions of their own.",
        ),
    ]


def _scores() -> list[Any]:
    return [
        panel(
            SPLIT,
            "Does the head attend by position or by content?",
            "The selected head's scores before masking on this prompt: three terms that add up to the fourth. Click a "
            "cell to select its query and key.",
            click={"query": "y", "key": "x"},
            more="Queries and keys are split into mean, position, context and residual with the norm's scale held "
            "fixed, so that nothing is left over. Position: pairs of mean and position parts. Context: pairs "
            "with a context part. Residual: every pair with what is special to this token here.",
        ),
        panel(
            LEANING,
            "All heads: by position or by content",
            "Purple heads choose their keys by position, orange ones by context and residual. Click a head to select "
            "it.",
            drawn("mosaic", LEANING),
            more="A share says how much of the choice between keys a term explains. The shares of position, context "
            "and residual add up to 1; the colour is the first less the other two, on this prompt.",
        ),
    ]


def _channels() -> list[Any]:
    return [
        panel(
            COMPOSITION,
            "Which heads write to which",
            "How much of what a later head reads is written by an earlier one, from the weights alone. Pairs that are "
            "no stronger than 95 % of the impossible ones are left grey. Click a cell to select its sender.",
            click={"node": "y"},
            controls=choice(Geometry, "composition", "Which side of the later head"),
            more="The score is ‖W_OV W_QK‖ over ‖W_OV‖ ‖W_QK‖. Impossible pairs, whose receiver comes before its "
            "sender, share the same weights and cannot compose: they are the model's own null. The other null is a "
            "random rotation between the two heads.",
        ),
        html.Div(
            [
                panel(
                    CHANNELS,
                    "Channels",
                    "The strongest single directions of a head's output, as later heads read them. Click one to change "
                    "it.",
                    click={"channel": "customdata.3"},
                    more="A direction is one singular vector of the sender's output. The mark is the score under a "
                    "random rotation.",
                ),
                panel(
                    CHANGED,
                    "Intervention on the channel",
                    "The answer with the chosen channel cut, scaled or reversed.",
                    controls=choice(Geometry, "factor", "Intervention on the channel"),
                    more="Changing the direction reaches the named receiver alone: every other head still reads what "
                    "it read before.",
                ),
            ],
            className="columns",
        ),
    ]


def _layers() -> list[Any]:
    return [
        html.Div(
            [
                panel(
                    LINEARITY,
                    "Linearity of each layer",
                    "How well one linear map does what each layer does.",
                    more="The stream through the layer is nearly linear as the layer adds little to it; the layer's "
                    "update is a harder test.",
                ),
                panel(
                    SIMILARITY,
                    "How alike the layers' streams are",
                    "Unbiased CKA between the streams into every two layers.",
                    more="1: the same up to a rotation and a scale. 0: no more alike than chance.",
                ),
            ],
            className="columns",
        ),
        panel(
            VARIANCE,
            "Position without position embeddings",
            "How much what attention adds varies between texts, position by position.",
            more="A head that averages over all earlier values varies less the more there are: its variance alone "
            "tells a later layer where it stands.",
        ),
    ]


PAGE = Page(
    "geometry",
    "Geometry",
    lambda: [*_stream(), *_scores(), *_channels(), *_layers()],
    (
        COMPOSITION, CHANNELS, CHANGED, ENERGY, CURVE, GRAM, CONTEXT, MEASURES, SPLIT, LEANING, LINEARITY, SIMILARITY,
        VARIANCE,
    ),
    Geometry,
    suit,
    home=__file__,
)  # fmt: skip

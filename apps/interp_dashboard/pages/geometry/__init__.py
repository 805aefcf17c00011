"""Geometry: how the stream represents position and context, what heads attend by, and how heads compose."""

from typing import Any

from dash import html

from interp import views
from interp.core.result import Result
from interp.models.hooked import HookedModel
from interp_dashboard.contents import Content
from interp_dashboard.packing import meaning, numbers
from interp_dashboard.page import Page
from interp_dashboard.pages.geometry import state as asks
from interp_dashboard.pages.geometry.state import Geometry, suit
from interp_dashboard.shell.panels import canvas, choice, panel

LISTED = 24  # channels
SELECT = "Select a head above."


def _leaning(result: Result, show: str) -> dict[str, Any]:
    """Every head's position share minus the two others."""
    grid = views.head_grid(result)
    cross = [["cross term", numbers(result.values("cross_share").mean("batch"))]]
    about = {"saying": grid.name, "kind": "diverging", "limit": grid.limit, "more": cross}
    return {"values": numbers(grid.values)} | about | meaning(result, "position_share")


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
    choice=lambda model, view: {"show": "balance"},
    hint=SELECT,
)
COMPOSITION = Content("geometry_composition", asks.COMPOSITION, choice=_side)
CHANNELS = Content("geometry_channels", asks.COMPOSITION, choice=_strongest)
CHANGED = Content("geometry_channel", asks.CHANGED, figure=views.before_after, hint="Select a channel.")
LINEARITY = Content("geometry_linearity", asks.LINEARITY)
SIMILARITY = Content("geometry_similarity", asks.SIMILARITY)
VARIANCE = Content("geometry_variance", asks.VARIANCE)


def _stream() -> list[Any]:
    return [
        panel(
            ENERGY,
            "Mean, position, context and residual in the stream",
            "Each layer's energy, split into the overall mean, position, context and the residual. Click a layer to "
            "see it below.",
            click={"depth": "x"},
            more="h = mean + position + context + residual, over windows of the standard library's documentation, "
            "without the first position. The parts are averages, so their energies add up exactly. In the "
            "control, positions are shuffled within every window: what it still shows is chance.",
        ),
        html.Div(
            [
                panel(
                    CURVE,
                    "Position curve",
                    "The position part of the selected layer, projected onto its first three principal components. "
                    "Drag to rotate.",
                    more="Each dot is one position, from light (first) to dark (last). A smooth curve means that "
                    "nearby positions have similar vectors.",
                ),
                panel(
                    GRAM,
                    "Similarity of positions",
                    "Cosine similarity between the position parts of every two positions at the selected layer.",
                    more="A band along the diagonal shows locality: positions resemble their neighbours. A pattern "
                    "that depends only on the distance between positions indicates a rotation through position "
                    "space.",
                ),
            ],
            className="columns",
        ),
        panel(
            CONTEXT,
            "Context map",
            "The context part of each window of text, projected onto two principal components and coloured by topic.",
            more="A window's context part is its mean over positions, minus the mean over all windows. If windows "
            "of one topic cluster, this layer represents what a text is about.",
        ),
        panel(
            MEASURES,
            "Measures of position and context",
            "Rank, norm and angles of the parts, layer by layer, compared with the shuffled control. Click a layer "
            "to see it above.",
            click={"depth": "x"},
            more="A low stable rank means that a few directions encode position. If the largest cosine is small, "
            "position and context occupy nearly orthogonal directions.",
        ),
    ]


def _scores() -> list[Any]:
    return [
        panel(
            SPLIT,
            "Does the head attend by position or by content?",
            "The selected head's attention scores (before masking) on this prompt: three terms and their sum. Click "
            "a cell to select its query and key.",
            click={"query": "y", "key": "x"},
            more="Queries and keys are split into mean, position, context and residual with the norm's scale held "
            "fixed, so the split is exact. Position: products of mean and position parts. Context: products "
            "with a context part. Residual: every product with a residual part, which is specific to this "
            "token in this context.",
        ),
        panel(
            LEANING,
            "All heads: position or content",
            "Purple heads attend by position, orange ones by content (context and residual). Click a head to select "
            "it.",
            canvas("mosaic", LEANING),
            more="A share is a term's covariance with the scores, over their variance across keys. The shares of "
            "position, context and residual add up to 1, but they are signed: terms that cancel each other, which "
            "their cross term shows as negative, have shares below 0 or above 1. The colour is the position share "
            "minus the other two, on this prompt; the scale ends at −1 and +1, and heads beyond have its end's colour.",
        ),
    ]


def _channels() -> list[Any]:
    return [
        panel(
            COMPOSITION,
            "Which heads write to which",
            "How strongly each head writes into the subspace that a later head reads, from the weights alone. Pairs "
            "that score no higher than 95 % of the impossible pairs are grey. Click a cell to select its sender.",
            click={"node": "y"},
            controls=choice(Geometry, "composition", "Input of the later head"),
            more="The score is ‖W_OV W_QK‖ over ‖W_OV‖ ‖W_QK‖. Impossible pairs, whose receiver comes before its "
            "sender, come from the same weights but cannot compose: they are one null. The other null is a "
            "random rotation between the two heads.",
        ),
        html.Div(
            [
                panel(
                    CHANNELS,
                    "Channels",
                    "The strongest individual directions of head outputs, as read by later heads. Click one to "
                    "intervene on it.",
                    click={"channel": "customdata.3"},
                    more="A direction is one singular vector of the sender's OV matrix. The marker is the score "
                    "under a random rotation.",
                ),
                panel(
                    CHANGED,
                    "Intervention on the channel",
                    "The answer with the selected channel cut, scaled or reversed.",
                    controls=choice(Geometry, "factor", "Intervention on the channel"),
                    more="The intervention affects the named receiver only: every other head still reads the "
                    "original value.",
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
                    "How well a single linear map reproduces what each layer does.",
                    more="The map from stream to stream is nearly linear because each layer adds little; the "
                    "layer's update alone is a harder test.",
                ),
                panel(
                    SIMILARITY,
                    "Similarity of the layers' streams",
                    "Unbiased CKA between the residual streams at every two layers.",
                    more="1: identical up to rotation and scale. 0: no more similar than chance.",
                ),
            ],
            className="columns",
        ),
        panel(
            VARIANCE,
            "Position from attention variance",
            "How much attention's output varies between texts, position by position.",
            more="The more values a head averages over, the less its output varies: the variance alone tells later "
            "layers the position, even without position embeddings.",
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

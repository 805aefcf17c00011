"""Features: a dictionary's features on the prompt, one feature's card, its sources, and its effect on the answer."""

from dataclasses import replace
from typing import Any

from dash import html

from interp import views
from interp.dictionaries import known
from interp.models.hooked import HookedModel
from interp_dashboard.contents import Content
from interp_dashboard.page import Page
from interp_dashboard.pages.features import payloads
from interp_dashboard.pages.features import state as asks
from interp_dashboard.pages.features.state import TURNS, Features, suit
from interp_dashboard.shell.panels import canvas, choice, figure, panel

CHOOSE = "Select a feature."
NONE = (
    "No dictionary is known for this model. Train one with `interp train sae`, which makes it known here, or give one "
    "above: a folder, or RELEASE:SAE_ID of sae-lens."
)


def _about(model: HookedModel) -> dict[str, Any]:
    return {"dictionaries": list(known(model)), "turns": list(TURNS)}


def _parts(model: HookedModel, view: Features) -> dict[str, Any]:
    """One step back, from all sources or from the selected one."""
    return {"show": "parts"} | ({} if view.key is None else {"pos": view.key})


ACTIVE = Content("features_active", asks.ACTIVE, payloads.active, hint=NONE)
FIRST = Content("features_first", asks.EFFECTS, payloads.first)
FOUND = Content(
    "features_found",
    asks.CARDS,
    payloads.search_payload,
    choice=lambda model, view: payloads.search(view),
    figure=payloads.search_figure,
    table=payloads.search_table,
    rest=payloads.search_python,
)
CARD = Content(
    "features_card",
    lambda view: None if view.feature is None else asks.CARDS,
    payloads.card,
    choice=lambda model, view: {"feature": view.feature},
    figure=payloads.card_figure,
    table=payloads.card_table,
    rest=payloads.card_python,
    hint=CHOOSE,
)
SHAPE = replace(CARD, name="features_shape", payload=None, table=payloads.shape_table, rest=payloads.shape_python)
LINES = Content("features_lines", asks.SOURCES, figure=views.source_lines)
SOURCES = Content("features_sources", asks.SOURCES, hint=CHOOSE)
PARTS = Content("features_parts", asks.SOURCES, choice=_parts, hint=CHOOSE)
EFFECTS = Content("features_effects", asks.EFFECTS)
STEERED = Content(
    "features_turned",
    asks.STEERED,
    choice=lambda model, view: {"show": "control"},
    hint=CHOOSE,
)
TOKENS = Content("features_tokens", asks.STEERED, choice=lambda model, view: {"show": "tokens"})
ROLES = Content("features_roles", asks.ROLES)


def _of_prompt() -> html.Section:
    return panel(
        ACTIVE,
        "Features of the prompt",
        "The strongest features (rows) on each token (columns). Click a cell to select the feature and the token.",
        canvas("featuremap", ACTIVE),
        controls=canvas("dictionary"),
        more="A dictionary (sparse autoencoder) reconstructs the attention output of a layer as a sum of a few "
        "features. The line below the map gives the number of active features at each token and the share of "
        "the output that the dictionary fails to reconstruct.",
    )


def _cards() -> list[Any]:
    return [
        panel(
            FOUND,
            "Find features",
            "Search by a token that a feature is active on or promotes, by head, by density or by number.",
            canvas("featurefound", FOUND),
            controls=[
                choice(Features, "sorting", "Sort by"),
                choice(Features, "own", "Whose features"),
                choice(Features, "density", "How often features are active"),
            ],
            more="Density is the share of corpus tokens on which the feature is active. The first token shown is "
            "the one with its maximum activation, followed by the tokens it directly promotes. The head is the "
            "one with the largest share of the feature's decoder direction.",
        ),
        panel(
            CARD,
            "The feature's card",
            "Where the selected feature is active in the corpus, and what it writes. Click a head's bar to select "
            "the head.",
            canvas("featurecard", CARD),
            figure(SHAPE, "Activation histogram, and the heads that write the feature", {"node": "customdata.0"}),
            canvas("featurecontexts", CARD),
            also={"Histogram": SHAPE},
            more="Contexts: the strongest activations first, at most one per window, then examples at decreasing "
            "quantiles: a feature that looks monosemantic at the top may be less so further down. Promoted "
            "tokens: the decoder direction through the output weights and the unembedding, without the scale "
            "of the final norm.",
        ),
    ]


def _sources() -> html.Section:
    return panel(
        SOURCES,
        "Where the feature comes from",
        "Direct feature attribution: what each source token contributes to the feature at the selected token, head "
        "by head. Click a source to see which components wrote it.",
        figure(LINES, "Lines from sources to the feature", {"key": "x"}),
        figure(SOURCES, "Sources by head", {"node": "customdata.1", "key": "x"}),
        also={"Lines": LINES},
        more="DFA of head h and source k: the attention of h to k, times the value vector at k, projected onto the "
        "feature's encoder direction. All parts and the bias add up to the pre-activation.",
    )


def _parts_and_effects() -> list[Any]:
    return [
        panel(
            PARTS,
            "One step back",
            "What earlier components had written to the stream at the selected source, or at all sources, and how "
            "much of it reaches the feature.",
            more="Each source's value vector is split by which component wrote to the stream there, with the norm's "
            "scale held fixed; biases and the remainder are shown as separate parts.",
        ),
        panel(
            EFFECTS,
            "Features that affect the answer",
            "Estimated effect of setting each feature to its value on the corrupted prompt (or to zero if there is "
            "none). Click a feature to select it.",
            canvas("featurefirst", FIRST),
            figure(EFFECTS, "Features that affect the answer", {"feature": "customdata.1"}),
            more="Computed from one backward pass. The features and the reconstruction error add up to the estimate "
            "for the whole site, which is compared with the measured effect of patching it.",
        ),
    ]


def _steering() -> html.Section:
    return panel(
        STEERED,
        "Scale or steer the feature",
        "Multiply its activation throughout the prompt (0 ablates it), or add its decoder direction to steer.",
        canvas("featuredial"),
        html.Div(
            [
                figure(TOKENS, "The answer before and after"),
                figure(STEERED, "Its effect compared with equally frequent features"),
            ],
            className="columns",
        ),
        controls=choice(Features, "way", "Effect of the slider"),
        also={"The answer": TOKENS},
        more="The reconstruction error is left unchanged. The pale bars show the same change applied to other "
        "features of similar density: an effect within their range is no evidence for this feature.",
    )


def _roles() -> html.Section:
    return panel(
        ROLES,
        "Roles of the heads",
        "For each head of the layer, the families of the ten features with the largest decoder share in that head. "
        "Click a head to select it.",
        click={"node": "customdata.2"},
        more="A feature is assigned to heads by their share of its decoder direction. Its family follows from the "
        "positions of its sources in its top contexts: induction, previous, duplicate, first or current token, "
        "short-range or long-range. A head counts as monosemantic if at least three of its features are active "
        "in the corpus and all of them belong to one family other than mixed.",
    )


def _layout() -> list[Any]:
    cards, below = (html.Div(pair, className="columns") for pair in (_cards(), _parts_and_effects()))
    return [_of_prompt(), cards, _sources(), below, _steering(), _roles()]


PAGE = Page(
    "features",
    "Features",
    _layout,
    (ACTIVE, LINES, SOURCES, PARTS, FIRST, EFFECTS, CARD, SHAPE, FOUND, STEERED, TOKENS, ROLES),
    Features,
    suit,
    _about,
    home=__file__,
)

"""Features: what a dictionary sees in the prompt, one feature's card, its sources, and its effect on the answer."""

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
from interp_dashboard.shell.panels import caption, choice, drawn, figure, panel

CHOOSE = "Choose a feature."


def _about(model: HookedModel) -> dict[str, Any]:
    return {"dictionaries": list(known(model)), "turns": list(TURNS)}


def _parts(model: HookedModel, view: Features) -> dict[str, Any]:
    """One step back, from all sources or from the selected one."""
    return {"show": "parts"} | ({} if view.key is None else {"pos": view.key})


ACTIVE = Content("features_active", asks.ACTIVE, payloads.active)
FIRST = Content("features_first", asks.EFFECTS, payloads.first)
FOUND = Content(
    "features_found",
    asks.CARDS,
    payloads.searched,
    choice=lambda model, view: payloads.search(view),
    figure=lambda result, search, of, theme: views.figure(result, theme=theme),
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
SHAPE = replace(CARD, name="features_shape", payload=None)
LINES = Content("features_lines", asks.SOURCES, figure=views.source_lines)
SOURCES = Content("features_sources", asks.SOURCES, hint=CHOOSE)
PARTS = Content("features_parts", asks.SOURCES, choice=_parts, hint=CHOOSE)
EFFECTS = Content("features_effects", asks.EFFECTS)
STEERED = Content(
    "features_turned",
    asks.STEERED,
    choice=lambda model, view: {"show": "control"},
    table=lambda result, show: result.to_frame(),
    hint=CHOOSE,
)
TOKENS = Content("features_tokens", asks.STEERED, choice=lambda model, view: {"show": "tokens"})
ROLES = Content("features_roles", asks.ROLES)


def _of_prompt() -> html.Section:
    return panel(
        ACTIVE,
        "Features of the prompt",
        "The strongest features down, tokens across. Click a cell to choose the feature and the token.",
        drawn("featuremap", ACTIVE),
        more="A dictionary (sparse autoencoder) writes what the heads of a layer put out as a sum of a few of its "
        "features. The line below the map counts the active ones at each token and tells what share of the "
        "output the dictionary misses there.",
    )


def _cards() -> list[Any]:
    return [
        panel(
            FOUND,
            "Find features",
            "By a token that they are active on or that they promote, by head, density or number.",
            drawn("featurefound", FOUND),
            controls=[
                choice(Features, "sorting", "Order of the features"),
                choice(Features, "own", "Whose features"),
                choice(Features, "density", "How often features are active"),
            ],
            more="Density is the share of tokens of the corpus on which the feature is active. The token shown "
            "is where it was strongest, then tokens that it makes likelier directly. The head is the one with "
            "the largest share of the feature's decoder row.",
        ),
        panel(
            CARD,
            "The feature's card",
            "Where the chosen feature is active in the corpus, and what it writes. Click the bar of a head to select "
            "it.",
            drawn("featurecard", CARD),
            figure(SHAPE, "How strongly the feature is active, and the heads that write it", {"node": "customdata.0"}),
            drawn("featurecontexts", CARD),
            more="Contexts: the strongest places first, at most one a document window, then places at falling "
            "quantiles of its activations: a feature that is clear at the top may be vague further down. "
            "Promoted tokens: the decoder row through the output weights and the unembedding, the final norm's "
            "scale left out.",
        ),
    ]


def _sources() -> html.Section:
    return panel(
        SOURCES,
        "Where the feature comes from",
        "Direct feature attribution: what each earlier token brings to the feature at the chosen token, head by head. "
        "Click a source to see what had brought it.",
        caption(SOURCES),
        figure(LINES, "Lines from sources to the feature", {"key": "x"}),
        figure(SOURCES, "Sources by head", {"node": "customdata.1", "key": "x"}),
        more="DFA of head h and source k: its attention to k, times k's value, read by the encoder. The parts and the "
        "bias add up to the pre-activation.",
    )


def _parts_and_effects() -> list[Any]:
    return [
        panel(
            PARTS,
            "One step back",
            "What had been written to the stream at the chosen source, or at all of them, as the heads bring it to the "
            "feature.",
            caption(PARTS),
            figure(PARTS, "One step back"),
            more="Each source's value is split over what had been written to the stream there, with the norm's scale "
            "held fixed; biases and what is left over are shown as parts of their own.",
        ),
        panel(
            EFFECTS,
            "Features that decide the answer",
            "Estimated effect of giving each feature its value in the corrupted run (without one: zero). Click a "
            "feature to choose it.",
            drawn("featurefirst", FIRST),
            figure(EFFECTS, "Features that decide the answer", {"feature": "customdata.1"}),
            more="From one backward pass. The features and the dictionary's error add up to the estimate for "
            "the whole site, which is compared with truly replacing it.",
        ),
    ]


def _steering() -> html.Section:
    return panel(
        STEERED,
        "Scale or steer the feature",
        "Multiply its activation everywhere in the prompt (0 takes it away), or add to it to steer.",
        drawn("featuredial"),
        caption(TOKENS),
        html.Div(
            [
                figure(TOKENS, "The answer before and after"),
                figure(STEERED, "Its effect compared with that of features that are active about as often"),
            ],
            className="columns",
        ),
        controls=choice(Features, "way", "What the slider does"),
        more="What the dictionary misses stays as it was. The pale bars are the same change of other features that are "
        "active about as often: an effect among them is no evidence for this feature.",
    )


def _roles() -> html.Section:
    return panel(
        ROLES,
        "What the heads' features do",
        "For every head of the layer, the families of the ten features that it writes the largest share of. Click "
        "a head to select it.",
        click={"node": "customdata.2"},
        more="A feature is a head's by its share of the decoder direction. Its family follows from where its "
        "sources stand in its top contexts: induction, previous, duplicate, first or current token, near or "
        "far. A head counts as monosemantic if at least three of its features are active in the corpus and all "
        "of those are of one family.",
    )


def _layout() -> list[Any]:
    cards, below = (html.Div(pair, className="columns") for pair in (_cards(), _parts_and_effects()))
    return [_of_prompt(), cards, _sources(), below, _steering(), _roles()]


PAGE = Page(
    "features",
    "Features",
    _layout,
    (ACTIVE, LINES, SOURCES, PARTS, STEERED, TOKENS, FIRST, EFFECTS, CARD, SHAPE, FOUND, ROLES),
    Features,
    suit,
    _about,
    home=__file__,
)

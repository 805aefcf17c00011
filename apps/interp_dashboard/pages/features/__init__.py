"""Features: what a dictionary sees in the prompt, one feature's card, its sources, and what happens without it."""

from dataclasses import replace
from typing import Any

from dash import html

from interp.dictionaries import known
from interp.models.hooked import HookedModel
from interp_dashboard.legacy import QUESTION, slot
from interp_dashboard.page import Page
from interp_dashboard.pages.features import payloads
from interp_dashboard.pages.features.asks import ACTIVE, CARDS, EFFECTS, ROLES
from interp_dashboard.pages.features.state import TURNS, Features
from interp_dashboard.shell.panels import choice, drawn, panel

CHOSEN = ("clean", "dictionary", "feature", "query")


def _suit(model: HookedModel, view: Features) -> Features:
    """The first dictionary is what an empty name stands for: one view has one form."""
    return replace(view, dictionary="") if view.dictionary in list(known(model))[:1] else view


def _about(model: HookedModel) -> dict[str, Any]:
    return {"dictionaries": list(known(model)), "turns": list(TURNS)}


FEATURES_ACTIVE = slot("features_active", lambda view: ACTIVE, payloads.active, ("clean", "dictionary"))
FEATURES_FOUND = slot(
    "features_found", lambda view: CARDS, payloads.found, ("dictionary", *payloads.SEARCH),
    python=payloads.found_python, table=payloads.found_table,
)  # fmt: skip
FEATURES_CARD = slot(
    "features_card", payloads.card_question, payloads.card, ("dictionary", "feature"), python=payloads.card_python,
    table=payloads.contexts_table, figure=payloads.card_figure, hint="Choose a feature.",
)  # fmt: skip
FEATURES_SOURCES = slot(
    "features_sources", payloads.sources_question, payloads.sources, (*CHOSEN, "key"), hint="Choose a feature."
)
FEATURES_EFFECTS = slot("features_effects", lambda view: EFFECTS, payloads.effects, (*QUESTION, "dictionary"))
FEATURES_TURNED = slot(
    "features_turned", payloads.turned_question, payloads.turned,
    (*QUESTION, "dictionary", "feature", "turn", "way"), hint="Choose a feature.",
)  # fmt: skip
FEATURES_ROLES = slot("features_roles", lambda view: ROLES, payloads.roles, ("dictionary",))


def _layout() -> list[Any]:
    return [
        panel(
            FEATURES_ACTIVE,
            "Features of the prompt",
            "The strongest features down, tokens across. Click a cell to choose the feature and the token.",
            drawn("featuremap", FEATURES_ACTIVE),
            more="A dictionary (sparse autoencoder) writes what the heads of a layer put out as a sum of a few of its "
            "features. The line below the map counts the active ones at each token and tells what share of the "
            "output the dictionary misses there.",
        ),
        html.Div(
            [
                panel(
                    FEATURES_FOUND,
                    "Find features",
                    "By a token that they are active on or that they promote, by head, density or number.",
                    drawn("featurefound", FEATURES_FOUND),
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
                    FEATURES_CARD,
                    "The feature's card",
                    "Where the chosen feature is active in the corpus, and what it writes.",
                    drawn("featurecard", FEATURES_CARD),
                    more="Contexts: the strongest places first, at most one a document window, then places at falling "
                    "quantiles of its activations: a feature that is clear at the top may be vague further down. "
                    "Promoted tokens: the decoder row through the output weights and the unembedding, the final norm's "
                    "scale left out.",
                ),
            ],
            className="columns",
        ),
        panel(
            FEATURES_SOURCES,
            "Where the feature comes from",
            "Direct feature attribution: what each earlier token brings to the feature at the chosen token, head by "
            "head. The parts and the bias add up to the pre-activation. Click a source to see what had brought it.",
            drawn("featuresources", FEATURES_SOURCES),
            more="DFA of head h and source k: its attention to k, times k's value, read by the encoder. One step back, "
            "each source's value is split over what had been written to the stream there, with the norm's scale held "
            "fixed; biases and what is left over are shown as parts of their own.",
        ),
        html.Div(
            [
                panel(
                    FEATURES_EFFECTS,
                    "Features that decide the answer",
                    "Estimated effect of giving each feature its value in the corrupted run (without one: zero).",
                    drawn("featureeffects", FEATURES_EFFECTS),
                    more="From one backward pass. The features and the dictionary's error add up to the estimate for "
                    "the whole site; beside it, what truly replacing the site does.",
                ),
                panel(
                    FEATURES_TURNED,
                    "Turn the feature",
                    "Multiply its activation everywhere in the prompt (0 takes it away), or add to it to steer.",
                    drawn("featureturned", FEATURES_TURNED),
                    controls=choice(Features, "way", "What the slider does"),
                    more="What the dictionary misses stays as it was. The dots are the same change of other features "
                    "that are active about as often: an effect among them is no evidence for this feature.",
                ),
            ],
            className="columns",
        ),
        panel(
            FEATURES_ROLES,
            "What the heads' features do",
            "For every head of the layer, the families of the ten features that it writes the largest share of.",
            drawn("featureroles", FEATURES_ROLES),
            more="Click a head to select it. A feature is a head's by its share of the decoder row. Its family follows "
            "from where its sources stand in its top contexts: induction, previous, duplicate, first or current token, "
            "near or far. A head counts as monosemantic if at least three of its features are active in the corpus and "
            "all of those are of one family.",
        ),
    ]


PAGE = Page(
    "features", "Features", _layout,
    (FEATURES_ACTIVE, FEATURES_SOURCES, FEATURES_TURNED, FEATURES_EFFECTS, FEATURES_CARD, FEATURES_FOUND,
     FEATURES_ROLES),
    Features, _suit, _about, home=__file__,
)  # fmt: skip

"""Features: what a dictionary sees in the prompt, one feature's card, its sources, and what happens without it."""

from typing import Any

from dash import html

from interp_dashboard.components import choice, drawn, panel
from interp_dashboard.pages.page import Page
from interp_dashboard.state import DENSITIES, OWNERS, SORTINGS, WAYS, View


def _layout() -> list[Any]:
    return [
        panel(
            "Features of the prompt",
            "The strongest features down, tokens across. Click a cell to choose the feature and the token.",
            drawn("featuremap", slot="features_active"),
            slot="features_active",
            more="A dictionary (sparse autoencoder) writes what the heads of a layer put out as a sum of a few of its "
            "features. The line below the map counts the active ones at each token and tells what share of the "
            "output the dictionary misses there.",
        ),
        html.Div(
            [
                panel(
                    "Find features",
                    "By a token that they are active on or that they promote, by head, density or number.",
                    drawn("featurefound", slot="features_found"),
                    slot="features_found",
                    controls=html.Div(
                        [
                            choice("sorting", list(SORTINGS.items()), "Order of the features"),
                            choice("own", list(OWNERS.items()), "Whose features"),
                            choice("density", list(DENSITIES.items()), "How often features are active"),
                        ],
                        className="controls",
                    ),
                    more="Density is the share of tokens of the corpus on which the feature is active. The token shown "
                    "is where it was strongest, then tokens that it makes likelier directly. The head is the one with "
                    "the largest share of the feature's decoder row.",
                ),
                panel(
                    "The feature's card",
                    "Where the chosen feature is active in the corpus, and what it writes.",
                    drawn("featurecard", slot="features_card"),
                    slot="features_card",
                    more="Contexts: the strongest places first, at most one a document window, then places at falling "
                    "quantiles of its activations: a feature that is clear at the top may be vague further down. "
                    "Promoted tokens: the decoder row through the output weights and the unembedding, the final norm's "
                    "scale left out.",
                ),
            ],
            className="columns",
        ),
        panel(
            "Where the feature comes from",
            "Direct feature attribution: what each earlier token brings to the feature at the chosen token, head by "
            "head. The parts and the bias add up to the pre-activation. Click a source to see what had brought it.",
            drawn("featuresources", slot="features_sources"),
            slot="features_sources",
            more="DFA of head h and source k: its attention to k, times k's value, read by the encoder. One step back, "
            "each source's value is split over what had been written to the stream there, with the norm's scale held "
            "fixed; biases and what is left over are shown as parts of their own.",
        ),
        html.Div(
            [
                panel(
                    "Features that decide the answer",
                    "Estimated effect of giving each feature its value in the corrupted run (without one: zero).",
                    drawn("featureeffects", slot="features_effects"),
                    slot="features_effects",
                    more="From one backward pass. The features and the dictionary's error add up to the estimate for "
                    "the whole site; beside it, what truly replacing the site does.",
                ),
                panel(
                    "Turn the feature",
                    "Multiply its activation everywhere in the prompt (0 takes it away), or add to it to steer.",
                    drawn("featureturned", slot="features_turned"),
                    slot="features_turned",
                    controls=choice("way", list(WAYS.items()), "What the slider does"),
                    more="What the dictionary misses stays as it was. The dots are the same change of other features "
                    "that are active about as often: an effect among them is no evidence for this feature.",
                ),
            ],
            className="columns",
        ),
        panel(
            "What the heads' features do",
            "For every head of the layer, the families of the ten features that it writes the largest share of.",
            drawn("featureroles", slot="features_roles"),
            slot="features_roles",
            more="Click a head to select it. A feature is a head's by its share of the decoder row. Its family follows "
            "from where its sources stand in its top contexts: induction, previous, duplicate, first or current token, "
            "near or far. A head counts as monosemantic if at least three of its features are active in the corpus and "
            "all of those are of one family.",
        ),
    ]


def _slots(view: View) -> tuple[str, ...]:
    return (
        "answer",
        "features_active",
        "features_sources",
        "features_turned",
        "features_effects",
        "features_card",
        "features_found",
        "features_roles",
    )


PAGE = Page("features", "Features", _layout, _slots)

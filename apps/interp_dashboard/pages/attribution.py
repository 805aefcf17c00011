"""Attribution: which tokens made the model say this, by several methods, and where each method's relevance went."""

from typing import Any

from dash import html

from interp_dashboard.components import choice, drawn, panel
from interp_dashboard.methods import chosen
from interp_dashboard.pages.page import Page
from interp_dashboard.state import LEDGERS, View


def _layout() -> list[Any]:
    return [
        panel(
            "Which tokens speak for the answer",
            "Purple tokens speak for the answer, orange ones against it, as each method has it. Hover a token for its "
            "numbers; click it, or use the arrow keys, to keep it.",
            drawn("strips", slot="compared"),
            slot="compared",
            controls=drawn("methods"),
            more="Methods measure in different units and on different scales, so every strip is coloured up to its own "
            "largest value. Beside each stands its account: what its tokens hold, what the model's parts absorbed on "
            "the way, and the remainder that the method cannot explain, which together are the target. Many models "
            "rest their attention on the first token; the share that a method gives it is shown and never hidden.",
        ),
        panel(
            "Where the methods disagree",
            "The stronger its colour, the further apart are the shares of relevance that the methods give a token.",
            drawn("disagreement", slot="compared"),
            slot="compared",
            exports=False,
            measured="share of relevance: a token's relevance over the sum of all |relevance| of its method",
            more="The colour is the distance between the largest and the smallest share that a token gets. The table "
            "holds Spearman's rank correlation of the tokens' relevance: 1 is the same order, 0 none, −1 the reverse.",
        ),
        drawn("within"),
        html.Div(
            [
                panel(
                    "The ledger",
                    "From what the tokens hold to the target: what each part of the model absorbed on the way.",
                    drawn("waterfall", slot="insides"),
                    slot="insides",
                    variant="ledger",
                    controls=choice("ledger", list(LEDGERS.items()), "Group the ledger"),
                    more="A bar to the right would have to be added to the tokens to reach the target. A method that "
                    "conserves relevance has no such bars; what a method cannot explain is its remainder. Hover a bar "
                    "for the largest of what it sums up.",
                ),
                panel(
                    "Does it hold? Removing tokens",
                    "The answer's lead as tokens are taken away, most relevant first and least relevant first, beside "
                    "random orders.",
                    drawn("removal", slot="deletion"),
                    slot="deletion",
                    more="If the method is right, the answer falls fast when its most relevant tokens go first and "
                    "late when its least relevant ones do; the band is the 95 % interval of random orders, which a "
                    "method has to beat. The token where the answer is read stays.",
                ),
            ],
            className="columns",
        ),
        panel(
            "Relevance of the heads",
            "What each head's weighted values carry, summed over positions. Click a head to select it; the arrow keys "
            "move the selection.",
            drawn("mosaic", slot="insides", field="heads", saying="relevance"),
            slot="insides",
            variant="heads",
            more="The selection is the one of every page: the inspector shows the head's effect when it is really "
            "replaced, which relevance only estimates.",
        ),
        panel(
            "Relevance of the residual stream",
            "Each row is the stream after one layer, the last on top: how the relevance moves from the answer's "
            "position back to the tokens.",
            drawn("stream", slot="insides"),
            slot="insides",
            variant="stream",
            more="Read from the top: at the last layer all relevance sits where the answer is read; each layer below "
            "says where that came from. Colours run to the largest value of all layers. Click a column to select its "
            "position.",
        ),
    ]


def _slots(view: View) -> tuple[str, ...]:
    return ("answer", "compared", *(f"relevance {name}" for name in chosen(view)), "insides", "deletion")


PAGE = Page("attribution", "Attribution", _layout, _slots)

"""Attribution: which tokens made the model say this, by several methods, and where each method's relevance went."""

from dataclasses import replace
from typing import Annotated, Any

import pandas as pd
from dash import html
from pydantic.dataclasses import dataclass

from interp import views
from interp.core.result import Result
from interp.models.hooked import HookedModel
from interp_dashboard.contents import Content
from interp_dashboard.legacy import slot
from interp_dashboard.page import Page
from interp_dashboard.pages.attribution import payloads
from interp_dashboard.pages.attribution.asks import DELETION, RELEVANCE
from interp_dashboard.pages.attribution.methods import METHODS, chosen, first_methods, selected
from interp_dashboard.shell.panels import choice, drawn, panel
from interp_dashboard.state import Choice, Listed, View, one_of, suits

LEDGERS = {"term": "by term", "layer": "by layer"}


@dataclass(frozen=True)
class Attribution(View):
    """Which methods are compared (none: those that suit the model), and which one is looked into ("": the first)."""

    methods: Annotated[tuple[str, ...], Listed(suits(lambda model, name: name in METHODS, "is not a method"))] = ()
    method: Annotated[str, one_of(lambda model: METHODS)] = ""
    ledger: Annotated[str, Choice(LEDGERS)] = "term"


ASKED = ("clean", "answer", "contrast")


def _suit(model: HookedModel, view: Attribution) -> Attribution:
    return replace(view, methods=view.methods or first_methods(model))


def _about(model: HookedModel) -> dict[str, Any]:
    return {"methods": [{"name": name, "obstacle": spec.obstacle(model) or ""} for name, spec in METHODS.items()]}


def _compared_figure(results: Any, theme: str) -> Any:
    if len(results) > 1:
        return views.compare_relevance(results, theme=theme)
    return views.figure(*results.values(), theme=theme)


def _compared_table(results: dict[str, Result]) -> Any:
    frames = [result.to_frame().assign(method=name) for name, result in results.items()]
    return pd.concat(frames)[["method", *frames[0].columns.drop("method")]]


def _inside(view: Attribution) -> Any:
    name = selected(view)
    return RELEVANCE[name] if name else None


def _of_ledger(result: Result, view: Any) -> Any:
    return result.to_frame("ledger")


def _part(name: str, show: str) -> Content:
    """The files of one part of the insides."""
    return slot(
        name, _inside, lambda result, view: {"measured": result.measured, "sign": result.sign},
        (*ASKED, "methods", "method"), figure=lambda result, view, theme: views.figure(result, show=show, theme=theme),
        table=lambda result, view: result.to_frame(show if show in result.tables else None),
    )  # fmt: skip


COMPARED = Content(
    "compared",
    lambda view: {name: RELEVANCE[name] for name in chosen(view)},
    lambda results: {
        "measured": "relevance of each token, coloured in parts of each method's own largest value",
        "sign": "purple: the token speaks for the answer; orange: against it",
    },
    figure=_compared_figure,
    table=_compared_table,
    hint="No method supports this model.",
)
INSIDES = slot(
    "insides", _inside, payloads.insides, (*ASKED, "methods", "method", "ledger"),
    figure=lambda result, view, theme: views.figure(result, show="ledger", by=view.ledger, theme=theme),
    table=_of_ledger, hint="Choose a method above.",
)  # fmt: skip
INSIDE_HEADS, INSIDE_STREAM = _part("insides_heads", "heads"), _part("insides_stream", "stream")
DELETED = slot(
    "deletion", lambda view: DELETION[name] if (name := selected(view)) else None, payloads.deletion,
    (*ASKED, "methods", "method"), hint="Choose a method above.",
)  # fmt: skip


def _method(name: str) -> Content:
    return slot(
        f"relevance {name}", lambda view: RELEVANCE[name] if name in chosen(view) else None, payloads.relevance, ASKED
    )


RELEVANCES = {name: _method(name) for name in METHODS}


def _layout() -> list[Any]:
    return [
        panel(
            COMPARED,
            "Which tokens speak for the answer",
            "Purple tokens speak for the answer, orange ones against it, as each method has it. Hover a token for its "
            "numbers; click it, or use the arrow keys, to keep it.",
            drawn("strips", COMPARED, follows="status"),
            controls=drawn("methods"),
            more="Methods measure in different units and on different scales, so every strip is coloured up to its own "
            "largest value. Beside each stands its account: what its tokens hold, what the model's parts absorbed on "
            "the way, and the remainder that the method cannot explain, which together are the target. Many models "
            "rest their attention on the first token; the share that a method gives it is shown and never hidden.",
        ),
        panel(
            COMPARED,
            "Where the methods disagree",
            "The stronger its colour, the further apart are the shares of relevance that the methods give a token.",
            drawn("disagreement", COMPARED),
            exports=False,
            measured="share of relevance: a token's relevance over the sum of all |relevance| of its method",
            more="The colour is the distance between the largest and the smallest share that a token gets. The table "
            "holds Spearman's rank correlation of the tokens' relevance: 1 is the same order, 0 none, −1 the reverse.",
        ),
        drawn("within"),
        html.Div(
            [
                panel(
                    INSIDES,
                    "The ledger",
                    "From what the tokens hold to the target: what each part of the model absorbed on the way.",
                    drawn("waterfall", INSIDES),
                    controls=choice(Attribution, "ledger", "Group the ledger"),
                    more="A bar to the right would have to be added to the tokens to reach the target. A method that "
                    "conserves relevance has no such bars; what a method cannot explain is its remainder. Hover a bar "
                    "for the largest of what it sums up.",
                ),
                panel(
                    DELETED,
                    "Does it hold? Removing tokens",
                    "The answer's lead as tokens are taken away, most relevant first and least relevant first, beside "
                    "random orders.",
                    drawn("removal", DELETED),
                    more="If the method is right, the answer falls fast when its most relevant tokens go first and "
                    "late when its least relevant ones do; the band is the 95 % interval of random orders, which a "
                    "method has to beat. The token where the answer is read stays.",
                ),
            ],
            className="columns",
        ),
        panel(
            INSIDE_HEADS,
            "Relevance of the heads",
            "What each head's weighted values carry, summed over positions. Click a head to select it; the arrow keys "
            "move the selection.",
            drawn("mosaic", INSIDES, field="heads"),
            more="The selection is the one of every page: the inspector shows the head's effect when it is really "
            "replaced, which relevance only estimates.",
        ),
        panel(
            INSIDE_STREAM,
            "Relevance of the residual stream",
            "Each row is the stream after one layer, the last on top: how the relevance moves from the answer's "
            "position back to the tokens.",
            drawn("stream", INSIDES),
            more="Read from the top: at the last layer all relevance sits where the answer is read; each layer below "
            "says where that came from. Colours run to the largest value of all layers. Click a column to select its "
            "position.",
        ),
    ]


PAGE = Page(
    "attribution", "Attribution", _layout,
    (COMPARED, *RELEVANCES.values(), INSIDES, INSIDE_HEADS, INSIDE_STREAM, DELETED),
    Attribution, _suit, _about, home=__file__,
)  # fmt: skip

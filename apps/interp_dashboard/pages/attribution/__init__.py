"""Attribution: which tokens the prediction rests on, according to several methods, and where each method's relevance
goes."""

from typing import Any

from dash import html

from interp import views
from interp.core.errors import ResultError
from interp.core.result import Result
from interp.core.variables import FOR
from interp.models.hooked import HookedModel
from interp.views.theme import SIDES
from interp_dashboard.asking import Ask
from interp_dashboard.contents import Content
from interp_dashboard.packing import encode_floats, meaning, numbers
from interp_dashboard.page import Page
from interp_dashboard.pages.attribution.state import DELETION, METHODS, RELEVANCE, Attribution, suit
from interp_dashboard.shell.panels import canvas, choice, panel

INSIDE = "Choose a method above."


def _about(model: HookedModel) -> dict[str, Any]:
    return {"methods": [{"name": name, "obstacle": spec.obstacle(model) or ""} for name, spec in METHODS.items()]}


def _comparison(view: Attribution) -> dict[str, Ask[Attribution]]:
    return {name: RELEVANCE[name] for name in view.compared_methods}


def _relevance(result: Result) -> dict[str, Any]:
    """One method's tokens and what they add up to."""
    data = result.data.isel(batch=0)
    ledger = data["ledger"].values
    sums = {name: float(data[name]) for name in ("total", "remainder", "first_token_share")}
    sums |= {"tokens": float(ledger[0]), "absorbed": float(ledger[1:-1].sum())}
    return {"values": encode_floats(data["relevance"].values)} | sums | meaning(result, "relevance")


def _heads(result: Result, show: str) -> dict[str, Any]:
    name = result.provenance.engine
    if show not in result.data:
        raise ResultError(f"{name} has no latent relevance: it does not attribute to heads.")
    values = numbers(views.head_grid(result).values)
    return {"values": values, "kind": "diverging", "saying": f"relevance, {name}"} | meaning(result, "heads")


def _inside(view: Attribution) -> Ask[Attribution] | None:
    return RELEVANCE.get(view.inside)


COMPARED = Content(
    "compared",
    _comparison,
    lambda results: {
        "measured": "relevance of each token, coloured relative to each method's own maximum",
        "sign": SIDES[FOR],
    },
    figure=views.compare_relevance,
    hint="No method supports this model.",
)
DISAGREEMENT = Content(
    "disagreement",
    lambda view: _comparison(view) if len(view.compared_methods) > 1 else None,
    figure=views.disagreement,
    table=views.disagreement_table,
    least=2,
    hint="Choose a second method to compare with.",
)
LEDGER = Content("insides", _inside, choice=lambda model, view: {"show": "ledger", "by": view.ledger}, hint=INSIDE)
HEADS = Content("insides_heads", _inside, _heads, choice=lambda model, view: {"show": "heads"}, hint=INSIDE)
STREAM = Content("insides_stream", _inside, choice=lambda model, view: {"show": "stream"}, hint=INSIDE)
DELETED = Content(
    "deletion", lambda view: DELETION.get(view.inside), choice=lambda model, view: {"method": view.inside}, hint=INSIDE
)
RELEVANCES = [
    Content(f"relevance {name}", lambda view, name=name: _comparison(view).get(name), _relevance) for name in METHODS
]


def _compare() -> list[Any]:
    return [
        panel(
            COMPARED,
            "Which tokens support the answer",
            "Purple tokens support the answer and orange ones work against it, according to each method. Hover over a "
            "token for its values; click it, or use the arrow keys, to select it.",
            canvas("strips", COMPARED, follows="status"),
            controls=canvas("methods"),
            more="Methods use different units and scales, so every strip is coloured relative to its own maximum. "
            "Its totals are shown alongside: the relevance of the tokens, the relevance absorbed by the "
            "model's components, and the remainder that the method leaves unexplained; together they equal the "
            "target. Many models use the first token as an attention sink; the share that a method assigns to "
            "it is always shown. Methods that follow attention alone, such as rollout, have no sign: their "
            "strips are blue.",
        ),
        panel(
            DISAGREEMENT,
            "Where the methods disagree most",
            "The higher its bar, the further apart are the shares of relevance that the methods give a token. Click a "
            "token to select it.",
            click={"query": "x"},
            more="A share is a token's relevance over the sum of all |relevance| of its method; the bar is the "
            "distance between the largest and the smallest share. At the right, Spearman's rank correlation of the "
            "tokens' relevance: 1 is the same order, 0 none, −1 the reverse.",
        ),
    ]


def _inside_one() -> list[Any]:
    return [
        canvas("within"),
        html.Div(
            [
                panel(
                    LEDGER,
                    "The ledger",
                    "From what the tokens hold to the target: what each part of the model absorbed on the way.",
                    controls=choice(Attribution, "ledger", "Group the ledger"),
                    more="A bar to the right would have to be added to the tokens to reach the target. A method that "
                    "conserves relevance has no such bars; what a method cannot explain is its remainder.",
                ),
                panel(
                    DELETED,
                    "Deletion test",
                    "The answer's lead as tokens are deleted, most relevant first and least relevant first, compared "
                    "with random orders.",
                    more="If a method is faithful, deleting the most relevant tokens first lowers the metric "
                    "quickly, and deleting the least relevant first lowers it late. The band is the 95 % "
                    "interval of random orders, which a method has to beat. The token at which the answer is "
                    "read is never deleted.",
                ),
            ],
            className="columns",
        ),
        panel(
            HEADS,
            "Relevance of the heads",
            "Relevance of each head's output (its weighted values), summed over positions. Click a head to select "
            "it; the arrow keys move the selection.",
            canvas("mosaic", HEADS),
            more="The selection is shared by all pages. The inspector shows the measured effect of patching the "
            "head, which relevance only estimates.",
        ),
        panel(
            STREAM,
            "Relevance of the residual stream",
            "Each row is the residual stream after one layer, with the last layer on top: how relevance moves from "
            "the answer position back to the tokens. Click a column to select its position.",
            click={"query": "x"},
            more="Read from the top: at the last layer all relevance is at the answer position; each layer below "
            "shows where it came from. All layers share one colour scale.",
        ),
    ]


PAGE = Page(
    "attribution",
    "Attribution",
    lambda: [*_compare(), *_inside_one()],
    (COMPARED, *RELEVANCES, DISAGREEMENT, LEDGER, HEADS, STREAM, DELETED),
    Attribution,
    suit,
    _about,
    home=__file__,
)

"""Heads: every head on one canvas, and the selected one in detail."""

from functools import singledispatch
from typing import Annotated, Any

from dash import html
from pydantic.dataclasses import dataclass

from interp import circuits, groundtruth, readout, views
from interp.core.result import Result
from interp.engines import is_packaged, precomputed
from interp.kinds import Contributions, Effects, HeadCards, HeadScores
from interp.models.hooked import HookedModel
from interp_dashboard.asking import Ask, Packaged
from interp_dashboard.contents import Content
from interp_dashboard.packing import encode, meaning, numbers
from interp_dashboard.page import Page
from interp_dashboard.shell.answers import (
    ATTENTION,
    LINES,
    PATCHED,
    PATTERN,
    effects,
    heads,
    is_long,
    patching,
    thumbnails,
)
from interp_dashboard.shell.neurons import neurons, neurons_panel
from interp_dashboard.shell.panels import canvas, choice, panel, section
from interp_dashboard.state import Choice, View

WINDOWS = 32  # of the corpus that head cards are of
LISTED = 3  # tokens of a card in the inspector
THUMB = 32  # cells along one side of a head's thumbnail
SCORES = {
    "induction": "induction",
    "previous_token": "previous token",
    "duplicate_token": "duplicate token",
    "first_token": "first token",
}
COLOURS = {
    "resample": "effect of resampling",
    "zero": "effect of zeroing",
    "direct": "direct effect",
    "pattern": "pattern",
} | SCORES


@dataclass(frozen=True)
class Heads(View):
    """What the heads are coloured by."""

    colour: Annotated[str, Choice(COLOURS, {"resample": "corrupted"})] = "resample"


def _query_key(model: HookedModel, view: Heads) -> dict[str, Any] | None:
    if view.selected is None:
        return None
    return view.prompt | view.selected | {"query_pos": -1 if view.query is None else view.query}


def _selector(model: HookedModel, view: View) -> dict[str, Any] | None:
    """The selected head's arguments, where it carries a selector of the program."""
    if view.selected is None or "selectors" not in groundtruth.known(model):
        return None
    name = f"a{view.layer}.{view.head}"
    return view.prompt | view.selected if name in groundtruth.selectors(model) else None


def _card(model: HookedModel, view: View) -> dict[str, Any] | None:
    return None if view.selected is None else {"windows": WINDOWS}


CARDS = Packaged("head-cards", _card, passes=2)
SELECTIONS = Ask(groundtruth.selections, _selector, "reading the selector")
ZERO = Ask(
    circuits.activation_patching,
    lambda model, view: view.question | patching("z", "zero"),
    "zeroing every head",
    heads,
)
DIRECT = Ask(readout.direct_logit_attribution, lambda model, view: view.question, "decomposing the logits")
SCORED = Ask(readout.head_scores, lambda model, view: {}, "scoring every head")
SPLIT = Ask(readout.query_key, _query_key, "decomposing the attention score")
SHOWN = {"direct": {"show": "heads"}}
ASKS = {"resample": PATCHED, "zero": ZERO, "direct": DIRECT, "pattern": None}


@singledispatch
def _colours(result: Result, **choice: str) -> dict[str, Any]:
    """One number a head, as the mosaic draws it."""
    raise TypeError(f"{type(result).__name__} has no number for each head")


_colours.register(Effects, effects)


@_colours.register
def _direct(result: Contributions, show: str) -> dict[str, Any]:
    grid = views.head_grid(result)
    return {"values": numbers(grid.values), "saying": grid.name, "kind": "diverging"} | meaning(result, "contribution")


@_colours.register
def _scores(result: HeadScores, score: str) -> dict[str, Any]:
    means = result.values(score).mean("batch", skipna=True)
    count = result.data.sizes["batch"]
    measured = f"mean attention to the {SCORES[score]} position, over {count} repeated random sequences"
    meaning_of_score = meaning(result, score) | {"measured": measured, "sign": ""}
    return {"values": numbers(means), "saying": SCORES[score], "kind": "sequential"} | meaning_of_score


def _thumbs(result: Result, show: str) -> dict[str, Any]:
    small = views.pooled(result.values("attention").isel(batch=0).values, THUMB)
    layers, count, side, _ = small.shape
    sizes = {"layers": layers, "heads": count, "side": side, "data": encode(small, "uint8")}
    return sizes | {"saying": "pattern", "kind": "sequential"} | meaning(result, "attention")


HEADS = Content(
    "heads",
    lambda view: ASKS.get(view.colour, SCORED),
    _colours,
    choice=lambda model, view: {"score": view.colour} if view.colour in SCORES else SHOWN.get(view.colour, {}),
)
THUMBS = Content("thumbs", lambda view: None if is_long(view) else ATTENTION, _thumbs, thumbnails)
QUERY_KEY = Content("query_key", SPLIT, hint="Select a head above.")
SELECTOR = Content("selector", SELECTIONS, hint="The selected head carries no selector of the program.")
CARD = Content(
    "head_card",
    CARDS,
    choice=lambda model, view: {"show": "card", **(view.selected or {})},
    hint="Select a head above.",
)
NEURONS = neurons("neurons", lambda view: view.layer, "Select a head above: its layer's MLP is shown.")


def _about(model: HookedModel) -> dict[str, Any]:
    """What each head of a compiled model reads, selects and writes, for the inspector; the text of a learned one."""
    known = groundtruth.known(model)
    text, lines = groundtruth.source(model) if "lines" in known else ("", {})
    variables = groundtruth.heads(model) if "selectors" in known else {}
    return {"variables": variables, "program": [text, lines], "cards": _brief_cards(model)}


def _brief_cards(model: HookedModel) -> list[list[dict[str, Any]]]:
    """Each head's card in a few words, for the inspector; nothing where cards do not come with the package."""
    if not is_packaged(model, "head-cards"):
        return []
    return _briefly(precomputed(model, "head-cards", windows=WINDOWS))  # pyright: ignore[reportArgumentType]


def _briefly(result: HeadCards) -> list[list[dict[str, Any]]]:
    data = result.data
    keys, queries = (data[name].values[..., :LISTED].tolist() for name in ("key_token", "query_token"))
    first, distance = (numbers(data[name], 3) for name in ("first", "distance_mean"))
    layers, heads = data.sizes["layer"], data.sizes["head"]
    return [
        [
            {
                "at": [token for token in keys[layer][head] if token],
                "from": [token for token in queries[layer][head] if token],
                "first": first[layer][head],
                "distance": distance[layer][head],
            }
            for head in range(heads)
        ]
        for layer in range(layers)
    ]


def _patterns() -> Any:
    return html.Div(
        [
            panel(
                PATTERN,
                "Attention pattern",
                "Rows are queries, columns are keys: how much each token attends to each earlier one.",
                canvas("pattern", PATTERN),
                more="Every row sums to one. Hover for values; click a cell to select its query and key.",
            ),
            panel(
                SELECTOR,
                "Selector of the program",
                "Which keys each query selects by the selector that the selected head carries: its pattern has to "
                "be this, in equal shares.",
                more="The variables that the selector compares are read off the residual stream into the head's "
                "layer. Where a query selects nothing, the head attends to BOS; where the keys selected are "
                "counted, to BOS as well, so that its share tells how many they are.",
                click={"query": "y", "key": "x"},
                only="selectors",
            ),
            panel(
                LINES,
                "Token to token",
                "The same pattern as lines from each query token to the keys it attends to.",
                canvas("lines", LINES),
                more="The selected query is highlighted. Click a token on the left to select another query, or "
                "one on the right to select a key.",
            ),
        ],
        className="columns",
    )


def _program() -> Any:
    return section(
        "The program",
        "What this model was learned as. Each marked line is what one head or MLP computes: click it to select the "
        "head, or to see the MLP in the circuit.",
        canvas("program"),
        more="The text was read off the trained weights, and gives what the model gives on every input. The lines "
        "of the selected head are highlighted.",
        only="lines",
    )


def _layout() -> list[Any]:
    return [
        panel(
            HEADS,
            "All heads",
            "Each cell is one head, with the ten strongest listed alongside. Click one to inspect it; the arrow keys "
            "move the selection.",
            html.Div([canvas("topheads", HEADS), canvas("mosaic", HEADS)], className="ranked"),
            controls=choice(Heads, "colour", "Colour the heads by"),
            more="Purple heads support the answer, orange ones work against it: an effect of replacing a head is "
            "negative where the head supports, a direct effect positive. Effects are interventions on this prompt. "
            "The direct effect is the head's direct logit "
            "attribution: its output projected onto answer − contrast, with the final norm held fixed; it "
            "ignores what later components do with it. Induction, previous-token, duplicate-token and "
            "first-token scores are mean attention to those positions on repeated random tokens, and do not "
            "depend on this prompt.",
        ),
        _patterns(),
        _program(),
        panel(
            CARD,
            "What the head looks at in text",
            "The tokens that the selected head attends to and from, how far back, and its strongest places in a text.",
            more="Over windows of the standard library's documentation. Attention on the first position, where many "
            "heads rest, is left out: shares are of the rest. Tokens are ranked by what they add to the divergence "
            "from uniform attention (dotted).",
        ),
        panel(
            QUERY_KEY,
            "Query · key, dimension by dimension",
            "How the selected query and its keys produce the attention scores. Click a key to select it.",
            click={"key": "y"},
            more="Queries and keys are shown as they are multiplied: after rotary embedding, where the model uses "
            "it. The products over all dimensions add up to the attention score; a softmax over the keys gives "
            "the attention pattern.",
        ),
        neurons_panel(NEURONS, "the selected head's layer"),
    ]


# The thumbnails wait in the browser for their click.
PAGE = Page(
    "heads",
    "Heads",
    _layout,
    (PATTERN, LINES, HEADS, SELECTOR, CARD, QUERY_KEY, NEURONS, THUMBS),
    Heads,
    about=_about,
    home=__file__,
    invitation="See its pattern",
)

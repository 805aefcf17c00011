"""Heads: every head on one canvas, and the selected one in detail."""

from typing import Any

from dash import html

from interp_dashboard.components import choice, drawn, panel
from interp_dashboard.pages.page import Page
from interp_dashboard.state import COLOURS, View


def _layout() -> list[Any]:
    return [
        panel(
            "All heads",
            "Each cell is one head. Click one to inspect it; the arrow keys move the selection.",
            drawn("mosaic", slot="heads", switch="yes"),
            slot="heads",
            controls=choice("colour", list(COLOURS.items()), "Colour the heads by"),
            more="Effects are interventions on this prompt. The direct effect is what a head writes along answer − "
            "contrast, with the final norm held fixed; it misses what later heads do with it. Induction, previous "
            "token, duplicate token and first token are mean attention to those places, on repeated random tokens "
            "and so independent of this prompt.",
        ),
        html.Div(
            [
                panel(
                    "Attention pattern",
                    "Rows are queries, columns keys: how much each token attends to each earlier one.",
                    drawn("pattern", slot="pattern"),
                    slot="pattern",
                    more="Every row sums to one. Hover for values, click a cell to select its query and key.",
                ),
                panel(
                    "Token to token",
                    "The same pattern as lines, from the token that looks to the token looked at.",
                    drawn("lines", slot="pattern"),
                    slot="pattern",
                    more="The selected query is drawn in full colour. Click a token on the left to select another "
                    "query, on the right to select a key.",
                ),
            ],
            className="columns",
        ),
        panel(
            "Query · key",
            "How the selected query and key come to their score, dimension by dimension.",
            drawn("querykey", slot="query_key"),
            slot="query_key",
            more="Queries and keys are taken as they are multiplied: after rotary rotation, where the model rotates. "
            "The products of all dimensions add up to the attention score; the softmax over the keys gives the "
            "attention.",
        ),
    ]


def _slots(view: View) -> tuple[str, ...]:
    mosaic = () if view.colour == "pattern" else ("heads",)
    return (
        "answer",
        "pattern",
        *mosaic,
        "query_key",
        "thumbs",
    )  # the small patterns wait in the browser for their click


PAGE = Page("heads", "Heads", _layout, _slots)

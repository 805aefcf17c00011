"""What the browser receives of features where it draws by itself: the prompt's, what a search finds, one card."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from interp import views
from interp.core.nodes import Node
from interp.core.result import Result
from interp.dictionaries import Cards
from interp.kinds import FeatureActivations, FeatureCards, FeatureEffects
from interp.views.feature_activations import strongest
from interp_dashboard.asking import literal
from interp_dashboard.packing import encode_floats, meaning, numbers
from interp_dashboard.pages.features.state import BANDS, Features

LISTED = 100  # features of a search
OPEN = 'cards = interp.dictionaries.Cards.open(result.data.attrs["folder"])\n'
Search = Mapping[str, Any]  # arguments of `Cards.search`


def active(result: FeatureActivations) -> dict[str, Any]:
    """The prompt's strongest features, position by position."""
    data = result.data.isel(batch=0)
    positions = np.flatnonzero(data["token"].values != "")
    names, values = strongest(result, 0, positions)
    return {
        "names": names,
        "values": encode_floats(values),
        "width": len(positions),
        "active": data["active"].values[positions].tolist(),
        "error": numbers(data["error"].values[positions], 4),
        "dictionary": data.attrs["dictionary"],
        "site": data.attrs["site"],
    } | meaning(result, "activation")


def first(result: FeatureEffects) -> dict[str, Any]:
    """Of the features that are active on the prompt, the one that matters most to the answer; None if none is."""
    active = np.nan_to_num(result.values("clean").values[0]).any(-1)
    names = result.values("node").values[0][active]
    return {"feature": Node.of(str(names[0])).index if len(names) else None} | meaning(result, "effect")


# Searching the cards


def search(view: Features) -> dict[str, Any]:
    """What the view searches for, and the head whose features are meant: none where those of all heads are."""
    filters = ({"token": view.token} if view.token else {}) | BANDS[view.density][1]
    mine = (view.selected or {"layer": -1, "head": -1}) if view.own == "head" else None
    return {"search": filters | {"order": view.sorting, "limit": LISTED}, "of": mine}


def search_table(result: FeatureCards, search: Search, of: Mapping[str, int] | None) -> pd.DataFrame:
    """The short rows of what is searched; none where a head of another layer is meant."""
    cards = cards_of(result)
    if of is None:
        return cards.search(**search)
    table = cards.search(**search, head=of["head"])
    return table.iloc[:0] if _elsewhere(result, of) else table


def search_figure(result: FeatureCards, search: Search, of: Mapping[str, int] | None, theme: str) -> go.Figure:
    """What is found, as bars."""
    return views.features_found(result, search_table(result, search, of), order=search["order"], theme=theme)


def search_python(result: FeatureCards, search: Search, of: Mapping[str, int] | None) -> str:
    """How to search the cards in the same way."""
    filters = dict(search) | ({} if of is None else {"head": of["head"]})
    none = ".iloc[:0]" if _elsewhere(result, of) else ""
    arguments = ", ".join(f"{name}={literal(value)}" for name, value in filters.items())
    figure = f"interp.views.features_found(result, table, order={literal(search['order'])})"
    return f"{OPEN}table = cards.search({arguments}){none}\nfigure = {figure}\n"


def search_payload(result: FeatureCards, search: Search, of: Mapping[str, int] | None) -> dict[str, Any]:
    """The features that a search gives, with what their cards say in short."""
    rows = [
        [
            row["feature"], row["density"], row["max"], row["top_token"], list(row.get("promoted", ()))[:3],
            row.get("head", -1), row.get("head_weight", 0.0),
        ]
        for row in _records(search_table(result, search, of))
    ]  # fmt: skip
    return {
        "rows": rows,
        "elsewhere": _layer(result) if _elsewhere(result, of) else None,
        "token": search.get("token", ""),
        "limit": LISTED,
        "covers": cards_of(result).covers,
        "sorting": search["order"],
    } | meaning(result, "density")


def _elsewhere(result: FeatureCards, of: Mapping[str, int] | None) -> bool:
    """Whether a head's features are meant that is not of the dictionary's layer."""
    return of is not None and of["layer"] != _layer(result)


# One card


def cards_of(result: FeatureCards) -> Cards:
    """The cards behind a result."""
    return Cards.open(result.data.attrs["folder"])


def card(result: FeatureCards, feature: int) -> dict[str, Any]:
    """What a feature's card says, and where it is active."""
    cards = cards_of(result)
    row: dict[str, Any] = cards.card(feature).to_dict()
    contexts = [
        {
            "kind": context["kind"], "value": context["value"], "at": context["pos"] - context["start"],
            "labels": list(context["labels"]), "values": numbers(context["values"], 4),
            "document": context["document"],
        }
        for context in _records(cards.contexts(feature))
    ]  # fmt: skip
    content: dict[str, Any] = {
        "feature": feature,
        "density": float(row["density"]),
        "dead": bool(row["dead"]),
        "max": None if row["dead"] else float(row["max"]),
        "mean": None if row["dead"] else float(row["mean"]),
        "contexts": contexts,
        "covers": cards.covers,
    }
    for side in ("promoted", "suppressed"):
        pairs = zip(row.get(side, ()), row.get(f"{side}_weight", ()), strict=True)
        content[side] = [[str(token), round(float(weight), 4)] for token, weight in pairs]
    return content | meaning(result, "density")


def card_figure(result: FeatureCards, feature: int, theme: str) -> go.Figure:
    """How strongly the feature is active how often, and which heads write it."""
    return views.feature_card(result, cards_of(result).card(feature).to_dict(), theme=theme)


def card_table(result: FeatureCards, feature: int) -> pd.DataFrame:
    """Where the feature is active, with the tokens around it and its value on each."""
    return cards_of(result).contexts(feature)


def shape_table(result: FeatureCards, feature: int) -> pd.DataFrame:
    """How strongly the feature is active how often, and which heads write it, in numbers."""
    return views.card_table(cards_of(result).card(feature).to_dict())


def shape_python(result: FeatureCards, feature: int) -> str:
    """How to draw the same card, and its numbers."""
    figure = "figure = interp.views.feature_card(result, card)\ntable = interp.views.card_table(card)\n"
    return f"{OPEN}card = cards.card({feature})\n{figure}"


def card_python(result: FeatureCards, feature: int) -> str:
    """How to read the same card and to draw it."""
    figure = f"interp.views.feature_card(result, cards.card({feature}))"
    return f"{OPEN}table = cards.contexts({feature})\nfigure = {figure}\n"


def _layer(result: Result) -> int:
    return int(result.data.attrs["layer"])


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as plain Python has them."""
    return table.to_dict("records")  # pyright: ignore[reportReturnType]

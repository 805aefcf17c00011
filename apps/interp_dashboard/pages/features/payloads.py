"""What the browser receives of features: the prompt's, one card, what was found, sources, effects, and heads' roles."""

from typing import Any, cast

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from interp import views
from interp.core.result import Result
from interp.dictionaries import Cards
from interp.kinds import FeatureActivations
from interp.views.feature_activations import strongest
from interp_dashboard.legacy import Question, literal
from interp_dashboard.packing import numbers, packed, said
from interp_dashboard.pages.features.asks import ACTIVE, CARDS, EFFECTS, ROLES, SOURCES, TURNED
from interp_dashboard.pages.features.state import Features

__all__ = ["ACTIVE", "CARDS", "EFFECTS", "ROLES"]

LISTED = 100  # features found
BANDS = {"dense": (0.1, None), "common": (0.01, 0.1), "rare": (0.001, 0.01), "rarest": (None, 0.001)}  # of DENSITIES
SEARCH = ("token", "sorting", "own", "density", "layer", "head")  # what a search depends on
SIDE = 12  # effects of features, and parts of a source, that are listed


def sources_question(view: Features) -> Question | None:
    """The chosen feature's sources."""
    return None if view.feature is None else SOURCES


def turned_question(view: Features) -> Question | None:
    """The answer with the chosen feature changed."""
    return None if view.feature is None else TURNED


def card_question(view: Features) -> Question | None:
    """The chosen feature's card."""
    return None if view.feature is None else CARDS


def active(result: Result, view: Features) -> dict[str, Any]:
    """The prompt's strongest features, position by position."""
    data = result.data.isel(batch=0)
    there = np.flatnonzero(data["token"].values != "")
    names, values = strongest(cast(FeatureActivations, result), 0, there)
    return {
        "names": names,
        "values": packed(values),
        "width": len(there),
        "active": data["active"].values[there].tolist(),
        "error": numbers(data["error"].values[there], 4),
        "dictionary": data.attrs["dictionary"],
        "site": data.attrs["site"],
    } | said(result, "activation")


def searched(view: Features) -> dict[str, Any]:
    """What `Cards.search` is asked for."""
    least, most = BANDS.get(view.density, (None, None))
    asked = {
        "token": view.token or None, "head": view.head if view.own == "head" else None,
        "min_density": least, "max_density": most,
    }  # fmt: skip
    return {name: value for name, value in asked.items() if value is not None} | {
        "order": view.sorting, "limit": LISTED
    }  # fmt: skip


def found_table(result: Result, view: Features) -> pd.DataFrame:
    """What the search finds; none where a head of another layer is meant."""
    table = Cards.open(result.data.attrs["folder"]).search(**searched(view))
    return table.iloc[:0] if _elsewhere(result, view) else table


def found_python(result: Result, view: Features) -> str:
    """How to search the cards in the same way; nothing where no search was made."""
    if _elsewhere(result, view):
        return ""
    asked = ", ".join(f"{name}={literal(value)}" for name, value in searched(view).items())
    return f'\ninterp.dictionaries.Cards.open(result.data.attrs["folder"]).search({asked})'


def card_python(result: Result, view: Features) -> str:
    """How to read the same card."""
    return (
        '\ncards = interp.dictionaries.Cards.open(result.data.attrs["folder"])'
        f"\ncards.card({view.feature})\ncards.contexts({view.feature})"
    )


def contexts_table(result: Result, view: Features) -> pd.DataFrame:
    """Where the chosen feature is active, with the text around it."""
    found = Cards.open(result.data.attrs["folder"]).contexts(view.feature or 0)
    return found.assign(text=["".join(labels) for labels in found["labels"]]).drop(columns=["labels", "values"])


def card_figure(result: Result, view: Features, theme: str) -> go.Figure:
    """The chosen feature's card as a figure."""
    card = Cards.open(result.data.attrs["folder"]).card(view.feature or 0)
    return views.feature_card(card.to_dict(), theme=theme)


def _elsewhere(result: Result, view: Features) -> bool:
    """Whether the features of the selected head are meant, and there is none in the dictionary's layer."""
    return view.own == "head" and (view.head is None or view.layer != _layer(result))


def found(result: Result, view: Features) -> dict[str, Any]:
    """The features that the search asks for, with what their cards say in short."""
    cards = Cards.open(result.data.attrs["folder"])
    rows = [
        [
            row["feature"], row["density"], row["max"], row["top_token"], list(row.get("promoted", ()))[:3],
            row.get("head", -1), row.get("head_weight", 0.0),
        ]
        for row in _records(found_table(result, view))
    ]  # fmt: skip
    asked = {"token": view.token, "limit": LISTED, "covers": cards.covers, "sorting": view.sorting}
    elsewhere = _layer(result) if _elsewhere(result, view) else None
    return {"rows": rows, "elsewhere": elsewhere} | asked | said(result, "density")


def card(result: Result, view: Features) -> dict[str, Any]:
    """Everything of the chosen feature's card."""
    cards = Cards.open(result.data.attrs["folder"])
    feature = view.feature or 0
    row: dict[str, Any] = cards.card(feature).to_dict()
    contexts = [
        {
            "kind": context["kind"], "quantile": None if context["kind"] == "top" else context["quantile"],
            "value": context["value"], "at": context["pos"] - context["start"], "labels": list(context["labels"]),
            "values": numbers(context["values"], 4), "document": context["document"],
        }
        for context in _records(cards.contexts(feature))
    ]  # fmt: skip
    content: dict[str, Any] = {
        "feature": feature,
        "density": float(row["density"]),
        "dead": bool(row["dead"]),
        "max": None if row["dead"] else float(row["max"]),
        "mean": None if row["dead"] else float(row["mean"]),
        "histogram": [int(count) for count in row["histogram"]],
        "contexts": contexts,
        "covers": cards.covers,
        "layer": _layer(result),
        "head_weights": numbers(row["head_weights"], 4) if "head_weights" in row else [],
    }
    for side in ("promoted", "suppressed"):
        pairs = zip(row.get(side, ()), row.get(f"{side}_weight", ()), strict=True)
        content[side] = [[str(token), round(float(weight), 4)] for token, weight in pairs]
    return content | said(result, "density")


def sources(result: Result, view: Features) -> dict[str, Any]:
    """What every source and head brings to the chosen feature, and what had brought it there."""
    data = result.data.isel(batch=0)
    there = np.flatnonzero(data["key_token"].values != "")
    totals = {name: float(data[name]) for name in ("preactivation", "activation", "bias", "remainder")}
    content: dict[str, Any] = {name: int(data[name]) for name in ("feature", "position")}
    content |= {"layer": _layer(result), "parts": [], "unexplained": None, "source": None}
    if "part" in data:
        part, left = data["part"], data["part_remainder"]
        if view.key is not None and view.key < len(there):
            part, left = part.isel(key_pos=[view.key]), left.isel(key_pos=[view.key])
            content["source"] = view.key
        sums = part.sum(("key_pos", "head")).values
        order = np.argsort(-np.abs(sums), kind="stable")
        shown, rest = order[:SIDE], order[SIDE:]
        content["parts"] = [[str(data["part_name"].values[i]), float(sums[i])] for i in shown]
        content["parts"] += [[f"{len(rest)} others", float(sums[rest].sum())]] if len(rest) else []
        content["parts"] += [["remainder", float(left.sum())]]
        content["unexplained"] = float(data["unexplained"])
    return content | {"dfa": numbers(data["dfa"].values[there], 5)} | totals | said(result, "dfa")


def effects(result: Result, view: Features) -> dict[str, Any]:
    """The features whose replacement would move the answer most, and what they add up to."""
    data = result.data.isel(batch=0)
    rows = [
        [str(name), int(str(name).rpartition(".")[2]), float(effect)]
        for name, effect in zip(data["node"].values, data["effect"].values, strict=True)
        if str(name) and np.isfinite(effect)
    ]
    totals = {name: float(data[name]) for name in ("total", "error", "rest", "patched")}
    totals["rest"] += sum(effect for _, _, effect in rows[SIDE:])
    return {"rows": rows[:SIDE]} | totals | said(result, "effect")


def turned(result: Result, view: Features) -> dict[str, Any]:
    """The answer before and after the chosen feature is changed, beside other features."""
    data = result.data.isel(batch=0)
    content: dict[str, Any] = {name: float(data[name]) for name in ("clean", "edited", "effect")}
    content |= {name: numbers(data[name].values[None])[0] for name in ("density", "as_strong", "activation")}
    content |= {"control": numbers(data["control"].values)}
    content["others"] = [str(name) for name in data["control_feature"].values]
    for side in ("clean", "edited"):
        pairs = zip(data[f"{side}_token"].values.tolist(), data[f"{side}_prob"].values.tolist(), strict=True)
        content[f"{side}_top"] = [list(pair) for pair in pairs][:5]
    return content | {"feature": view.feature, "turn": view.turn, "way": view.way} | said(result, "effect")


def roles(result: Result, view: Features) -> dict[str, Any]:
    """The families of the features that each head writes the largest share of."""
    data = result.data
    one, alive = data["monosemantic"].values, data["alive"].values
    heads = [
        {
            "head": int(head),
            "shares": [float(share) if np.isfinite(share) else 0.0 for share in data["share"].values[row]],
            "alive": int(alive[row]),
            "one": bool(one[row] == 1),
            "features": [int(feature) for feature in data["feature"].values[row] if feature >= 0][:8],
        }
        for row, head in enumerate(data["head"].values)
    ]
    families = [str(name) for name in data["component"].values]
    return {"heads": heads, "families": families, "layer": _layer(result)} | said(result, "share")


def _layer(result: Result) -> int:
    """The layer of `z[20]`."""
    return int(result.data.attrs["site"].partition("[")[2].rstrip("]"))


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as plain Python has them."""
    return table.to_dict("records")  # pyright: ignore[reportReturnType]

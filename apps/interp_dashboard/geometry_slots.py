"""What the browser receives of the geometry: shares by layer, curves and maps of one layer, sums of heat maps."""

from typing import Any

import numpy as np

from interp.core.nodes import parse_node
from interp.core.result import Result
from interp_dashboard.geometry import CHANNEL, COMPOSITION, LINEARITY, POSITIONS, SIMILARITY, SPLIT, VARIANCE
from interp_dashboard.packing import numbers, packed, packed_signed, said
from interp_dashboard.questions import Question
from interp_dashboard.state import View

__all__ = ["COMPOSITION", "LINEARITY", "POSITIONS", "SIMILARITY", "VARIANCE"]

PARTS = ("mean", "position", "context", "residual")
MEASURES = (
    "stable_rank", "rank", "relative_norm", "low_frequency_share", "incoherence", "similarity_within",
    "similarity_between",
)  # fmt: skip
LISTED = 40  # channels
TERMS = ("position", "context", "residual", "score")


def split_question(view: View) -> Question | None:
    """The selected head's split."""
    return SPLIT if view.layer is not None and view.head is not None else None


def channel_question(view: View) -> Question | None:
    """The answer with the chosen channel changed."""
    return CHANNEL if view.channel else None


def energy(result: Result, view: View) -> dict[str, Any]:
    """Shares of the energy and the measures, layer by layer, each beside its shuffled control."""
    read, shuffled = (result.data.isel(arrangement=index) for index in (0, 1))
    shares = {part: numbers(read[f"{part}_share"].values) for part in PARTS}
    measures = {name: [numbers(side[name].values) for side in (read, shuffled)] for name in MEASURES}
    remainder = float(np.abs(read["remainder"].values).max())
    return {"shares": shares, "measures": measures, "remainder": remainder} | said(result, "position_share")


def depth_of(result: Result, view: View) -> int:
    """The layer whose curve and map are shown: the chosen one, or the middle."""
    last = result.data.sizes["layer"] - 1
    return last // 2 if view.depth is None else min(view.depth, last)


def curve(result: Result, view: View) -> dict[str, Any]:
    """One layer's position part on its principal directions, and the cosines between its positions."""
    depth = depth_of(result, view)
    data = result.data.isel(layer=depth)
    gram = data["gram"].values
    return {
        "depth": depth,
        "positions": data["pos"].values.tolist(),
        "curve": packed(data["curve"].values),
        "size": len(gram),
        "places": data["other_pos"].values.tolist(),
        "gram": packed_signed(gram),
        "measured": f"position part of the stream into layer {depth}, over windows of text",
        "sign": "",
        "unit": "",
    }


def context(result: Result, view: View) -> dict[str, Any]:
    """One layer's context part of some windows on its principal directions, with their topics."""
    depth = depth_of(result, view)
    data = result.data.isel(layer=depth)
    return {
        "depth": depth,
        "map": packed(data["map"].values),
        "topics": list(map(str, data["topic"].values)),
        "documents": list(map(str, data["document"].values)),
        "measured": f"context part of the stream into layer {depth}: each window's mean, less the mean of all",
        "sign": "",
        "unit": "",
    }


def split(result: Result, view: View) -> dict[str, Any]:
    """The selected head's scores and the terms that add up to them, on one scale; every head's shares."""
    data = result.data.isel(batch=0)
    maps = {name: data[name].values for name in TERMS}
    limit = max(float(np.nanmax(np.abs(values), initial=0)) for values in maps.values()) or 1.0
    shares = {part: data[f"{part}_share"].values for part in TERMS[:3]}
    chosen = {part: float(values[view.layer, view.head]) for part, values in shares.items()}
    return {
        "layer": view.layer,
        "head": view.head,
        "size": data.sizes["query_pos"],
        "limit": limit,
        "maps": {name: packed(values) for name, values in maps.items()},
        "remainder": float(np.nanmax(np.abs(data["remainder"].values), initial=0)),
        "chosen": {part: value if np.isfinite(value) else None for part, value in chosen.items()},
        "leaning": numbers(shares["position"] - shares["context"] - shares["residual"]),
    } | said(result, "score")


def composition(result: Result, view: View) -> dict[str, Any]:
    """Every pair's score in parts of its null's spread, for one kind of composition, and its strongest channels."""
    data = result.data
    kind = np.array([str(name).startswith(view.composition) for name in data["receiver"].values])
    edges = data.isel(edge=np.flatnonzero(kind))
    senders, receivers = ([str(name) for name in edges[side].values] for side in ("sender", "receiver"))
    rows, columns = sorted(set(senders), key=_place), sorted(set(receivers), key=_place)
    at = {name: index for index, name in enumerate(rows)}, {name: index for index, name in enumerate(columns)}
    above = np.full((2, len(rows), len(columns)), np.nan, dtype=np.float32)
    places = [at[0][name] for name in senders], [at[1][name] for name in receivers]
    above[0][places] = edges["score"].values
    above[1][places] = edges["backward"].values
    nulls = edges["null_mean"].values
    return {
        "composition": view.composition,
        "rows": rows,
        "columns": columns,
        "scores": packed(above[0]),
        "backward": packed(above[1]),
        "null": float(np.mean(nulls)) if len(nulls) else 0.0,
        "limit": float(edges["score"].max()) if len(senders) else 1.0,
        "channels": _channels(result, view),
    } | said(result, "score")


def _channels(result: Result, view: View) -> list[list[Any]]:
    data = result.data
    names = zip(*(data[f"channel_{name}"].values for name in ("sender", "receiver", "component")), strict=True)
    values = zip(*(data[f"channel_{name}"].values for name in ("score", "null_mean", "backward")), strict=True)
    found = [
        [str(sender), str(receiver), int(component), *map(float, numbered)]
        for (sender, receiver, component), numbered in zip(names, values, strict=True)
        if str(receiver).startswith(view.composition)
    ]
    return found[:LISTED]


def channel(result: Result, view: View) -> dict[str, Any]:
    """The answer before and after."""
    data = result.data.isel(batch=0)
    return (
        {"channel": view.channel}
        | {name: float(data[name]) for name in ("clean", "edited", "effect")}
        | said(result, "effect")
    )


def lines(result: Result, view: View) -> dict[str, Any]:
    """How linear each layer is."""
    return {str(name): numbers(array.values) for name, array in result.data.data_vars.items()} | said(
        result, "linearity"
    )


def similarity(result: Result, view: View) -> dict[str, Any]:
    """How alike every two layers are."""
    values = result.values("cka").values
    return {"size": len(values), "values": packed(values)} | said(result, "cka")


def variance(result: Result, view: View) -> dict[str, Any]:
    """What attention adds, position by position, for a few layers."""
    first, second = (str(name) for name in list(result.data.data_vars)[:2])
    layers = np.unique(np.linspace(0, result.data.sizes["layer"] - 1, 5).astype(int)).tolist()
    chosen = result.data.isel(layer=layers)
    return {
        "layers": layers,
        "positions": chosen["pos"].values.tolist(),
        "variance": numbers(chosen[first].values, 9),
        "control": numbers(chosen[second].values, 9),
        "control_name": second.replace("_", " "),
    } | said(result, first)


def _place(name: str) -> tuple[int, int]:
    """By layer, then head."""
    node = parse_node(f"a{name[1:]}")
    return node.layer, node.index

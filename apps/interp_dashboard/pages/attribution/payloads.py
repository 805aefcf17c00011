"""What the browser receives of token attribution."""

from typing import Any

import numpy as np

from interp.core.result import Result
from interp_dashboard.packing import numbers, packed, packed_signed, said


def relevance(result: Result, view: Any) -> dict[str, Any]:
    """One method's tokens and what they add up to."""
    data = result.data.isel(batch=0)
    ledger = data["ledger"].values
    sums = {name: float(data[name]) for name in ("total", "remainder", "first_token_share")}
    sums |= {"tokens": float(ledger[0]), "absorbed": float(ledger[1:-1].sum())}
    return {"values": packed(data["relevance"].values)} | sums | said(result, "relevance")


def insides(result: Result, view: Any) -> dict[str, Any]:
    """The selected method's ledger, and its latent relevance where it has some."""
    data = result.data.isel(batch=0)
    entries = zip(data["at"].values, data["term"].values, numbers(data["ledger"].values, 9), strict=True)
    content: dict[str, Any] = {
        "method": result.provenance.engine,
        "ledger": [[str(at), str(term), value] for at, term, value in entries],
        "total": float(data["total"]),
        "heads": None,
        "stream": None,
        "kind": "diverging",
        "saying": "relevance",
        "missing": f"{result.provenance.engine} has no latent relevance: it says nothing of the heads.",
    }
    if "heads" in data:
        content["heads"] = numbers(data["heads"].sum("pos").values)
    if "stream" in data:
        layers, size = data["stream"].shape
        content["stream"] = {"layers": layers, "size": size} | packed_signed(data["stream"].values)
    return content | said(result, "relevance")


def deletion(result: Result, view: Any) -> dict[str, Any]:
    """The selected method's removal curves and scores, and those of the random order."""
    data = result.data.isel(batch=0)
    own = data.isel(method=0)
    ends = np.concatenate([data["control"].values[:, None], data["control_interval"].values], -1)
    scores = {
        str(name): numbers([float(own[str(name)]), *found], 4)
        for name, found in zip(data["score"].values, ends, strict=True)
    }
    return {
        "method": str(own["method"].values),
        "fraction": numbers(data["fraction"].values, 4),
        "morf": numbers(own["curve"].sel(order="morf").values, 4),
        "lerf": numbers(own["curve"].sel(order="lerf").values, 4),
        "random": numbers(data["curve"].isel(method=-1).sel(order="morf").values, 4),
        "low": numbers(data["random"].sel(bound="low").values, 4),
        "high": numbers(data["random"].sel(bound="high").values, 4),
        "beats_random": float(own["beats_random"]),
        "scores": scores,
    } | said(result, "curve")

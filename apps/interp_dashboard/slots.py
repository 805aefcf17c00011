"""What the browser receives: each slot holds one answer in the compact form that its drawing needs."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from interp.core.result import Result
from interp_dashboard import circuit_slots as c
from interp_dashboard import feature_slots as f
from interp_dashboard import geometry_slots as geo
from interp_dashboard import questions as q
from interp_dashboard.methods import METHODS, chosen, selected
from interp_dashboard.packing import encode, numbers, packed, packed_signed, said
from interp_dashboard.questions import Answer, Question
from interp_dashboard.state import View

THUMB = 32  # cells along one side of a head's small pattern
SHORT = 40  # tokens up to which every head's whole pattern is sent at once
LONG = 320  # tokens above which attention is recorded one layer at a time: all layers at once would fill the memory


@dataclass(frozen=True)
class Slot:
    """One thing that the browser can ask for.

    `question` picks the work for a view (None: nothing to show yet). `shows` are further fields of the view that
    choose a part of the answer. Where the result holds more than the panel shows: `python` is how to get that part
    from it, `table` the part itself, `figure` its drawing in a theme.
    """

    name: str
    question: Callable[[View], Question | None]
    payload: Callable[[Any, View], dict[str, Any]]
    shows: tuple[str, ...] = ()
    python: Callable[[Any, View], str] | None = None
    table: Callable[[Any, View], pd.DataFrame] | None = None
    figure: Callable[[Any, View, str], go.Figure] | None = None

    def key(self, view: View) -> Hashable | None:
        """What the slot's content depends on; None where there is nothing to show."""
        question = self.question(view)
        if question is None:
            return None
        return (self.name, question.name, tuple(getattr(view, name) for name in (*question.uses, *self.shows)))


def _answer(answer: Answer, view: View) -> dict[str, Any]:
    pair = answer.corrupted_tokens
    return {
        "tokens": list(answer.tokens),
        "corrupted": list(pair),
        "differs": [i for i, (a, b) in enumerate(zip(answer.tokens, pair, strict=False)) if a != b],
        "position": answer.position,
        "label": answer.label,
        "unit": answer.unit,
        "clean_value": answer.values[0],
        "corrupted_value": answer.values[1] if pair else None,
        "clean_top": [list(entry) for entry in answer.tops[0]],
        "corrupted_top": [list(entry) for entry in answer.tops[1]] if pair else [],
        "measured": f"{answer.label}, and the probabilities where the answer is read",
        "sign": "higher: the model prefers the answer",
    }


def _effects(result: Result, view: View) -> dict[str, Any]:
    return {"values": numbers(result.values("effect").isel(batch=0))} | said(result, "effect")


def _direct(result: Result, view: View) -> dict[str, Any]:
    data = result.data.isel(batch=0)
    heads = data["head"].values >= 0
    layers, columns = data["layer"].values[heads], data["head"].values[heads]
    grid = np.full((layers.max() + 1, columns.max() + 1), np.nan)
    grid[layers, columns] = data["contribution"].values[heads]
    rest = {"total": float(data["total"]), "remainder": float(data["remainder"])}
    return {"values": numbers(grid)} | rest | said(result, "contribution")


def _scores(result: Result, view: View) -> dict[str, Any]:
    means = result.values(view.colour).mean("batch", skipna=True)
    count = result.data.sizes["batch"]
    words = view.colour.replace("_", " ")
    return (
        {"values": numbers(means)}
        | said(result, view.colour)
        | {"measured": f"mean attention to the {words} place, over {count} repeated random sequences", "sign": ""}
    )


def pooled(patterns: np.ndarray, side: int) -> np.ndarray:
    """Patterns (`… query key`) made smaller by the largest value of each block, so that no bright cell is lost."""
    width = patterns.shape[-1]
    if width <= side:
        return patterns
    if width % side == 0:
        block = width // side
        return patterns.reshape(*patterns.shape[:-2], side, block, side, block).max((-3, -1))
    edges = np.linspace(0, width, side + 1).astype(int)[:-1]
    return np.maximum.reduceat(np.maximum.reduceat(patterns, edges, axis=-1), edges, axis=-2)


def _thumbs(result: Result, view: View) -> dict[str, Any]:
    small = pooled(result.values("attention").isel(batch=0).values, THUMB)
    layers, heads, side, _ = small.shape
    sizes = {"layers": layers, "heads": heads, "side": side, "data": encode(small, "uint8")}
    return sizes | said(result, "attention")


def _patterns(result: Result, view: View) -> dict[str, Any]:
    """Every head's pattern of a short prompt at once, so that the browser needs nobody to show another head."""
    values = result.values("attention").isel(batch=0).values
    layers, heads, size, _ = values.shape
    about = {"layers": layers, "heads": heads, "size": size, "causal": not np.triu(values, 1).any()}
    return about | {"data": encode(values, "uint16") if size <= SHORT else None} | said(result, "attention")


def _pattern(result: Result, view: View) -> dict[str, Any]:
    values = result.values("attention").isel(batch=0).sel(layer=view.layer, head=view.head).values
    causal = not np.triu(values, 1).any()
    about = {"layer": view.layer, "head": view.head, "size": len(values), "causal": causal}
    return about | {"data": encode(values, "uint16")} | said(result, "attention")


def _lens(result: Result, view: View) -> dict[str, Any]:
    data = result.data.isel(batch=0)
    tops = np.stack([data["top_token"].values, np.round(np.exp(data["top_logprob"].values), 5)], -1)
    content = {"top": tops.tolist()} | said(result, "top_logprob")
    if "target_logprob" in data:
        content["prob"] = numbers(np.exp(data["target_logprob"].values), 7)
        content["rank"] = numbers(data["target_rank"].values)
    return content


def _query_key(result: Result, view: View) -> dict[str, Any]:
    data = result.data.isel(batch=0)
    names = {str(name): str(name) for name in result.data.data_vars} | {"key": "key_vectors"}
    rows = {shown: numbers(data[name].values, 5) for name, shown in names.items()}
    about = {"layer": view.layer, "head": view.head, "query_pos": int(data["query_pos"])}
    return rows | about | said(result, "product")


def _ablation(result: Result, view: View) -> dict[str, Any]:
    data = result.data.isel(batch=0)
    content: dict[str, Any] = {name: float(data[name]) for name in ("clean", "edited", "effect")}
    for side in ("clean", "edited"):
        pairs = zip(data[f"{side}_token"].values.tolist(), data[f"{side}_prob"].values.tolist(), strict=True)
        content[f"{side}_top"] = [list(pair) for pair in pairs]
    return content | said(result, "effect")


def _relevance(result: Result, view: View) -> dict[str, Any]:
    """One method's tokens and what they add up to."""
    data = result.data.isel(batch=0)
    ledger = data["ledger"].values
    sums = {name: float(data[name]) for name in ("total", "remainder", "first_token_share")}
    sums |= {"tokens": float(ledger[0]), "absorbed": float(ledger[1:-1].sum())}
    return {"values": packed(data["relevance"].values)} | sums | said(result, "relevance")


def _insides(result: Result, view: View) -> dict[str, Any]:
    """The selected method's ledger, and its latent relevance where it has some."""
    data = result.data.isel(batch=0)
    entries = zip(data["at"].values, data["term"].values, numbers(data["ledger"].values, 9), strict=True)
    content: dict[str, Any] = {
        "method": result.provenance.engine,
        "ledger": [[str(at), str(term), value] for at, term, value in entries],
        "total": float(data["total"]),
        "heads": None,
        "stream": None,
    }
    if "heads" in data:
        content["heads"] = numbers(data["heads"].sum("pos").values)
    if "stream" in data:
        layers, size = data["stream"].shape
        content["stream"] = {"layers": layers, "size": size} | packed_signed(data["stream"].values)
    return content | said(result, "relevance")


def _deletion(result: Result, view: View) -> dict[str, Any]:
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


def _compared(names: tuple[str, ...], view: View) -> dict[str, Any]:
    return {
        "measured": "relevance of each token, coloured in parts of each method's own largest value",
        "sign": "purple: the token speaks for the answer; orange: against it",
    }


def _has_head(question: Question) -> Callable[[View], Question | None]:
    return lambda view: question if view.layer is not None and view.head is not None else None


def _has_edits(question: Question) -> Callable[[View], Question | None]:
    return lambda view: question if view.nodes else None


def _main_effect(view: View) -> Question:
    return q.RESAMPLE if view.corrupted else q.ZERO


def _attention(view: View) -> Question | None:
    if view.layer is None or view.head is None:
        return None
    return q.LAYER_ATTENTION if is_long(view) else q.ATTENTION


def is_long(view: View) -> bool:
    """Whether the prompt is too long to hold every head's pattern; a token has about four bytes."""
    return len(view.clean.encode()) > 4 * LONG


_COLOURS = {"resample": q.RESAMPLE, "zero": q.ZERO, "direct": q.DIRECT, "pattern": None}


def _colour(view: View) -> Question | None:
    return _COLOURS.get(view.colour, q.SCORES)


def _colour_payload(result: Result, view: View) -> dict[str, Any]:
    how = {"resample": _effects, "zero": _effects, "direct": _direct}.get(view.colour, _scores)
    return how(result, view)


def _inside(view: View) -> Question | None:
    name = selected(view)
    return q.RELEVANCE[name] if name else None


def _removing(view: View) -> Question | None:
    name = selected(view)
    return q.DELETION[name] if name else None


def _method(name: str) -> Slot:
    return Slot(f"relevance {name}", lambda view: q.RELEVANCE[name], _relevance)


SLOTS: dict[str, Slot] = {
    slot.name: slot
    for slot in (
        Slot("answer", lambda view: q.ANSWER, _answer),
        Slot("effects", _main_effect, _effects),
        Slot("mlps", lambda view: q.RESAMPLE_MLPS if view.corrupted else q.ZERO_MLPS, _effects),
        Slot("heads", _colour, _colour_payload, shows=("colour",)),
        Slot("thumbs", lambda view: None if is_long(view) else q.ATTENTION, _thumbs),
        Slot("patterns", lambda view: None if is_long(view) else q.ATTENTION, _patterns),
        Slot("pattern", _attention, _pattern, shows=("layer", "head")),
        Slot("query_key", _has_head(q.QUERY_KEY), _query_key),
        Slot("lens", lambda view: q.LENS, _lens),
        Slot("ablation", _has_edits(q.ABLATION), _ablation),
        Slot("lens_edited", _has_edits(q.LENS_EDITED), _lens),
        Slot("compared", lambda view: q.COMPARED if chosen(view) else None, _compared),
        Slot("insides", _inside, _insides),
        Slot("deletion", _removing, _deletion),
        Slot("circuit", c.scores_question, c.drawing, shows=("edges", "extraction", "layout")),
        Slot("circuit_runs", c.runs_question, c.runs),
        Slot("circuit_growth", c.growth_question, c.growth),
        Slot("circuit_versus", c.versus_question, c.versus, shows=("edges", "extraction")),
        Slot("geometry", lambda view: geo.POSITIONS, geo.energy),
        Slot("geometry_curve", lambda view: geo.POSITIONS, geo.curve, shows=("depth",)),
        Slot("geometry_context", lambda view: geo.POSITIONS, geo.context, shows=("depth",)),
        Slot("geometry_split", geo.split_question, geo.split),
        Slot("geometry_composition", lambda view: geo.COMPOSITION, geo.composition, shows=("composition",)),
        Slot("geometry_channel", geo.channel_question, geo.channel),
        Slot("geometry_linearity", lambda view: geo.LINEARITY, geo.lines),
        Slot("geometry_similarity", lambda view: geo.SIMILARITY, geo.similarity),
        Slot("geometry_variance", lambda view: geo.VARIANCE, geo.variance),
        Slot("features_active", lambda view: f.ACTIVE, f.active),
        Slot(
            "features_found", lambda view: f.CARDS, f.found, shows=f.SEARCH, python=f.found_python, table=f.found_table
        ),
        Slot(
            "features_card",
            f.card_question,
            f.card,
            shows=("feature",),
            python=f.card_python,
            table=f.contexts_table,
            figure=f.card_figure,
        ),
        Slot("features_sources", f.sources_question, f.sources, shows=("key",)),
        Slot("features_effects", lambda view: f.EFFECTS, f.effects),
        Slot("features_turned", f.turned_question, f.turned),
        Slot("features_roles", lambda view: f.ROLES, f.roles),
        *(_method(name) for name in METHODS),
    )
}

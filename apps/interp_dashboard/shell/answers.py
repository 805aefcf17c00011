"""What question strip and inspector show, on whichever page: the answer, the edits in force, the selected head."""

from dataclasses import replace
from typing import Any

import numpy as np

from interp import circuits, readout, views
from interp.core.result import Result
from interp.models.hooked import HookedModel
from interp_dashboard.asking import Ask
from interp_dashboard.contents import Content
from interp_dashboard.packing import encode, meaning, numbers
from interp_dashboard.state import View

PATCH_BATCH = 256  # tokens in one forward of a patching run: short steps, so that quick work gets in between
SHORT = 40  # tokens up to which every head's whole pattern is sent at once
LIKELIEST_SHOWN = 6  # tokens after each prompt
LONG = 320  # tokens above which attention is recorded one layer at a time: all layers at once would fill the memory


def heads(model: HookedModel, tokens: int) -> int:
    """The cost of one run for each head."""
    return model.dims.layers * model.dims.heads


def patching(site: str, how: str) -> dict[str, Any]:
    """Arguments of patching one place at a time."""
    return {"site": site, "how": how, "batch_tokens": PATCH_BATCH}


def replacement(view: View) -> str:
    """What a patched place carries: the corrupted prompt's value, or without one nothing."""
    return "resample" if view.corrupted else "zero"


def _answer_of(model: HookedModel, view: View) -> dict[str, Any]:
    sides = [view.clean, view.corrupted] if view.corrupted else view.clean
    return view.question | {"prompts": sides, "top": LIKELIEST_SHOWN}


def _record(model: HookedModel, view: View) -> dict[str, Any]:
    """Every layer's attention; of a long prompt the selected layer's alone."""
    return view.prompt | ({"layers": (view.layer,)} if is_long(view) else {})


def is_long(view: View) -> bool:
    """Whether the prompt is too long to hold every head's pattern; a token has about four bytes."""
    return len(view.clean.encode()) > 4 * LONG


LIKELIEST = Ask(circuits.ablation, lambda model, view: view.prompt | {"top": 1}, "reading the answer")
READ = Ask(circuits.ablation, _answer_of, "reading the answer")
PATCHED = Ask(
    circuits.activation_patching,
    lambda model, view: view.comparison | patching("z", replacement(view)),
    "replacing every head",
    heads,
)
EDITED = Ask(
    circuits.ablation,
    lambda model, view: view.comparison | {"nodes": view.nodes, "how": view.how} if view.nodes else None,
    "running with the edits",
)
ATTENTION: Ask[View] = Ask(readout.attention, _record, "recording attention")


def _answer(result: Result) -> dict[str, Any]:
    data = result.data
    tops = [_tops(data.isel(batch=row), "clean") for row in range(data.sizes["batch"])]
    return {
        "label": result.provenance.metric,
        "unit": str(data["clean"].attrs.get("unit", "")),
        "clean_value": float(data["clean"][0]),
        "corrupted_value": float(data["clean"][1]) if len(tops) > 1 else None,
        "clean_top": tops[0],
        "corrupted_top": tops[1] if len(tops) > 1 else [],
        "measured": f"{result.provenance.metric}, and the probabilities where the answer is read",
        "sign": "higher: the model prefers the answer",
    }


def _tops(data: Any, side: str) -> list[list[Any]]:
    pairs = zip(data[f"{side}_token"].values.tolist(), data[f"{side}_prob"].values.tolist(), strict=True)
    return [list(pair) for pair in pairs]


def effects(result: Result) -> dict[str, Any]:
    """Every head's effect, as the mosaic draws it."""
    values = numbers(result.values("effect").isel(batch=0))
    what = {"resample": "resampling", "zero": "zeroing", "mean": "putting in the mean"}[
        result.provenance.options["how"]
    ]
    return {"values": values, "saying": f"effect of {what}", "kind": "diverging"} | meaning(result, "effect")


def _ablation(result: Result) -> dict[str, Any]:
    data = result.data.isel(batch=0)
    content: dict[str, Any] = {name: float(data[name]) for name in ("clean", "edited", "effect")}
    return content | {"edited_top": _tops(data, "edited")} | meaning(result, "effect")


def _patterns(result: Result, show: str) -> dict[str, Any]:
    """Every head's pattern of a short prompt at once, so that the browser needs nobody to show another head."""
    values = result.values("attention").isel(batch=0).values
    layers, count, size, _ = values.shape
    about = {"layers": layers, "heads": count, "size": size, "causal": not np.triu(values, 1).any()}
    return about | {"data": encode(values, "uint16") if size <= SHORT else None} | meaning(result, "attention")


def _pattern(result: Result, layer: int, head: int, **choice: Any) -> dict[str, Any]:
    values = result.values("attention").isel(batch=0).sel(layer=layer, head=head).values
    causal = not np.triu(values, 1).any()
    about = {"layer": layer, "head": head, "size": len(values), "causal": causal}
    return about | {"data": encode(values, "uint16")} | meaning(result, "attention")


def _from_query(model: HookedModel, view: View) -> dict[str, Any]:
    """The selected head, and the query that is looked at."""
    return {"show": "lines"} | (view.selected or {}) | ({} if view.query is None else {"query": view.query})


def thumbnails(model: HookedModel, view: View) -> dict[str, Any]:
    """Every head's pattern."""
    return {"show": "thumbnails"}


ANSWER = Content("answer", READ, _answer, figure=views.predictions, table=views.prediction_table)
EFFECTS = Content("effects", PATCHED, effects)
ABLATION = Content("ablation", EDITED, _ablation, figure=views.before_after)
PATTERNS = Content("patterns", lambda view: None if is_long(view) else ATTENTION, _patterns, thumbnails)
PATTERN = Content(
    "pattern",
    lambda view: ATTENTION if view.selected else None,
    _pattern,
    choice=lambda model, view: view.selected,
    hint="Select a head above.",
)
LINES = replace(PATTERN, name="pattern_lines", choice=_from_query)
CONTENTS = (ANSWER, ABLATION, PATTERNS, EFFECTS)

"""The lens, which several pages show."""

from dataclasses import replace
from typing import Any

import numpy as np

from interp import readout, views
from interp.circuits.ablation import ablation_edits
from interp.core.prompts import Prompts
from interp.core.result import Result
from interp.models.hooked import HookedModel
from interp_dashboard.asking import Ask, Deferred, literal
from interp_dashboard.contents import Content
from interp_dashboard.packing import meaning, numbers
from interp_dashboard.state import View


def _read(model: HookedModel, view: View) -> dict[str, Any]:
    return view.prompt | {"target": view.answer}


def edits_in_force(model: HookedModel, view: View) -> Deferred:
    """The edits that the view makes, as a script makes them."""
    source = view.corrupted if view.how == "resample" else view.clean
    prompts = f"interp.Prompts.of(model, {literal(source)})"
    return Deferred(
        f"ablation_edits(model, {prompts}, {literal(view.nodes)}, {literal(view.how)})",
        lambda model: ablation_edits(model, Prompts.of(model, source), view.nodes, view.how),
        "from interp.circuits.ablation import ablation_edits\n",
    )


def _read_answer(model: HookedModel, view: View) -> dict[str, Any]:
    return _read(model, view) | {"position": -1}


ANSWER_READ: Ask[View] = Ask(readout.logit_lens, _read_answer, "decoding every layer at the answer")
READ: Ask[View] = Ask(readout.logit_lens, _read, "decoding every layer")
READ_EDITED = Ask(readout.logit_lens, _read, "decoding every layer with the edits", edits=edits_in_force)


def place(model: HookedModel, view: View) -> dict[str, Any]:
    """The position that is looked at; none where it is the last token, which is where most models answer."""
    if view.query is not None:
        return {"pos": view.query}
    return {} if model.is_causal else {"pos": Prompts.of(model, view.clean).answer_positions(model)[0]}


def answer_place(model: HookedModel, view: View) -> dict[str, Any]:
    """The position at which the answer is read."""
    return place(model, replace(view, query=None))


def _path(result: Result, pos: int = -1) -> dict[str, Any]:
    """The same at one position alone."""
    content = _lens(result)
    at = pos if pos >= 0 else int(result.data.sizes["pos"]) - 1
    return content | {name: [row[at] for row in content[name]] for name in ("top", "prob", "rank") if name in content}


def _lens(result: Result, **choice: str) -> dict[str, Any]:
    data = result.data.isel(batch=0)
    tops = np.stack([data["top_token"].values, np.round(np.exp(data["top_logprob"].values), 5)], -1)
    content = {"top": tops.tolist()} | meaning(result, "top_logprob")
    if "target_logprob" in data:
        content["prob"] = numbers(np.exp(data["target_logprob"].values), 7)
        content["rank"] = numbers(data["target_rank"].values)
    return content


LENS = Content("lens", READ, _lens, choice=lambda model, view: {"show": "top_prob"})
PATH = Content("lens_path", ANSWER_READ, _path, choice=answer_place, figure=views.answer_path, table=views.target_table)
CURVE = Content("lens_curve", READ, choice=place, figure=views.target_curve, table=views.target_table)
EDITED = Content(
    "lens_edited",
    lambda view: {"before": READ, "after": READ_EDITED} if view.nodes else None,
    choice=place,
    figure=views.target_curve,
    table=views.target_table,
    hint="No edits yet: click heads and MLPs to add them.",
)

"""Ablate and patch: ablate a set of heads and MLPs and see how the answer changes."""

from collections.abc import Mapping
from typing import Any

from dash import html

from interp import circuits, views
from interp.core.result import Result
from interp.models.hooked import HookedModel
from interp_dashboard.asking import Ask
from interp_dashboard.contents import Content
from interp_dashboard.packing import meaning, numbers
from interp_dashboard.page import Page
from interp_dashboard.shell.answers import EDITED, PATCHED, effects, patching, replacement
from interp_dashboard.shell.panels import canvas, choice, panel
from interp_dashboard.shell.readouts import EDITED as LENS_EDITED
from interp_dashboard.state import View

EMPTY = "No edits yet: click heads and MLPs to add them."


def _layers(model: HookedModel, tokens: int) -> int:
    return model.dims.layers


def _nodes(results: Mapping[str, Result]) -> dict[str, Any]:
    """Every head's effect, and every MLP's."""
    mlps = {"mlps": numbers(results["MLPs"].values("effect").isel(batch=0))} if "MLPs" in results else {}
    first = next(iter(results.values()))
    return (effects(results["heads"]) if "heads" in results else meaning(first, "effect")) | mlps


MLPS: Ask[View] = Ask(
    circuits.activation_patching,
    lambda model, view: view.comparison | patching("mlp_out", replacement(view)),
    "replacing every MLP",
    _layers,
)
SET = Content("set_effects", lambda view: {"heads": PATCHED, "MLPs": MLPS}, _nodes, figure=views.effects_of_nodes)
BEFORE_AFTER = Content("before_after", EDITED, figure=views.before_after, hint=EMPTY)


def _layout() -> list[Any]:
    return [
        panel(
            SET,
            "The set",
            "Click heads and MLPs to add them; colour shows the effect of ablating each one alone. The page "
            "Probes adds directions.",
            canvas("chips"),
            canvas("mosaic", SET, toggle="nodes"),
            controls=choice(View, "how", "How to ablate them"),
            more="Zero ablation removes the nodes' output; mean ablation replaces it with its average over this "
            "prompt; resampling replaces it with its value on the corrupted prompt, which stays in "
            "distribution. Every position is edited.",
        ),
        html.Div(
            [
                panel(
                    BEFORE_AFTER,
                    "Before and after",
                    "The logit difference between answer and contrast, and the most likely next tokens, without and "
                    "with the edits.",
                    more="The joint effect of several heads is not the sum of their individual effects: later heads "
                    "can compensate for ablated ones.",
                ),
                panel(
                    LENS_EDITED,
                    "The logit lens, before and after",
                    "The answer's probability and rank after each layer, without and with the edits.",
                    more="The layer where the two lines diverge is the first at which the edits affect the prediction.",
                ),
            ],
            className="columns",
        ),
    ]


PAGE = Page("ablate", "Ablate & patch", _layout, (BEFORE_AFTER, LENS_EDITED, SET), home=__file__)

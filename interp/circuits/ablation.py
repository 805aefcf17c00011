"""Ablation of any set of heads, MLPs and directions: the answer before and after."""

from collections.abc import Sequence
from functools import partial

from pydantic import Field
from pydantic.dataclasses import dataclass

from interp.circuits.interventions.replacements import How, base_and_source, recorded_replacement
from interp.core.engine import engine
from interp.core.metric import Metric
from interp.core.nodes import parse_edited
from interp.core.options import Count
from interp.core.prompts import PromptPairs, Prompts
from interp.kinds import Ablation
from interp.models.comparison import compared
from interp.models.directions import Direction, saved_direction, with_components
from interp.models.edits import Edit
from interp.models.hooked import HookedModel
from interp.models.sites import Site
from interp.models.writes import require_node

_SITES = {"a": "z", "m": "mlp_out", "E": "expert_write"}


@dataclass(frozen=True)
class AblationOptions:
    """What to ablate, and how."""

    nodes: tuple[str, ...] = Field(
        (),
        description="heads, MLPs, experts and saved directions, such as a23.3 (or 23.3), m4, E4.1 and "
        "d18.resid_pre.0badcafe",
    )
    how: How = Field("zero", description="replacement value: zero, the prompt's mean, or the corrupted prompt's value")
    top: Count = Field(10, description="top tokens listed before and after")


@engine
def ablation(
    model: HookedModel, prompts: Prompts | PromptPairs, metric: Metric | None, options: AblationOptions
) -> Ablation:
    """The answer before and after ablating any set of heads, MLPs and saved directions.

    Run the model with and without a set of edits, at all positions, and compare its answers. Of a direction, only the
    component along it is replaced: that of zero, of the prompt's mean state, or of the corrupted prompt's.

    Returns the metric before and after (axis `batch`; NaN where nothing was asked) and most likely tokens before and
    after (axes `batch rank`). Tokens are read at the answer position.

    Unit: that of the metric; probabilities for the tokens.
    Raises: SiteError for a node that the model lacks, or a direction of another model; OptionError if resampling is
    asked for without corrupted prompts.
    Source: Michel et al. 2019; Wang et al. 2022.
    """
    clean, source = base_and_source("ablation", prompts, options.how)
    edits = ablation_edits(model, source, options.nodes, options.how)
    names = ", ".join(options.nodes) or "nothing"
    return compared(model, clean, edits, metric, top=options.top, changed=f"{options.how} ablation of {names}")


def ablation_edits(model: HookedModel, source: Prompts, nodes: Sequence[str], how: How) -> list[Edit]:
    """The edits that silence `nodes` at every position, with values from `source`.

    Raises: SiteError for a node that the model lacks.
    """
    places: dict[Site, set[int]] = {}
    directions: dict[Site, list[Direction]] = {}
    for node in dict.fromkeys(map(parse_edited, nodes)):
        if node.kind == "d":
            direction = saved_direction(model, node)
            directions.setdefault(direction.site, []).append(direction)
            continue
        require_node(model, node)
        site = Site(_SITES[node.kind], node.layer)
        places.setdefault(site, set()).update([] if node.kind == "m" else [node.index])
    if not places and not directions:
        return []
    values = recorded_replacement(model, source, [*places, *directions], how)
    edits = []
    for (site, indices), value in zip(places.items(), values[: len(places)], strict=True):
        of = "expert" if site.name == "expert_write" else "head"
        edits.append(Edit.resample(site, value, **{of: sorted(indices) or None}))
    for (site, along), value in zip(directions.items(), values[len(places) :], strict=True):
        edits.append(Edit.through(site, partial(with_components, directions=along, source=value)))
    return edits

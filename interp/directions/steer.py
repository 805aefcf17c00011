"""Steering: the answer with the stream pushed along a direction."""

from pydantic import Field
from pydantic.dataclasses import dataclass

from interp.core.engine import engine
from interp.core.metric import Metric
from interp.core.options import Count
from interp.core.prompts import Prompts
from interp.directions.steering.changes import (
    Change,
    SteeringOptions,
    chosen_direction,
    counted_positions,
    steering,
    steering_obstacle,
    units,
)
from interp.kinds import Ablation
from interp.models.comparison import compared
from interp.models.hooked import HookedModel


@dataclass(frozen=True)
class SteerOptions(SteeringOptions):
    """What is done along the direction, and how strongly."""

    strength: float = Field(0.25, ge=-1e3, le=1e3, allow_inf_nan=False, description="how far, in that unit")
    change: Change = Field(
        "add",
        description="add: push every state by the strength; clamp: give its component along the direction that value; "
        "ablate: remove the component",
    )
    top: Count = Field(10, description="top tokens listed before and after")


@engine(obstacle=steering_obstacle)
def steer(model: HookedModel, prompts: Prompts, metric: Metric | None, options: SteerOptions) -> Ablation:
    """The answer before and after the stream is pushed along a direction.

    At the direction's own site, and at all positions but the first few. Returns the metric before and after (axis
    `batch`; NaN where nothing was asked) and the most likely tokens before and after (axes `batch rank`).
    Unit: that of the metric; probabilities for the tokens.
    Raises: OptionError where no direction is named or a prompt has no position; SiteError for a direction of another
    model.
    Source: Turner et al. 2023, "Activation Addition"; Panickssery et al. 2023, "Steering Llama 2 via Contrastive
    Activation Addition".
    """
    direction = chosen_direction(model, options)
    counted = counted_positions(prompts, options.skip)
    amounts = options.strength * units(direction, model.vectors(prompts, direction.site), prompts, options)
    said = {
        "add": f"{options.strength:g} × the {options.unit} added along {direction.node}",
        "clamp": f"the component along {direction.node} made {options.strength:g} × the {options.unit}",
        "ablate": f"the component along {direction.node} removed",
    }
    edit = steering(direction, amounts, counted, options.change)
    return compared(model, prompts, [edit], metric, top=options.top, changed=said[options.change])

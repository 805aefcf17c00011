"""Relevance patching: attribution patching with the relevance of every activation in place of its gradient."""

from typing import Annotated, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from interp.circuits.interventions.estimates import PatchOptions, estimated_effects
from interp.core.engine import engine
from interp.core.metric import Metric
from interp.core.prompts import PromptPairs, Prompts
from interp.decomposition.relevance.modified_gradient import obstacle
from interp.decomposition.relevance.rules import Recipe
from interp.kinds import Effects
from interp.models.hooked import HookedModel

AttentionRule = Annotated[
    Literal["gradient", "half", "values"],
    Field(
        description="gradient differentiates the pattern; half splits relevance equally between the factors of both "
        "products; values holds the pattern constant"
    ),
]


@dataclass(frozen=True)
class RelpOptions(PatchOptions):
    """Where to patch, with what, and the rule for attention."""

    attention: AttentionRule = "gradient"


def relp_rules(attention: AttentionRule) -> Recipe:
    """The rules of the paper: norms constant, f(x)/x for the slope of f, half to each factor of a gate."""
    return Recipe(norm="freeze", attention=attention, activation="identity", product="half")


@engine(obstacle=obstacle)
def relp(model: HookedModel, prompts: Prompts | PromptPairs, metric: Metric, options: RelpOptions) -> Effects:
    """Estimated effect of replacing each head, MLP or stream position, from one backward pass of relevance.

    Attribution patching whose gradient passes norms as constants, nonlinearities f with the slope f(x)/x, and products
    of a gated MLP by halves: (other value − value here) · relevance per unit of the value here.

    Returns the effect, axes `batch layer [head] [expert] [neuron] [pos]`.
    Unit: that of the metric (logits).
    Raises: OptionError if resampling or denoising is asked for without corrupted prompts; SiteError for a site that the
    model lacks; EngineError where activations are not finite; MemoryLimitError.
    Source: Jafari et al. 2025, "RelP: Faithful and Efficient Circuit Discovery via Relevance Patching", section 3; the
    gradient through attention is that of its programs for indirect objects, `values` the rule for attention of Ali et
    al. 2022 that it names.
    Differs: noising by default, as attribution patching here; the paper patches clean values into the corrupted run. A
    place is all positions of a head, neuron or MLP unless `by_position`.
    """
    return estimated_effects("relp", model, prompts, metric, options, rules=relp_rules(options.attention))

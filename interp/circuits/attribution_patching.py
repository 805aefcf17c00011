"""Attribution patching: first-order effects of replacing every activation, from one backward pass."""

from pydantic import Field
from pydantic.dataclasses import dataclass

from interp.circuits.interventions.estimates import PatchOptions, estimated_effects
from interp.core.engine import engine
from interp.core.errors import OptionError
from interp.core.metric import Metric
from interp.core.prompts import PromptPairs, Prompts
from interp.kinds import Effects
from interp.models.hooked import HookedModel


@dataclass(frozen=True)
class AttributionPatchingOptions(PatchOptions):
    """Where to patch, with what, and which corrections of the first order to make."""

    softmax_fix: bool = Field(
        False, description="for q and k: recompute the patched attention exactly, and linearise only from there on"
    )
    grad_drop: bool = Field(
        False,
        description="mean magnitude over gradients with one layer at a time dropped, so that effects do not cancel",
    )


@engine
def attribution_patching(
    model: HookedModel, prompts: Prompts | PromptPairs, metric: Metric, options: AttributionPatchingOptions
) -> Effects:
    """Estimated effect of replacing each head, neuron, MLP or stream position, from one backward pass.

    Estimate what activation patching would measure at every place: (other value − value here) · gradient here.

    Returns the effect, axes `batch layer [head] [expert] [neuron] [pos]`. `softmax_fix` (queries and keys): the
    attention that the patched query or key makes is computed exactly; its change, times the gradient at the attention.
    `grad_drop`: for each layer, the effects without the gradient through what that layer's attention and MLP write; the
    result is the mean of their absolute values over all layers but the place's own.

    Unit: that of the metric (logits).
    Raises: OptionError if resampling or denoising is asked for without corrupted prompts, for `softmax_fix` at another
    site, and for `grad_drop` in a model of one layer; SiteError for a site that the model lacks; EngineError where
    activations are not finite; MemoryLimitError.
    Source: Nanda 2023, "Attribution Patching"; Kramár et al. 2024, "AtP*", section 3.1 (softmax, GradDrop).
    Differs: a place is all positions of a head, neuron or MLP unless `by_position`; a key or value that several heads
    share is one place.
    """
    if options.softmax_fix and options.site not in ("q", "k"):
        raise OptionError(
            f"softmax_fix applies to queries and keys, not {options.site}; choose site q or k, or leave it out"
        )
    if options.softmax_fix and (obstacle := model.obstacle("attention", "alone")):
        raise OptionError(f"softmax_fix: {obstacle}; leave it out")
    if options.grad_drop and model.dims.layers == 1:
        raise OptionError("grad_drop drops one layer at a time, and the model has only one; leave it out")
    return estimated_effects(
        "attribution-patching",
        model,
        prompts,
        metric,
        options,
        softmax_fix=options.softmax_fix,
        grad_drop=options.grad_drop,
    )

"""Any mixture of relevance rules."""

from pydantic.dataclasses import dataclass

from interp.attribution.modified_gradient import obstacle
from interp.attribution.recipes import GradientOptions, relevance_by
from interp.attribution.rules import Recipe
from interp.core.engine import EngineSpec
from interp.core.errors import EngineError
from interp.core.metric import Metric
from interp.core.prompts import Prompts
from interp.core.relevance import Relevance
from interp.models.hooked import HookedModel


@dataclass(frozen=True)
class MixtureOptions(GradientOptions, Recipe):
    """A rule for each kind of module."""


def lrp(model: HookedModel, prompts: Prompts, metric: Metric | None, options: MixtureOptions) -> Relevance:
    """Propagate the target back under the rules that the options name; without any, this is gradient × input.

    Returns relevance, axes `batch pos`, the ledger, and latent relevance as `attnlrp` does.
    Unit: that of what is explained (logits).
    Raises: EngineError for a softmax temperature on a model whose attention pattern cannot be edited.
    Source: Bach et al. 2015 and Achtibat et al. 2024 for the rules; Edin et al. 2025 for the temperature.
    """
    if options.softmax_temperature != 1 and "pattern" in model.architecture.ignored:
        raise EngineError(f"{model.name} ignores edits of its attention pattern; leave softmax_temperature at 1")
    recipe = Recipe(
        options.norm,
        options.attention,
        options.activation,
        options.product,
        options.softmax_temperature,
        options.epsilon,
    )
    return relevance_by("lrp", recipe, model, prompts, metric, options)


SPEC = EngineSpec(
    name="lrp",
    run=lrp,
    result=Relevance,
    options=MixtureOptions,
    asks="optional",
    summary="any mixture of relevance rules, a rule for each kind of module",
    source="Bach et al. 2015; Achtibat et al. 2024",
    conserves="tokens + what every rule absorbs = the target",
    obstacle=obstacle,
)

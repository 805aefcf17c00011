"""AttnLRP: layer-wise relevance propagation through attention, as one modified backward pass."""

from interp.attribution.modified_gradient import obstacle
from interp.attribution.recipes import RuleOptions, relevance_by, with_epsilon
from interp.attribution.rules import Recipe
from interp.core.engine import EngineSpec
from interp.core.metric import Metric
from interp.core.prompts import Prompts
from interp.core.relevance import Relevance
from interp.models.hooked import HookedModel

RECIPE = Recipe(norm="freeze", attention="half", activation="identity", product="half")


def attnlrp(model: HookedModel, prompts: Prompts, metric: Metric | None, options: RuleOptions) -> Relevance:
    """Propagate the target back to the tokens: every product halves, norms are frozen, activations pass relevance on.

    Returns relevance, axes `batch pos`, the ledger, and latent relevance: `stream` (`batch layer pos`), `heads`
    (`batch layer head pos`), `neurons` (`batch layer neuron`), `pairs` (`batch layer head query_pos key_pos`).
    Unit: that of what is explained (logits).
    Raises: TargetError if nothing is asked; SiteError for an unknown place; EngineError where activations are not
    finite; MemoryLimitError if the backward pass cannot fit.
    Source: Achtibat et al. 2024, "AttnLRP", section 3 (propositions 3.1-3.4); softmax by its Taylor expansion, which
    is its gradient. The ε-rule of linear layers is exact by default (ε = 0).
    Differs: the identity rule takes its analytic limit at 0. Σ relevance is not the target: the ledger says what the
    softmax absorbs.
    """
    return relevance_by("attnlrp", with_epsilon(RECIPE, options), model, prompts, metric, options)


SPEC = EngineSpec(
    name="attnlrp",
    run=attnlrp,
    result=Relevance,
    options=RuleOptions,
    asks="optional",
    summary="layer-wise relevance through attention: products halve, norms freeze, the softmax absorbs",
    source="Achtibat et al. 2024, section 3",
    conserves="tokens + biases + softmax + ε = the target, layer by layer",
    obstacle=obstacle,
)

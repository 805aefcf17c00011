"""CP-LRP: conservative propagation, with attention patterns and gates held constant."""

from interp.attribution.modified_gradient import obstacle
from interp.attribution.recipes import RuleOptions, relevance_by, with_epsilon
from interp.attribution.rules import Recipe
from interp.core.engine import EngineSpec
from interp.core.metric import Metric
from interp.core.prompts import Prompts
from interp.core.relevance import Relevance
from interp.models.hooked import HookedModel

RECIPE = Recipe(norm="freeze", attention="values", activation="identity", product="up")


def cp_lrp(model: HookedModel, prompts: Prompts, metric: Metric | None, options: RuleOptions) -> Relevance:
    """Propagate the target back through values and linear factors alone; patterns, gates and norms are constants.

    Returns relevance, axes `batch pos`, the ledger, and latent relevance: `stream` (`batch layer pos`), `heads`
    (`batch layer head pos`), `neurons` (`batch layer neuron`), `pairs` (`batch layer head query_pos key_pos`).
    Unit: that of what is explained (logits).
    Raises: TargetError if nothing is asked; SiteError for an unknown place; EngineError where activations are not
    finite; MemoryLimitError if the backward pass cannot fit.
    Source: Ali et al. 2022, "XAI for Transformers: Better Explanations through Conservative Propagation"; the gate as
    in Achtibat et al. 2024, appendix B.
    Differs: an MLP that has no gate follows the identity rule.
    """
    return relevance_by("cp-lrp", with_epsilon(RECIPE, options), model, prompts, metric, options)


SPEC = EngineSpec(
    name="cp-lrp",
    run=cp_lrp,
    result=Relevance,
    options=RuleOptions,
    asks="optional",
    summary="conservative propagation: patterns, gates and norms are constants, so relevance adds up",
    source="Ali et al. 2022",
    conserves="without biases Σ relevance = the target; tokens + biases + ε = the target always",
    obstacle=obstacle,
)

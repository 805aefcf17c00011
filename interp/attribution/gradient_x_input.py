"""Gradient × input: the plain gradient at the embeddings, times the embeddings."""

from interp.attribution.modified_gradient import obstacle
from interp.attribution.recipes import GradientOptions, relevance_by
from interp.attribution.rules import Recipe
from interp.core.engine import EngineSpec
from interp.core.metric import Metric
from interp.core.prompts import Prompts
from interp.core.relevance import Relevance
from interp.models.hooked import HookedModel

RECIPE = Recipe()


def gradient_x_input(
    model: HookedModel, prompts: Prompts, metric: Metric | None, options: GradientOptions
) -> Relevance:
    """Multiply each embedding with the gradient of the target there.

    Returns relevance, axes `batch pos`, the ledger, and latent relevance: `stream` (`batch layer pos`), `heads`
    (`batch layer head pos`), `neurons` (`batch layer neuron`), `pairs` (`batch layer head query_pos key_pos`).
    Unit: that of what is explained (logits).
    Raises: TargetError if nothing is asked; SiteError for an unknown place; EngineError where activations are not
    finite; MemoryLimitError if the backward pass cannot fit.
    Source: Shrikumar et al. 2016, "Not Just a Black Box"; Denil et al. 2014.
    Differs: the ledger shows what norms, softmax, products and activations take or make, each by Euler's theorem:
    ⟨output, gradient⟩ − ⟨input, gradient⟩.
    """
    return relevance_by("gradient-x-input", RECIPE, model, prompts, metric, options)


SPEC = EngineSpec(
    name="gradient-x-input",
    run=gradient_x_input,
    result=Relevance,
    options=GradientOptions,
    asks="optional",
    summary="the plain gradient at each embedding, times the embedding",
    source="Shrikumar et al. 2016",
    conserves="tokens + what norms, softmax, products, activations and biases absorb = the target",
    obstacle=obstacle,
)

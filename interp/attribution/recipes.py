"""Methods based on modified gradients: each is a row of relevance rules with its source."""

import dataclasses
import inspect
from typing import Any, Literal

import torch
from pydantic import Field
from pydantic.dataclasses import dataclass
from torch import Tensor

from interp.attribution.backward.targets import Target
from interp.core.engine import EngineSpec, engine
from interp.core.errors import EngineError
from interp.core.metric import Metric, token_id
from interp.core.options import Rate
from interp.core.prompts import Prompts
from interp.decomposition.relevance.ledger import Ledger
from interp.decomposition.relevance.modified_gradient import Backward, obstacle
from interp.decomposition.relevance.rules import Recipe
from interp.kinds import Relevance
from interp.models.finite import require_finite
from interp.models.hooked import HookedModel
from interp.models.sites import Site

Latent = Literal["stream", "heads", "neurons", "experts", "router", "pairs"]


@dataclass(frozen=True)
class GradientOptions:
    """What is explained, and which relevance inside the model is returned."""

    scale: Literal["logit", "logprob", "prob"] | None = Field(
        None,
        description="explain the answer's logit, log-probability or probability; by default the scale of the metric",
    )
    explain: str = Field(
        "",
        description="a site inside the model to explain instead of the answer: mlp_post[12]@-1.345, resid_post[20]@3",
    )
    latent: tuple[Latent, ...] = Field(
        ("stream", "heads"),
        description="relevance inside the model to return: stream, heads, neurons, experts, router, pairs (query, key)",
    )

    def applied_to(self, recipe: Recipe) -> Recipe:
        """The recipe as these options change it."""
        return recipe

    def reference(self, model: HookedModel) -> Tensor | None:
        """The embedding that every token is compared with, `d_model`; None where that is zero."""
        return None


@dataclass(frozen=True)
class RuleOptions(GradientOptions):
    """The same, for methods whose linear layers follow the ε-rule."""

    epsilon: float = Field(
        0.0,
        ge=0,
        le=1e12,
        allow_inf_nan=False,
        description="stabiliser of every linear layer: R / (z + ε·sign z); 0 is exact",
    )

    def applied_to(self, recipe: Recipe) -> Recipe:
        """The recipe with this ε."""
        return dataclasses.replace(recipe, epsilon=self.epsilon)


@dataclass(frozen=True)
class GimOptions(GradientOptions):
    """What is explained, and what the tokens are compared with."""

    temperature: Rate = Field(2.0, description="softmax temperature in the backward pass")
    baseline: str = Field(" ", description="baseline token that replaces every token; empty for zero embeddings")

    def applied_to(self, recipe: Recipe) -> Recipe:
        """The recipe with this temperature."""
        return dataclasses.replace(recipe, softmax_temperature=self.temperature)

    def reference(self, model: HookedModel) -> Tensor | None:
        """The baseline token's embedding. Raises: TargetError if it is not one token."""
        if not self.baseline:
            return None
        return model.weights.embedding(torch.tensor(token_id(model, self.baseline, "baseline"), device=model.device))


@dataclass(frozen=True)
class MixtureOptions(GradientOptions, Recipe):
    """A rule for each kind of module."""

    def applied_to(self, recipe: Recipe) -> Recipe:
        """The rules that are named."""
        return Recipe(**{field.name: getattr(self, field.name) for field in dataclasses.fields(Recipe)})


def relevance_by(
    name: str,
    recipe: Recipe,
    model: HookedModel,
    prompts: Prompts,
    metric: Metric | None,
    options: GradientOptions,
) -> Relevance:
    """The relevance of every token under `recipe`, with its ledger and the latent relevance that `options` keep.

    Where the options name a reference, a token's relevance is that of its difference from it, and what the reference
    has is an entry of the ledger, `input, baseline`.
    """
    recipe = options.applied_to(recipe)
    problem = _softmax_obstacle(model, recipe)
    if problem:
        raise EngineError(f"{model.name} does not support softmax_temperature: {problem}; leave it at 1")
    problem = {"experts", "router"} & {*options.latent} and model.site_obstacle(Site("router", 0))
    if problem:
        raise EngineError(f"{problem}, whose relevance `latent` asks for; leave it out")
    reference = options.reference(model)
    target = Target.of(model, prompts, metric, options.explain, options.scale)
    ledger = Ledger(model.dims, options.latent)
    backward = Backward(model, recipe, ledger)
    total, relevance = backward.run(prompts, target.metric, target.read, target.edits())
    if reference is not None:
        baseline = (reference * backward.gradient).sum(-1)
        ledger.absorb("input", "baseline", baseline.sum(-1))
        relevance = relevance - baseline
    require_finite(model, prompts, torch.cat([total, relevance.flatten()]))
    return Relevance.accounted(
        prompts,
        relevance,
        total,
        absorbed=ledger.ordered(),
        latent=ledger.latent_relevance(prompts),
        unit=target.unit,
        measured=f"{name}: relevance of each token for {target.label}",
    )


def _softmax_obstacle(model: HookedModel, recipe: Recipe) -> str | None:
    if recipe.softmax_temperature == 1:
        return None
    if model.edit_obstacle(Site("pattern", 0)):
        return "the gradient of its softmax cannot be replaced, as it ignores edits of its attention pattern"
    return model.site_obstacle(Site("scores", 0))


_COMMON_DOC = """

Returns relevance, axes `batch pos`, the ledger, and latent relevance: `stream` (`batch layer pos`), `heads`
(`batch layer head pos`), `neurons` (`batch layer neuron`), `experts` (`batch layer expert pos`), `router` (`batch
layer pos`: what passes through the router to what it reads), `pairs` (`batch layer head query_pos key_pos`).
Unit: that of what is explained (logits).
Raises: TargetError if nothing is asked; SiteError for an unknown place; EngineError where activations are not
finite; MemoryLimitError if the backward pass cannot fit.
"""


def recipe_engine(name: str, doc: str, recipe: Recipe, options: type[GradientOptions] = RuleOptions) -> EngineSpec:
    """The engine of a recipe; `doc` is its summary, then `Source:`, `Conserves:`, `Differs:`."""

    def run(model: HookedModel, prompts: Prompts, metric: Metric | None, options: Any) -> Relevance:
        return relevance_by(name, recipe, model, prompts, metric, options)

    run.__name__ = name.replace("-", "_")
    run.__doc__ = inspect.cleandoc(doc) + _COMMON_DOC
    run.__annotations__["options"] = options
    return engine(obstacle=lambda model: _softmax_obstacle(model, recipe) or obstacle(model))(run)


RECIPES = (
    recipe_engine(
        "attnlrp",
        """LRP through attention: products split relevance in half, norms are frozen, the softmax absorbs some.

        Source: Achtibat et al. 2024, "AttnLRP", section 3 (propositions 3.1-3.4).
        Conserves: tokens + biases + softmax + ε = the target, layer by layer.
        Differs: the softmax's Taylor expansion is its gradient; the ε-rule of linear layers is exact by default
        (ε = 0); the identity rule takes its analytic limit at 0. Σ relevance is not the target: the ledger says what
        the softmax absorbs.
        """,
        Recipe(norm="freeze", attention="half", activation="identity", product="half"),
    ),
    recipe_engine(
        "cp-lrp",
        """Conservative propagation: attention patterns, gates and norms are held constant, so relevance adds up.

        Source: Ali et al. 2022, "XAI for Transformers: Better Explanations through Conservative Propagation"; the
        gate according to Achtibat et al. 2024, appendix B.
        Conserves: without biases Σ relevance = the target; tokens + biases + ε = the target always.
        Differs: an MLP without a gate follows the identity rule.
        """,
        Recipe(norm="freeze", attention="values", activation="identity", product="up"),
    ),
    recipe_engine(
        "gradient-x-input",
        """The gradient at each token's embedding, times the embedding.

        Source: Shrikumar et al. 2016, "Not Just a Black Box"; Denil et al. 2014.
        Conserves: tokens + what norms, softmax, products, activations and biases absorb = the target.
        Differs: the ledger shows what norms, softmax, products and activations absorb, each by Euler's theorem:
        ⟨output, gradient⟩ − ⟨input, gradient⟩.
        """,
        Recipe(),
        GradientOptions,
    ),
    recipe_engine(
        "gim",
        """Gradients with a softened softmax, shared products and frozen norms, relative to a baseline token.

        The softmax's gradient is taken at a higher temperature, the attention products share their gradient (¼ to
        queries and keys, ½ to values), norms are frozen.
        Source: Edin et al. 2025, "GIM: Improved Interpretability for Large Language Models", section 3; defaults of
        the package gim-explain 0.1.4.
        Conserves: tokens + baseline + what softmax, products, activations and biases absorb = the target.
        Differs: the baseline's own relevance is an entry of the ledger.
        """,
        Recipe(norm="freeze", attention="half", softmax_temperature=2.0),
        GimOptions,
    ),
    recipe_engine(
        "lrp",
        """Any combination of relevance rules, one for each kind of module.

        Without any rule named, this is gradient × input.
        Source: Bach et al. 2015 and Achtibat et al. 2024 for the rules; Edin et al. 2025 for the temperature.
        Conserves: tokens + what every rule absorbs = the target.
        """,
        Recipe(),
        MixtureOptions,
    ),
)

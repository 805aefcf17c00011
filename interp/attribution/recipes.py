"""Options and results that every method by modified gradients shares."""

import dataclasses
from typing import Literal

import torch
from pydantic import Field
from pydantic.dataclasses import dataclass
from torch import Tensor

from interp.attribution.modified_gradient import Backward
from interp.attribution.rules import Recipe
from interp.attribution.targets import Target
from interp.core.metric import Metric
from interp.core.prompts import Prompts
from interp.core.relevance import Relevance
from interp.models.finite import require_finite
from interp.models.hooked import HookedModel

Latent = Literal["stream", "heads", "neurons", "pairs"]


@dataclass(frozen=True)
class GradientOptions:
    """What is explained, and which relevance inside the model is kept."""

    scale: Literal["logit", "logprob", "prob"] | None = Field(
        None, description="explain the answer's logit, log-probability or probability; by default as it was asked"
    )
    explain: str = Field(
        "", description="a place inside the model in the answer's stead: mlp_post[12]@-1.345, resid_post[20]@3"
    )
    latent: tuple[Latent, ...] = Field(
        ("stream", "heads"), description="relevance kept from inside: stream, heads, neurons, pairs (query, key)"
    )


@dataclass(frozen=True)
class RuleOptions(GradientOptions):
    """The same, for methods whose linear layers follow the ε-rule."""

    epsilon: float = Field(0.0, ge=0, description="stabiliser of every linear layer: R / (z + ε·sign z); 0 is exact")


def relevance_by(
    name: str,
    recipe: Recipe,
    model: HookedModel,
    prompts: Prompts,
    metric: Metric | None,
    options: GradientOptions,
    baseline: Tensor | None = None,
) -> Relevance:
    """The relevance of every token under `recipe`, with its ledger and the latent relevance that `options` keep.

    With `baseline` (`batch pos d_model`), a token's relevance is that of its difference from the baseline, and what
    the baseline has is an entry of the ledger.
    """
    target = Target.of(model, prompts, metric, options.explain, options.scale)
    backward = Backward(model, recipe, options.latent)
    total, relevance = backward.run(prompts, target.metric, target.read, target.edits())
    if baseline is not None:
        shared = (baseline * backward.gradient).sum(-1)
        backward.absorb("input", "baseline", shared.sum(-1))
        relevance = relevance - shared
    require_finite(model, prompts, torch.cat([total, relevance.flatten()]))
    return Relevance.accounted(
        prompts,
        relevance,
        total,
        absorbed=backward.ordered(),
        latent=backward.latent_relevance(prompts),
        unit=target.unit,
        measured=f"{name}: relevance of each token for {target.label}",
    )


def with_epsilon(recipe: Recipe, options: RuleOptions) -> Recipe:
    """The recipe with the ε that was asked for."""
    return dataclasses.replace(recipe, epsilon=options.epsilon)

"""GIM: gradients corrected for the softmax's saturation and for products counted twice."""

from dataclasses import replace

import torch
from pydantic import Field
from pydantic.dataclasses import dataclass

from interp.attribution.modified_gradient import obstacle
from interp.attribution.recipes import GradientOptions, relevance_by
from interp.attribution.rules import Recipe
from interp.core.engine import EngineSpec
from interp.core.metric import Metric, answer_id
from interp.core.prompts import Prompts
from interp.core.relevance import Relevance
from interp.models.hooked import HookedModel

RECIPE = Recipe(norm="freeze", attention="half")


@dataclass(frozen=True)
class GimOptions(GradientOptions):
    """What is explained, and what the tokens are compared with."""

    temperature: float = Field(2.0, gt=0, description="temperature of the softmax whose gradient is taken")
    baseline: str = Field(" ", description="the one token that every token is compared with; empty for zero")


def gim(model: HookedModel, prompts: Prompts, metric: Metric | None, options: GimOptions) -> Relevance:
    """Multiply each embedding's difference from a baseline token with a corrected gradient of the target.

    The softmax's gradient is taken at a higher temperature, the attention products share their gradient (¼ to queries
    and keys, ½ to values), norms are frozen.
    Returns relevance, axes `batch pos`, the ledger, and latent relevance as `attnlrp` does.
    Unit: that of what is explained (logits).
    Raises: TargetError if nothing is asked or the baseline is not one token; EngineError where activations are not
    finite; MemoryLimitError if the backward pass cannot fit.
    Source: Edin et al. 2025, "GIM: Improved Interpretability for Large Language Models", section 3; defaults as in the
    package gim-explain 0.1.4.
    Differs: what the baseline itself is given is an entry of the ledger.
    """
    recipe = replace(RECIPE, softmax_temperature=options.temperature)
    baseline = None
    if options.baseline:
        token = answer_id(model, options.baseline, "baseline")
        baseline = model.weights.embedding(torch.tensor(token, device=model.device))
    return relevance_by("gim", recipe, model, prompts, metric, options, baseline)


def _obstacle(model: HookedModel) -> str | None:
    if "pattern" in model.architecture.ignored:
        return "the gradient of its softmax cannot be changed, as it ignores edits of its attention pattern"
    return obstacle(model)


SPEC = EngineSpec(
    name="gim",
    run=gim,
    result=Relevance,
    options=GimOptions,
    asks="optional",
    summary="gradients with a softer softmax, shared products and frozen norms, against a baseline token",
    source="Edin et al. 2025, section 3",
    conserves="tokens + baseline + what softmax, products, activations and biases absorb = the target",
    obstacle=_obstacle,
)

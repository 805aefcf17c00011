"""Integrated gradients: the gradient averaged along the path from a baseline to the embeddings."""

from typing import Literal

import torch
from jaxtyping import Float
from pydantic import Field
from pydantic.dataclasses import dataclass
from torch import Tensor

from interp.attribution.backward.targets import Target
from interp.core.engine import engine
from interp.core.metric import Metric
from interp.core.options import BatchTokens
from interp.core.progress import track
from interp.core.prompts import Prompts
from interp.core.quadrature import Quadrature, Rule, quadrature
from interp.kinds import Relevance
from interp.models.edits import Edit
from interp.models.finite import require_finite
from interp.models.hooked import HookedModel
from interp.models.memory import require_memory_for_gradient
from interp.models.sites import Site

_EMBED = Site("embed")


@dataclass(frozen=True)
class IntegratedGradientsOptions:
    """The path, the quadrature rule, and what is explained."""

    steps: int = Field(
        50, ge=1, le=1000, description="points on the path; more points make the completeness gap smaller"
    )
    quadrature: Rule = Field("gauss-legendre", description="quadrature rule: positions and weights of the points")
    baseline: Literal["zero", "mean"] = Field(
        "zero", description="start of the path: zero embeddings, or the mean of the vocabulary's embeddings"
    )
    scale: Literal["logit", "logprob", "prob"] | None = Field(
        None,
        description="explain the answer's logit, log-probability or probability; by default the scale of the metric",
    )
    batch_tokens: BatchTokens = Field(1024, description="tokens per backward pass: several points share a pass")


@engine
def integrated_gradients(
    model: HookedModel, prompts: Prompts, metric: Metric, options: IntegratedGradientsOptions
) -> Relevance:
    """The gradient averaged along the path from a baseline to the embeddings.

    Average the gradient along the straight line from the baseline to the embeddings; times their difference.

    Returns relevance, axes `batch pos`, and the ledger: tokens + the target at the baseline + the completeness gap
    (the remainder, which the quadrature leaves) = the target. Position embeddings stay in place.
    Unit: that of what is explained (logits).
    Conserves: tokens + the target at the baseline + the completeness gap = the target.
    Raises: EngineError where activations are not finite; MemoryLimitError if the points of one pass cannot fit.
    Source: Sundararajan et al. 2017, equation 1 and proposition 1.
    Differs: Gauss-Legendre quadrature by default, which needs fewer points than the paper's Riemann sum.
    """
    target = Target.of(model, prompts, metric, "", options.scale).metric
    longest, points = int(prompts.mask.sum(-1).argmax()), max(1, options.batch_tokens // prompts.width)
    require_memory_for_gradient(model, prompts[[longest] * min(points, options.steps)])
    path = quadrature(options.quadrature, options.steps)
    relevance, total, at_baseline = torch.zeros(prompts.tokens.shape, dtype=torch.float64), [], []
    for row in range(len(prompts)):
        prompt, of_row = prompts[[row]], target.select([row])
        with torch.no_grad():
            trace = model.run(prompt, record=[_EMBED], answer=of_row)
            start = _baseline(model, trace[_EMBED], options.baseline)
            base = model.run(prompt, edits=[Edit.replace(_EMBED, start)], answer=of_row)
        gradient = _mean_gradient(model, prompt, of_row, path, start, trace[_EMBED], points)
        relevance[row, : prompt.width] = ((trace[_EMBED] - start)[0] * gradient).sum(-1).double().cpu()
        total.append(of_row.of_rows(trace.logits))
        at_baseline.append(of_row.of_rows(base.logits))
    require_finite(model, prompts, torch.cat([*total, relevance.flatten().to(total[0])]))
    return Relevance.accounted(
        prompts,
        relevance,
        torch.cat(total),
        absorbed={("input", "baseline"): torch.cat(at_baseline)},
        unit=target.unit,
        measured=f"integrated-gradients: relevance of each token for {target.label}, "
        f"{options.steps} points from {options.baseline} embeddings",
    )


def _mean_gradient(
    model: HookedModel,
    prompt: Prompts,
    metric: Metric,
    path: Quadrature,
    start: Tensor,
    end: Tensor,
    side_by_side: int,
) -> Float[Tensor, "pos d_model"]:
    """The weighted mean, over the points of the path, of the metric's gradient at the embeddings of one prompt."""
    mean = torch.zeros_like(end[0], dtype=torch.float64)
    parts = list(zip(path.points.split(side_by_side), path.weights.split(side_by_side), strict=True))
    for points, weights in track(parts, len(parts), "integrated-gradients"):
        many = [0] * len(points)
        along = points.to(end)[:, None, None]
        place = (start + along * (end - start)).requires_grad_()
        with torch.enable_grad():
            edits = [Edit.through(_EMBED, lambda value, place=place: place)]
            trace = model.run(prompt[many], edits=edits, answer=metric.select(many))
            (gradient,) = torch.autograd.grad(metric.select(many).of_rows(trace.logits).sum(), place)
        mean += torch.einsum("s,spd->pd", weights.to(gradient.device), gradient.double())
    return mean


def _baseline(model: HookedModel, embedding: Tensor, kind: str) -> Tensor:
    if kind == "zero":
        return torch.zeros_like(embedding)
    every = torch.arange(model.dims.vocab, device=embedding.device)
    return model.weights.embedding(every).mean(0).expand_as(embedding)

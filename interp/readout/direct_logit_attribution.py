"""Direct logit attribution: what each component writes along the direction of the answer."""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from interp.core.engine import engine
from interp.core.errors import EngineError
from interp.core.kinds import Contributions
from interp.core.metric import Metric
from interp.core.nodes import Node
from interp.core.prompts import Prompts
from interp.models.hooked import HookedModel, Trace
from interp.models.sites import Site


class Part(NamedTuple):
    """One component's contribution to every prompt; −1 where it has no layer or head."""

    name: str
    layer: int
    head: int
    value: Float[Tensor, "batch"]


def _obstacle(model: HookedModel) -> str | None:
    if model.is_classifier:
        return "a classifier reads its last layer through a nonlinear head, which does not split into parts"
    if model.architecture.stream == "post":
        return "its norms stand on the residual stream itself and its masked-LM head is nonlinear: no frozen-norm split"
    if getattr(model.config, "final_logit_softcapping", None):
        return "its soft cap on the logits does not split into parts"
    return model.architecture.unlisted


@engine(obstacle=_obstacle)
def direct_logit_attribution(model: HookedModel, prompts: Prompts, metric: Metric) -> Contributions:
    """What each head, MLP and the embedding write directly towards the answer.

    Split the logit difference into what each part of the residual stream adds to it, norms' divisors held fixed.

    One number per component, `batch component`: `embed`, then layer by layer `a{layer}.{head}`, `b{layer}` (the
    attention's output bias), `m{layer}`, and last `bias` (the final norm's shift and the unembedding bias).
    Unit: logits.
    Conserves: the parts and the remainder add up to the logit difference.
    Raises: EngineError if the metric is not on the logit scale.
    Source: Elhage et al. 2021, "A Mathematical Framework for Transformer Circuits"; Wang et al. 2022, section 3.1.
    Differs: the norms after attention and MLP that some families have (Gemma) are held fixed too.
    """
    if metric.scale != "logit":
        raise EngineError(
            f"direct-logit-attribution splits a logit, not a {metric.scale}; give a metric with scale='logit'"
        )
    names = ("embed", "pos_embed", "z", "mlp_write", "ln1_post_scale", "ln_final_scale")
    with torch.no_grad():
        trace = model.run(
            prompts, record=[site for name in names if model.has(name) for site in model.sites(name)], answer=metric
        )
        parts = list(_parts(model, trace, metric))
        total = metric.of_rows(trace.logits).double()
    values = torch.stack([part.value for part in parts], dim=-1)
    return Contributions.of(
        prompts,
        {"contribution": values, "total": ("batch", total), "remainder": ("batch", total - values.sum(-1))},
        axes="batch component",
        unit="logits",
        measured=f"direct contribution to {metric.label}, final norm frozen",
        sign="positive: the component writes in favour of the answer",
        component=[part.name for part in parts],
        layer=("component", [part.layer for part in parts]),
        head=("component", [part.head for part in parts]),
    )


def _parts(model: HookedModel, trace: Trace, metric: Metric) -> Iterator[Part]:
    """Every component in the order of computation, in float64: hundreds of terms are added up."""
    at_answer = {site: metric.at_answer(value).double() for site, value in trace.items()}
    direction = _unembedded(model, metric)
    weight, shift = model.weights.norm("ln_final")
    along = direction * weight.double() / at_answer[Site("ln_final_scale")]
    if model.architecture.norm == "layer":  # centring is symmetric: centre the direction rather than every part
        along = along - along.mean(-1, keepdim=True)
    for name in ("embed", "pos_embed"):
        if Site(name) in at_answer:
            yield Part(name, -1, -1, _dot(at_answer[Site(name)], along))
    for layer in range(model.dims.layers):
        yield from _attention_parts(model, at_answer, layer, along)
        yield Part(str(Node("m", layer)), layer, -1, _dot(at_answer[Site("mlp_write", layer)], along))
    bias = model.weights.unembedding_bias()
    constant = torch.zeros_like(along[:, 0]) if bias is None else metric.direction(bias[:, None])[:, 0]
    yield Part("bias", -1, -1, constant if shift is None else constant + direction @ shift.double())


def _attention_parts(
    model: HookedModel, at_answer: dict[Site, Tensor], layer: int, along: Float[Tensor, "batch d_model"]
) -> Iterator[Part]:
    if model.architecture.stream == "sandwich":
        weight, _ = model.weights.norm("ln1_post", layer)
        along = along * weight.double() / at_answer[Site("ln1_post_scale", layer)]
    z = at_answer[Site("z", layer)]
    shares = torch.einsum("bhd,hdm,bm->bh", z, model.weights.output(layer).double(), along)
    for head in range(model.dims.heads):
        yield Part(str(Node("a", layer, head)), layer, head, shares[:, head])
    bias = model.weights.output_bias(layer)
    if bias.any():
        yield Part(f"b{layer}", layer, -1, along @ bias.double())


def _unembedded(model: HookedModel, metric: Metric) -> Float[Tensor, "batch d_model"]:
    """W_U[target] − W_U[contrast] of every prompt."""
    return metric.direction(model.weights.unembedding().T)


def _dot(left: Float[Tensor, "batch d"], right: Float[Tensor, "batch d"]) -> Float[Tensor, "batch"]:
    return (left * right).sum(-1)

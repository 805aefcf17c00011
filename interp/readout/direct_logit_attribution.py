"""Direct logit attribution: what each component writes along the direction of the answer."""

from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor

from interp.core.engine import engine
from interp.core.metric import Metric
from interp.core.nodes import Node
from interp.core.prompts import Prompts
from interp.decomposition.linear_readout import (
    FrozenNorm,
    linear_readout,
    parts_obstacle,
    readout_sites,
    require_logits,
)
from interp.kinds import Contributions
from interp.models.hooked import HookedModel, Trace
from interp.models.sites import Site
from interp.models.writes import mlp_write

Part = tuple[Node, Float[Tensor, "batch"]]


@engine(obstacle=parts_obstacle)
def direct_logit_attribution(model: HookedModel, prompts: Prompts, metric: Metric) -> Contributions:
    """Direct contribution of each head, each MLP and the embedding to the answer.

    Split the logit difference into what each part of the residual stream adds to it, norms' divisors held fixed.

    One number per component, `batch component`: `embed`, then layer by layer `a{layer}.{head}`, `b{layer}` (the
    attention's output bias), `m{layer}` (in a mixture of experts, what each adds to it, `E{layer}.{expert}`, a shared
    one last), and last `bias` (the final norm's shift and the unembedding bias).
    Unit: logits.
    Conserves: the parts and the remainder add up to the logit difference.
    Raises: EngineError if the metric is not on the logit scale.
    Source: Elhage et al. 2021, "A Mathematical Framework for Transformer Circuits"; Wang et al. 2022, section 3.1.
    Differs: the norms after attention and MLP that some families have (Gemma) are held fixed too.
    """
    require_logits("direct-logit-attribution", metric)
    names = ("pos_embed", "z", mlp_write(model), "ln1_post_scale")
    sites = [site for name in names if model.has(name) for site in model.sites(name)]
    with torch.no_grad():
        trace = model.run(prompts, record=[Site("resid_pre", 0), *sites, *readout_sites(model)], answer=metric)
        nodes, parts = zip(*_parts(model, trace, metric), strict=True)
        total = metric.of_rows(trace.logits).double()
    values = torch.stack(parts, dim=-1)
    return Contributions.of(
        prompts,
        {"contribution": values, "total": total, "remainder": total - values.sum(-1)},
        measured=f"direct contribution to {metric.label}, final norm frozen",
        sign="positive: the component writes in favour of the answer",
        component=[str(node) for node in nodes],
        layer=("component", [node.layer for node in nodes]),
        head=("component", [node.index if node.kind == "a" else -1 for node in nodes]),
    )


def _parts(model: HookedModel, trace: Trace, metric: Metric) -> Iterator[Part]:
    """Every component's contribution in the order of computation, in float64: hundreds of terms are added up."""
    at_answer = {site: metric.at_answer(value).double() for site, value in trace.items()}
    along, constant = linear_readout(model, trace, metric)
    embedding, positions = at_answer[Site("resid_pre", 0)], at_answer.get(Site("pos_embed"))
    if positions is not None and not model.has("embed_ln_scale"):
        yield Node("embed"), ((embedding - positions) * along).sum(-1)
        yield Node("pos_embed"), (positions * along).sum(-1)
    else:
        yield Node("embed"), (embedding * along).sum(-1)
    for layer in range(model.dims.layers):
        yield from _attention_parts(model, at_answer, layer, along)
        write = at_answer[Site(mlp_write(model), layer)]
        nodes = [Node("E", layer, expert) for expert in range(model.dims.experts)] or [Node("m", layer)]
        for node, part in zip(nodes, write.reshape(len(write), len(nodes), -1).unbind(1), strict=True):
            yield node, (part * along).sum(-1)
    yield Node("bias"), constant


def _attention_parts(
    model: HookedModel, at_answer: dict[Site, Tensor], layer: int, along: Float[Tensor, "batch d_model"]
) -> Iterator[Part]:
    after = model.layer_map.attention.norm_after
    if after is not None:
        along = FrozenNorm.of(model, after.name, layer, at_answer[Site(after.scale, layer)]).read(along)
    z = at_answer[Site("z", layer)]
    shares = torch.einsum("bhd,hdm,bm->bh", z, model.weights.output(layer).double(), along)
    for head in range(model.dims.heads):
        yield Node("a", layer, head), shares[:, head]
    bias = model.weights.output_bias(layer)
    if bias.any():
        yield Node("b", layer), along @ bias.double()

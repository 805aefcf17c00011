"""Chefer et al.'s attribution: attention weighted by its relevance and gradient, multiplied through the layers."""

import torch
from jaxtyping import Float
from pydantic import Field
from pydantic.dataclasses import dataclass
from torch import Tensor

from interp.attribution.backward.alpha_beta import (
    per_query_and_key,
    quotient,
    through_linear,
    through_sum,
    through_weighted_sum,
)
from interp.attribution.mixing.matrices import answer_row, at_answer, carried, row_normalised
from interp.core.engine import engine
from interp.core.metric import Metric
from interp.core.progress import track
from interp.core.prompts import Prompts
from interp.decomposition.linear_readout import answer_direction
from interp.kinds import Relevance
from interp.models.attention import repeat_kv
from interp.models.edits import Edit
from interp.models.finite import require_finite
from interp.models.hooked import HookedModel, Trace
from interp.models.sites import Site

_SITES = (
    "resid_pre", "resid_mid", "attn_write", "mlp_write", "pattern", "z", "v", "q", "k", "q_norm_out", "k_norm_out",
    "rot_q", "rot_k", "rot_cos", "rot_sin", "mlp_post",
)  # fmt: skip
_HEAD_SITES = ("ln_final_out", "pooler_post")


@dataclass(frozen=True)
class CheferOptions:
    """How the answer position itself is counted."""

    own_position: bool = Field(
        False,
        description="keep the share of the answer position itself, which the added identity makes by far the largest",
    )


def _obstacle(model: HookedModel) -> str | None:
    if model.dims.experts:
        return "its MLPs are mixtures of experts, for whose router the method has no rule"
    return model.obstacle("layers", "mlp", "turning", "attention", "readout")


@engine(obstacle=_obstacle)
def chefer(model: HookedModel, prompts: Prompts, metric: Metric, options: CheferOptions) -> Relevance:
    """Attention weighted by its relevance and gradient, multiplied through the layers.

    Multiply every layer's I + C, C = mean over heads of (∇A ⊙ R_A)⁺, and take the row where the answer is read.

    R_A is the relevance of an attention map, walked back from the answer by the α = 1, β = 0 rule; ∇A its gradient of
    the metric. Relevance `batch pos`, at least 0, and `stream` (`batch layer pos`): the answer's row out of each layer.
    The share that stays at the answer's own position is no token's but an entry of the ledger, as the source does.
    Unit: fraction; the shares and the answer's own add up to one. Nothing adds up to the metric.
    Conserves: the shares add up to one; nothing adds up to the metric.
    Raises: MemoryLimitError if the attention maps cannot be held; EngineError for activations that are not finite.
    Source: Chefer et al. 2021 (CVPR), section 3.
    Differs: rows of I + C are divided by their sum. The walk begins at the answer's weight vector less the contrast's,
    as at one neuron. Relevance passes unchanged through norms, softmax and activations (as in the source); half goes to
    each factor of a gated product; the rotation of queries and keys belongs to their product; heads that share keys
    and values add up theirs; three terms of one sum (GPT-NeoX) are treated as two are. No term is added to a divisor:
    what is divided by zero is zero.
    """
    trace, gradients = _run_with_gradients(model, prompts, metric)
    stream = [answer_row(model, prompts, metric)]
    with torch.no_grad():
        require_finite(model, prompts, trace.logits)
        walk = _Walk(model, trace)
        relevance = walk.start(metric, stream[0])
        for layer in track(reversed(range(model.dims.layers)), model.dims.layers, "chefer"):
            pattern, relevance = walk.through_layer(layer, relevance)
            mixing = _mixing(pattern, walk.pattern_gradient(layer, gradients.pop()))
            stream.append(carried(stream[-1], mixing))
    relevance, own = stream.pop(), stream[0]
    absorption = {} if options.own_position else {("output", "own position"): (relevance * own).sum(-1)}
    return Relevance.accounted(
        prompts,
        relevance if options.own_position else relevance * (1 - own),
        torch.ones(len(prompts)),
        absorbed=absorption,
        latent={"stream": torch.stack(stream[::-1], dim=1)},
        unit="fraction",
        measured=f"share of the attention that is relevant to {metric.label}, multiplied through the layers",
        sign="never negative: only evidence for the answer is kept",
    )


def _run_with_gradients(
    model: HookedModel, prompts: Prompts, metric: Metric
) -> tuple[Trace, list[Float[Tensor, "batch pos head d_head"]]]:
    """What the run held, and the metric's gradient at every layer's weighted values (`z`)."""
    names = [*_SITES, model.layer_map.attention.reads, model.layer_map.mlp.reads]
    sites = {site for name in names if model.has(name) for site in model.sites(name)}
    sites |= {Site(name) for name in _HEAD_SITES if model.has(name)} | {Site("resid_post", model.dims.layers - 1)}
    patterns: list[Tensor] = []

    def keep(value: Tensor) -> Tensor:
        patterns.append(value)
        return value  # so that the model goes on with this very tensor, whatever layout it had

    edits = [Edit.through(Site("embed"), lambda value: value.detach().requires_grad_())]
    edits += [Edit.through(site, keep) for site in model.sites("z")]
    with torch.enable_grad():
        trace = model.run(prompts, record=sites, edits=edits, answer=metric)
        gradients = torch.autograd.grad(metric.of_rows(trace.logits).sum(), patterns)
    return trace, list(gradients)


def _mixing(
    relevance: Float[Tensor, "batch head query_pos key_pos"], gradient: Float[Tensor, "batch head query_pos key_pos"]
) -> Float[Tensor, "batch query_pos key_pos"]:
    positive = (gradient * relevance).clamp(min=0).mean(1)
    return row_normalised(positive + torch.eye(positive.shape[-1], dtype=positive.dtype, device=positive.device))


class _Walk:
    """Relevance from the answer down the layers, in float64: it is made of quotients."""

    def __init__(self, model: HookedModel, trace: Trace) -> None:
        self.model, self.trace, self.weights = model, trace, model.weights

    def start(self, metric: Metric, answer: Float[Tensor, "batch pos"]) -> Float[Tensor, "batch pos d_model"]:
        """Relevance of the last layer's stream: one, at the answer, through the head."""
        stream = self.trace[Site("pooler_post" if self.model.pools else "ln_final_out")]
        terms = (metric.at_answer(stream) * answer_direction(self.model, metric)).clamp(min=0)
        relevance = quotient(terms, terms.sum(-1, keepdim=True))
        head = self.model.head_layer
        if head is not None:
            last = at_answer(answer, self._site("resid_post", self.model.dims.layers - 1))
            relevance = through_linear(relevance, last, head.linear.matrix)
        return answer[..., None] * relevance[:, None]

    def through_layer(
        self, layer: int, relevance: Float[Tensor, "batch pos d_model"]
    ) -> tuple[Float[Tensor, "batch head query_pos key_pos"], Float[Tensor, "batch pos d_model"]]:
        """Relevance of a layer's attention maps, and of the stream into it (the first layer's is not needed)."""
        before, attention, mlp = (self._site(name, layer) for name in ("resid_pre", "attn_write", "mlp_write"))
        if self.model.layer_map.parallel:
            relevance, of_attention, of_mlp = through_sum(relevance, before, attention, mlp)
            relevance = relevance + self._mlp(layer, of_mlp)
        else:
            relevance, of_mlp = through_sum(relevance, self._site("resid_mid", layer), mlp)
            relevance, of_attention = through_sum(relevance + self._mlp(layer, of_mlp), before, attention)
        pattern, of_values = self._attention(layer, of_attention)
        if layer:
            relevance = relevance + self._projections(layer, pattern, of_values)
        return pattern, relevance

    def pattern_gradient(
        self, layer: int, gradient: Float[Tensor, "batch pos head d_head"]
    ) -> Float[Tensor, "batch head query_pos key_pos"]:
        """∇A from the gradient at z = A · v, which holds whatever the family lets be edited."""
        return torch.einsum("bqhd,bkhd->bhqk", gradient.double(), self._repeat(self._site("v", layer)))

    def _mlp(self, layer: int, relevance: Float[Tensor, "batch pos d_model"]) -> Float[Tensor, "batch pos d_model"]:
        stream = self._site(self.model.layer_map.mlp.reads, layer)
        neurons = through_linear(relevance, self._site("mlp_post", layer), self.weights.mlp_out(layer).matrix)
        pre, up = self.weights.mlp_pre(layer).matrix, self.weights.mlp_up(layer)
        if up is None:
            return through_linear(neurons, stream, pre)
        return through_linear(neurons / 2, stream, pre) + through_linear(neurons / 2, stream, up.matrix)

    def _attention(
        self, layer: int, relevance: Float[Tensor, "batch pos d_model"]
    ) -> tuple[Float[Tensor, "batch head query_pos key_pos"], Float[Tensor, "batch key_pos head d_head"]]:
        """Relevance of the attention maps, and of the values as each head uses them."""
        z = self._site("z", layer)
        of_z = through_linear(relevance, z.flatten(2), self.weights.output(layer).flatten(0, 1)).view_as(z)
        return through_weighted_sum(
            of_z, z, self._site("pattern", layer).double(), self._repeat(self._site("v", layer))
        )

    def _projections(
        self,
        layer: int,
        of_scores: Float[Tensor, "batch head query_pos key_pos"],
        of_values: Float[Tensor, "batch key_pos head d_head"],
    ) -> Float[Tensor, "batch pos d_model"]:
        """Relevance of what queries, keys and values are computed from."""
        has, weights = self.model.has, self.weights
        turned_q, turned_k = (self._site(self.model.score_site(side), layer) for side in "qk")
        per_query, per_key = per_query_and_key(of_scores, turned_q.double(), self._repeat(turned_k))
        per_key = self._pool(per_key)
        if has("rot_q"):
            cos, sin = self._site("rot_cos", layer), self._site("rot_sin", layer)
            per_query, per_key = self.model.rotated(per_query, cos, -sin), self.model.rotated(per_key, cos, -sin)
        queries, keys = (self._site(f"{side}_norm_out" if has("q_norm_out") else side, layer) for side in "qk")
        stream = self._site(self.model.layer_map.attention.reads, layer)
        return (
            through_linear((per_query * queries).flatten(2), stream, weights.projection("q", layer).joined().matrix)
            + through_linear((per_key * keys).flatten(2), stream, weights.projection("k", layer).joined().matrix)
            + through_linear(self._pool(of_values).flatten(2), stream, weights.projection("v", layer).joined().matrix)
        )

    def _site(self, name: str, layer: int) -> Tensor:
        return self.trace[Site(name, layer)]

    def _repeat(self, values: Float[Tensor, "batch pos kv_head d_head"]) -> Float[Tensor, "batch pos head d_head"]:
        return repeat_kv(values.double(), self.model.dims.heads)

    def _pool(self, relevance: Float[Tensor, "batch pos head d_head"]) -> Float[Tensor, "batch pos kv_head d_head"]:
        """The relevance of keys or values that several query heads share."""
        return relevance.unflatten(2, (self.model.dims.kv_heads, -1)).sum(3)

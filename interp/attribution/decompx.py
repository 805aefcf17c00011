"""DecompX: every position's vector split by token of origin, through all components to the logits."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from interp.core.engine import engine
from interp.core.metric import Metric
from interp.core.progress import track
from interp.core.prompts import Prompts
from interp.decomposition.linear_readout import FrozenNorm, require_logits, walk_obstacle
from interp.decomposition.walk import Function, Totals, Walk, mixed
from interp.kinds import Relevance
from interp.models.attention import repeat_kv
from interp.models.finite import require_finite
from interp.models.hooked import HookedModel
from interp.models.memory import require_memory_for_parts
from interp.models.slope import slope
from interp.models.weights import Linear


@dataclass(frozen=True)
class TokenRules:
    """Parts add up to the total, one a token.

    Source: Modarressi et al. 2023, section 3.

    Differs: a gated MLP, which the paper has not, gives half of the product
    to each factor.
    """

    def linear(self, parts: Tensor, linear: Linear, total: Tensor) -> Tensor:
        """W x_k, and of the bias the share |b · W x_k|."""
        out = parts @ linear.matrix
        return out if linear.bias is None else out.addcmul_(_share(out, linear.bias), linear.bias)

    def norm(self, parts: Tensor, norm: FrozenNorm, total: Tensor) -> Tensor:
        """Centred by its own mean, divided by the total's divisor, the shift split as a bias is."""
        out = norm.sent(parts)
        return out if norm.shift is None else out.addcmul_(_share(out, norm.shift), norm.shift)

    def nonlinearity(self, parts: Tensor, function: Function, total: Tensor) -> Tensor:
        """Every part times the total's slope f(x) / x."""
        return parts * slope(function, total)

    def gated(self, gate: Tensor, up: Tensor, function: Function, gate_total: Tensor, up_total: Tensor) -> Tensor:
        """½ f(x)/x · x_k · up + ½ f(x) · up_k."""
        ratio = slope(function, gate_total) / 2
        return (gate * (ratio * up_total)).addcmul_(up, ratio * gate_total)

    def attention(self, walk: Walk, layer: int, parts: Tensor, rows: slice) -> Tensor:
        """Σ_h Σ_j α_ij x_jk W, with the pattern of the run; the biases of values and output are split together."""
        pattern = walk.totals("pattern", layer)[:, rows]
        values = walk.model.weights.projection("v", layer).to(parts.dtype)
        heads = (parts @ values.joined().matrix).unflatten(-1, (len(values.matrix), -1))
        bias = walk.output_bias(layer)
        if values.bias is not None:
            each = repeat_kv(values.bias, len(pattern), 0)
            share = torch.einsum("hq,hd,hdm->qm", pattern.sum(-1), each, walk.model.weights.output(layer).to(parts))
            bias = share if bias is None else bias + share
        return walk.attended(layer, mixed(pattern, heads), bias, rows)


def _share(parts: Tensor, constant: Tensor) -> Float[Tensor, "part ... one"]:
    """AbsDot: how much of a constant each part gets, |b · x_k| of the sum over parts; alike where all are 0."""
    size = (parts * constant).sum(-1, keepdim=True).abs()
    whole = size.sum(0, keepdim=True)
    return torch.where(whole > 0, size / whole, 1 / len(parts))


@engine(obstacle=walk_obstacle)
def decompx(model: HookedModel, prompts: Prompts, metric: Metric) -> Relevance:
    """Each token's share of the answer, propagated through all components.

    Split every position's vector by token, x_i = Σ_k x_i⇐k, and carry the parts through all components.

    A token's relevance is its part of the metric. It begins with all that enters the first layer at its position: its
    embedding, and those of its position and segment where the model has them. Attention patterns, norms'
    divisors and a router's weights are those of the run; biases are split by AbsDot; a nonlinearity passes every part
    at its slope f(x) / x.

    Unit: logits.
    Conserves: the tokens add up to the target.
    Raises: EngineError if the metric is not on the logit scale; MemoryLimitError, the parts being `pos pos d_model`.
    Source: Modarressi et al. 2023, "DecompX: Explaining Transformers Decisions by Propagating Token Decomposition",
    section 3.
    Differs: decoders too, with rotary positions, grouped heads and RMS norms; a gated MLP gives half of its product to
    each factor; a bias that is orthogonal to all parts is split evenly; the last layer is computed at the one position
    that the answer is read from.
    """
    require_logits("decompx", metric)
    relevance = torch.zeros(prompts.mask.shape, dtype=torch.float64)
    values = torch.zeros(len(prompts), dtype=torch.float64)
    with torch.no_grad():
        for row in track(range(len(prompts)), len(prompts), "decomposing prompts"):
            values[row], parts = _token_parts(model, prompts[[row]], metric.select([row]))
            require_finite(model, prompts[[row]], parts)
            relevance[row, : len(parts)] = parts.cpu()
    return Relevance.accounted(
        prompts, relevance, values, unit=metric.unit, measured=f"each token's share of {metric.label}"
    )


def _token_parts(model: HookedModel, prompt: Prompts, metric: Metric) -> tuple[float, Float[Tensor, "pos"]]:
    """The metric of one prompt, and each token's part of it."""
    require_memory_for_parts(model, prompt.width, prompt.width, max(4, model.dtype.itemsize))
    totals = Totals(model, prompt, metric, pattern=True)
    walk = Walk(model, totals, TokenRules())
    position = 0 if metric.positions is None else metric.positions[0]
    stream = torch.diag_embed(totals("resid_pre", 0).T).permute(1, 2, 0)
    logits = walk.answer(walk.layers(stream, position=position), position)
    return totals.metric, metric.select([0] * len(logits)).of_rows(logits).double()

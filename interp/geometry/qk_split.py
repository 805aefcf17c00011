"""QK split: attention scores split into position, context and residual terms."""

from dataclasses import asdict
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from pydantic import Field
from pydantic.dataclasses import dataclass
from torch import Tensor

from interp.core.engine import engine
from interp.core.errors import OptionError, PromptError
from interp.core.options import Index
from interp.core.prompts import Prompts
from interp.decomposition.linear_readout import FrozenNorm
from interp.geometry.positions.parts import Parts, PositionOptions
from interp.kinds import QKSplit
from interp.models.attention import repeat_kv, visible
from interp.models.hooked import HookedModel, Trace
from interp.models.sites import Site

_SITES = (
    "resid_pre ln1_in ln1_scale ln1_out q k q_norm_scale q_norm_out k_norm_scale k_norm_out rot_cos rot_sin".split()
)


@dataclass(frozen=True)
class QKSplitOptions(PositionOptions):
    """Which head is shown token by token, and which windows the position part is estimated on."""

    layer: Index = Field(0, description="layer of the head whose scores are shown")
    head: Index = Field(0, description="the head")


@engine(obstacle=lambda model: model.obstacle("layers", "turning", "attention"))
def qk_split(model: HookedModel, prompts: Prompts, options: QKSplitOptions) -> QKSplit:
    """One head's attention scores split into position, context and residual terms, and every head's shares.

    The stream into a layer is μ + pos[t] + ctx + resid[t]: μ and pos of the corpus, ctx the mean of what these leave
    of the prompt, resid the rest; before the first `skip` positions pos is 0. With every norm's divisor held at what
    it was, queries and keys are affine in the stream, and a score is a sum over pairs of parts. `position` has the
    pairs of μ (with the biases) and pos, `context` the others without resid, `residual` those with it:
    `batch query_pos key_pos` for one head, NaN at keys that the query cannot see, with the `remainder`.

    A share (`batch layer head`, every head) is Σ cov(term, score) / Σ var(score) over the keys of a query, summed over
    queries; queries and keys before `skip`, which have no position part, are left out. NaN for a head whose scores do
    not vary. The shares add up to 1 and lie outside 0 to 1 where terms cancel each other: `cross_share` is what their
    covariances with each other add, 1 − Σ var(term) / Σ var(score).
    Unit: logits of the attention's softmax; shares of variance.
    Conserves: the terms and the remainder add up to the attention scores before masking.
    Raises: OptionError for a layer or head that is not there; PromptError for a prompt longer than the windows;
    CorpusError for a folder of another model.
    Source: Song & Zhong 2023, "Uncovering hidden geometry in Transformers via disentangling position and context",
    section 4.
    Differs: the norm's divisor is the token's own, where the paper's code norms every part alone and so misses the
    scores; ctx is the prompt's, less the position parts that a short prompt happens to have.
    """
    _check(model, options)
    parts = Parts.asked(model, options)
    windows = options.skip + parts.position.shape[1]
    if prompts.width > windows:
        raise PromptError(
            f"a prompt of {prompts.width} tokens is longer than the windows of {windows} tokens that position parts "
            "come from; shorten it, or give a larger length"
        )
    more = ["scores"] if model.has("scores") else []
    with torch.no_grad():
        trace = model.record(
            prompts, [site for name in (*_SITES, *more) if model.has(name) for site in model.sites(name)]
        )
        shares, tables = [], None
        for layer in range(model.dims.layers):
            streams = _streams(trace[Site("resid_pre", layer)].double(), prompts, parts, layer)
            terms = _terms(model, trace, streams, layer)
            visible_pairs, score = _scores(model, trace, prompts, layer)
            shares.append(_shares(terms, visible_pairs, options.skip))
            if layer == options.layer:
                tables = {"score": score, **terms._asdict(), "remainder": score - terms.total}
                tables = {name: _blank(values, visible_pairs)[:, options.head] for name, values in tables.items()}
    assert tables is not None
    of_heads = {
        f"{name}_share": torch.stack([share[name] for share in shares], 1) for name in (*Terms._fields, "cross")
    }
    return QKSplit.of(
        prompts,
        tables | of_heads,
        measured=f"scores of a{options.layer}.{options.head} as position + context + residual, and every head's shares",
        sign="positive: increases the query's attention to the key",
    )


class Terms(NamedTuple):
    """What a layer's attention scores are made of."""

    position: Float[Tensor, "batch head query_pos key_pos"]
    context: Float[Tensor, "batch head query_pos key_pos"]
    residual: Float[Tensor, "batch head query_pos key_pos"]

    @property
    def total(self) -> Float[Tensor, "batch head query_pos key_pos"]:
        """The scores."""
        return self.position + self.context + self.residual


def _streams(
    stream: Float[Tensor, "batch pos d_model"], prompts: Prompts, parts: Parts, layer: int
) -> Float[Tensor, "part batch pos d_model"]:
    """The stream as μ + pos, ctx, and resid."""
    base = parts.mean[layer].to(stream).expand(prompts.width, -1).clone()
    base[parts.skip :] += parts.position[layer, : max(0, prompts.width - parts.skip)].to(stream)
    rest = stream - base
    mask = prompts.mask.to(stream)
    mask[:, : parts.skip] = 0
    context = torch.einsum("bpd,bp->bd", rest, mask) / mask.sum(1, keepdim=True).clamp(min=1)
    context = context[:, None].expand_as(stream)
    return torch.stack([base.expand_as(stream), context, rest - context])


def _terms(model: HookedModel, trace: Trace, streams: Float[Tensor, "part batch pos d_model"], layer: int) -> Terms:
    """Every pair of parts, sorted into terms."""
    norm = model.layer_map.attention.norm_before
    if norm is not None:
        streams = _norm_parts(model, trace, norm.name, streams, layer)
    query, key = (_heads(model, trace, name, streams, layer) for name in "qk")
    query, key = query * model.weights.attention_scale(layer), repeat_kv(key, model.dims.heads, 3)

    def pairs(queries: Tensor, keys: Tensor) -> Tensor:
        return torch.einsum("bqhe,bkhe->bhqk", queries, keys)

    ours, theirs = query[0] + query[1], key[0] + key[1]
    return Terms(
        pairs(query[0], key[0]),
        pairs(query[0], key[1]) + pairs(query[1], theirs),
        pairs(query[2], theirs + key[2]) + pairs(ours, key[2]),
    )


def _heads(
    model: HookedModel, trace: Trace, name: str, streams: Float[Tensor, "part batch pos d_model"], layer: int
) -> Float[Tensor, "part batch pos head d_head"]:
    """Parts of queries (`q`) or keys (`k`) as they meet, in every head; what is constant goes with the first part."""
    linear = model.weights.projection(name, layer)
    vectors = torch.einsum("nbpd,hde->nbphe", streams, linear.matrix.to(streams))
    if linear.bias is not None:
        vectors[0] += linear.bias.to(vectors)
    if model.has(f"{name}_norm_out"):
        vectors = _norm_parts(model, trace, f"{name}_norm", vectors, layer)
    if model.has("rot_cos"):
        cos, sin = (trace[Site(site, layer)].to(vectors) for site in ("rot_cos", "rot_sin"))
        vectors = model.rotated(vectors.flatten(0, 1), cos, sin).unflatten(0, vectors.shape[:2])
    return vectors


def _norm_parts(
    model: HookedModel, trace: Trace, name: str, parts: Float[Tensor, "part ..."], layer: int
) -> Float[Tensor, "part ..."]:
    """Parts of a norm's output, its divisor held fixed; the shift goes with the first part."""
    norm = FrozenNorm.as_computed(model, name, layer, lambda site: trace[Site(site, layer)].to(parts))
    parts = norm.sent(parts)
    if norm.shift is not None:
        parts[0] += norm.shift.to(parts)
    return parts


def _scores(
    model: HookedModel, trace: Trace, prompts: Prompts, layer: int
) -> tuple[Bool[Tensor, "batch head query_pos key_pos"], Float[Tensor, "batch head query_pos key_pos"]]:
    """Which keys a query sees, and the scores of the run: recorded, or its queries times its keys."""
    if model.has("scores"):
        score = trace[Site("scores", layer)]
    else:
        query, key = (trace[Site(name, layer)] for name in "qk")
        score = torch.einsum("bqhe,bkhe->bhqk", query, key) * model.weights.attention_scale(layer)
    real = prompts.mask.to(score.device)
    visible_pairs = real[:, None, :, None] & real[:, None, None] & visible(score)
    return visible_pairs, score.double()


def _shares(
    terms: Terms, visible_pairs: Bool[Tensor, "batch head query_pos key_pos"], skip: int
) -> dict[str, Float[Tensor, "batch head"]]:
    """What of the scores' variance over a query's keys each term explains, and what the terms' covariances add."""
    mask = visible_pairs.clone()
    mask[..., :skip] = False
    mask[..., :skip, :] = False

    def centred(values: Tensor) -> Tensor:
        mean = values.where(mask, 0).sum(-1, keepdim=True) / mask.sum(-1, keepdim=True).clamp(min=1)
        return (values - mean).where(mask, 0)

    total, parts = centred(terms.total), {name: centred(term) for name, term in terms._asdict().items()}
    variance = total.square().sum((-1, -2))
    shares = {name: torch.einsum("bhqk,bhqk->bh", part, total) / variance for name, part in parts.items()}
    own = sum(part.square().sum((-1, -2)) for part in parts.values())
    return shares | {"cross": 1 - own / variance}


def _blank(values: Tensor, visible_pairs: Tensor) -> Tensor:
    return values.masked_fill(~visible_pairs, torch.nan)


def _check(model: HookedModel, options: QKSplitOptions) -> None:
    for name, limit in (("layer", model.dims.layers), ("head", model.dims.heads)):
        value = asdict(options)[name]
        if value >= limit:
            raise OptionError(f"qk-split, {name} = {value}: {model.name} has 0 to {limit - 1}")

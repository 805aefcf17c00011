"""What every engine owes, whatever the model: nothing left behind, a batch is its prompts, sums close."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import Any, Self

import numpy as np
import torch
import xarray as xr

from interp.core.engine import EngineSpec
from interp.core.metric import Metric
from interp.core.prompts import PromptPairs, Prompts
from interp.core.result import Result
from interp.kinds import LayerReadout, Patterns
from interp.models import Edit, HookedModel, Site

# Options of engines that take long, where any result will do and a good one is not needed.
QUICK: dict[str, dict[str, Any]] = {
    "acdc": {"prefilter": 40, "tau": 1e-6},
    "edge-pruning": {"steps": 5},
    "subnetwork-probing": {"steps": 5},
    "qk-split": {"windows": 4, "length": 64},
    "attention-sinks": {"first_query": 1, "least": 0.5, "ratio": 2, "top": 2},
    "attention-dispersion": {"shorter": 4},
    "lazy-layers": {"first": 1, "recent": 2},
    "activation-sparsity": {"fractions": (0.5,)},
    "feature-ablation": {"windows": 2, "length": 32, "draws": 2},
    "circuit-evidence": {"draws": 1, "knockouts": 1, "tested_nodes": 3, "tested_edges": 4},
    "feature-disentanglement": {"skip": 0, "draws": 5},
    "disentanglement": {"latents": "stream", "skip": 0, "draws": 5},
    "probe": {"labels": "half", "skip": 0, "changed": 3},
    "recoverability": {"skip": 0, "descents": 1, "steps": 2},
    "path-patching": {"senders": ("a0.1", "a1.2")},
    "cdt-circuit": {"rounds": 1},
    "integrated-gradients": {"steps": 5},
    "faithfulness": {"methods": ("attnlrp", "rollout"), "steps": 3, "orders": 2},
    "agreement": {"methods": ("attnlrp", "rollout")},
    "representational-collapse": {"counts": (1, 2, 16)},
    "mlp-memory": {"windows": 2},
    "causal-tracing": {"draws": 2},
    "loss-curvature": {"examples": ("to the store",)},
    "bilinear-reading": {"windows": 2},
    "rank-one-edit": {"steps": 3, "windows": 2},
    "steer": {"direction": "random", "skip": 0},
    "dose-curve": {"direction": "random", "strengths": (0.1,), "draws": 2, "windows": 2, "length": 16, "skip": 0},
    "sva-benchmark": {"methods": ("attnlrp", "rollout"), "n": 4},
}
EVEN = (
    "position-context",
    "layer-redundancy",
    "layer-removal",
    "block-replacement",
)  # engines that read windows, prompts of one length
_TEXT = "When Mary and John went to the store, John gave a drink to"
_LONG, _SHORT = 8, 3  # tokens of the two prompts


def pairs_of(model: HookedModel, *, even: bool = False) -> PromptPairs:
    """Two aligned pairs of ordinary tokens with a question, for a model with any tokenizer.

    Of different lengths; where `even`, of the same.
    """
    special = {*model.tokenizer.all_special_ids}
    tokens = model.encode("" if model.program else _TEXT)
    before = list(takewhile(special.__contains__, tokens))
    after = list(takewhile(special.__contains__, reversed(tokens)))[::-1]
    words = range(model.vocabulary_size)[: model.context_length] if model.program else tokens
    plain = [token for token in words if token not in special]
    long = min(_LONG, len(plain) - 1)
    rows = [plain[:long], plain[1 : 1 + (long if even else min(_SHORT, long - 1))]]
    changed = [[row[0], plain[-1] if row[1] != plain[-1] else plain[0], *row[2:]] for row in rows]
    if not model.is_causal and model.tokenizer.mask_token is not None and not model.pools:
        after = [model.tokenizer.mask_token_id, *after]
    clean, corrupted = ([[*before, *row, *after] for row in side] for side in (rows, changed))
    prompts = Prompts.of_tokens(model, clean)
    answers = (0, 1) if model.is_classifier else tuple(dict.fromkeys(plain))[2:4]
    right, wrong = (((answer,),) * 2 for answer in answers)
    positions = None if model.pools else prompts.answer_positions(model)
    named, other = ((model.answer_label(answer),) * 2 for answer in answers)
    metric = Metric(right, wrong, positions, named, other)
    return PromptPairs(replace(prompts, metric=metric), replace(Prompts.of_tokens(model, corrupted), metric=metric))


def hooks(model: HookedModel) -> dict[str, list[int]]:
    """Every hook on every module: the bridge has some of its own."""
    kinds = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    return {name: [key for kind in kinds for key in getattr(m, kind)] for name, m in model.bridge.named_modules()}


@dataclass(frozen=True)
class State:
    """What a run must leave as it was: hooks, gradients, evaluation mode and logits."""

    model: HookedModel
    prompts: Prompts
    hooks: dict[str, list[int]]
    grad_enabled: bool
    logits: torch.Tensor

    @classmethod
    def of(cls, model: HookedModel, prompts: Prompts) -> Self:
        """The state now."""
        logits = model.logits(prompts)  # the first run: the bridge places hooks of its own
        return cls(model, prompts, hooks(model), torch.is_grad_enabled(), logits)

    def changes(self) -> Iterator[str]:
        """What is no longer as it was, in words."""
        original, bridge = self.model.bridge.original_model, self.model.bridge
        if hooks(self.model) != self.hooks or any("forward" in block.__dict__ for block in bridge.blocks):
            yield "leaves hooks behind"
        if any(parameter.requires_grad for parameter in bridge.parameters()):
            yield "leaves weights that take gradients"
        if original.training or torch.is_grad_enabled() != self.grad_enabled:
            yield "leaves another mode"
        if not torch.equal(self.model.logits(self.prompts), self.logits):
            yield "leaves other logits"


def batch_and_singles(
    spec: EngineSpec, model: HookedModel, pairs: PromptPairs
) -> Iterator[tuple[xr.Dataset, xr.Dataset]]:
    """Results that have to be the same: each prompt's out of a batch of two, and alone.

    Of a result over all prompts: a prompt's given twice, and once.
    """

    def run(rows: Any) -> Result:
        return spec(model, pairs[rows], **QUICK.get(spec.name, {}))

    together = run(slice(None)).data
    if "batch" not in together.dims:
        once, twice = run([0]).data, run([0, 0]).data
        # A random control is another for every prompt, and a window has a place of its own. Controls come last.
        if "arrangement" in once.dims:
            once, twice = (data.isel(arrangement=0).drop_dims("window", errors="ignore") for data in (once, twice))
        # One prompt has no interval, two do.
        yield twice.drop_dims("bound", errors="ignore"), once.drop_dims("bound", errors="ignore")
        return
    for row in range(2):
        alone = run([row]).data
        width = alone.sizes.get("pos", alone.sizes.get("key_pos", pairs[[row]].clean.width))
        yield trimmed(together.isel(batch=[row]), width), alone


def trimmed(data: xr.Dataset, width: int) -> xr.Dataset:
    """Without the padding that a longer prompt in the batch had caused."""
    return data.isel({axis: slice(width) for axis in ("pos", "query_pos", "key_pos") if axis in data.dims})


def distance(left: xr.Dataset, right: xr.Dataset) -> float:
    """The largest difference of their numbers, as a share of the variable's largest; infinite where words differ."""
    shares = [0.0]
    for name, array in left.data_vars.items():
        one, other = array.values, right[name].values
        if array.dims != right[name].dims or one.shape != other.shape:
            return float("inf")
        if array.dtype.kind != "f":
            shares.append(0.0 if (one == other).all() else float("inf"))
            continue
        if (np.isnan(one) != np.isnan(other)).any():
            return float("inf")
        shares.append(_largest(one - other) / max(1.0, _largest(other)))
    return max(shares)


def _largest(values: Any) -> float:
    """Of the numbers that are there."""
    return float(np.abs(np.nan_to_num(values)).max(initial=0.0))


def gaps(result: Result, model: HookedModel, pairs: PromptPairs) -> Iterator[tuple[str, float]]:
    """What of a result has to be nought, in words, and what it is, as a share of what it is compared with."""
    data = result.data
    for name in [name for name in data.data_vars if str(name).endswith("remainder")]:
        whole = _whole(data, str(name))
        if whole is not None:
            yield f"{name} closes", _largest(data[name].values) / max(1e-6, _largest(whole))
    if isinstance(result, Patterns):
        rows = data["attention"].sum("key_pos").values
        there = rows > 0.5  # a padded query looks at nothing
        yield "rows sum to one", float(np.abs(rows[there] - 1).max(initial=0.0))
    if isinstance(result, LayerReadout):
        logits = model.logits(pairs.clean).double().log_softmax(-1).max(-1).values
        mask = pairs.clean.mask.to(logits.device)
        last = torch.from_numpy(data["top_logprob"].values[:, -1, :, 0]).to(logits)
        yield "the last lens is the logits", float((last - logits).abs()[mask].max())
    if result.provenance.engine == "activation-patching":
        yield from _plain_patches(result, model, pairs)
    if result.provenance.engine == "path-patching":
        yield from _plain_paths(result, model, pairs)


def _plain_patches(result: Result, model: HookedModel, pairs: PromptPairs) -> Iterator[tuple[str, float]]:
    """The effect of a head of every layer, by a plain run with that one edit."""
    metric, effects = pairs.metric, result.values("effect").values
    assert metric is not None
    clean, largest = metric(model.logits(pairs.clean)), 0.0
    for layer in range(model.dims.layers):
        site, head = Site("z", layer), layer % model.dims.heads
        edit = Edit.resample(site, model.run(pairs.corrupted, record=[site])[site], head=head)
        effect = metric(model.run(pairs.clean, edits=[edit]).logits) - clean
        largest = max(largest, float(np.abs(effect.double().cpu().numpy() - effects[:, layer, head]).max()))
    yield "heads patched plainly", largest / max(1e-6, float(np.abs(effects).max()))


def _plain_paths(result: Result, model: HookedModel, pairs: PromptPairs) -> Iterator[tuple[str, float]]:
    """The score of the edge from a head into the logits: they read the last stream with that head's other output."""
    metric, part = pairs.metric, model.layer_map.attention
    assert metric is not None
    if not model.has("head_out") or part.norm_after or part.norm_on_sum or model.obstacle("unembedding"):
        return
    last, sender = Site("resid_post", model.dims.layers - 1), Site("head_out", 0)
    clean, other = (model.run(side, record=[sender, last]) for side in (pairs.clean, pairs.corrupted))
    change = other[sender][:, :, 1] - clean[sender][:, :, 1]
    effect = metric(model.unembed(clean[last] + change)) - metric(model.unembed(clean[last]))
    data = result.data.set_index(edge=["sender", "receiver"])
    score = data["score"].sel(edge=("a0.1", "logits")).values
    size = max(1e-6, float(np.abs(result.values("score").values).max()))
    yield "an edge patched plainly", float(np.abs(effect.detach().double().cpu().numpy() - score).max()) / size


def _whole(data: xr.Dataset, remainder: str) -> Any:
    """What the parts of a result add up to, beside the remainder of that name."""
    names = {"remainder": ("total", "preactivation", "score"), "part_remainder": ("dfa",)}.get(remainder, ())
    return next((data[name].values for name in names if name in data), None)

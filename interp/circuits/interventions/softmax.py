"""Attention computed again with a query or a key replaced: exact where a gradient through the softmax is flat."""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from interp.core.metric import Metric
from interp.core.prompts import Prompts
from interp.models.attention import repeat_kv
from interp.models.edits import Edit
from interp.models.hooked import HookedModel
from interp.models.sites import Site
from interp.models.visible import watch_visible


class PatchedSoftmax:
    """Every head's attention on `base`, and what it becomes with the queries or keys (`name`) of `replacement`."""

    def __init__(
        self, model: HookedModel, base: Prompts, metric: Metric, name: str, replacement: Sequence[Tensor]
    ) -> None:
        self.model, self.name = model, name
        self._visible: dict[int, Bool[Tensor, "*batch query_pos key_pos"]] = {}
        query, key = model.score_site("q"), model.score_site("k")
        looks = watch_visible(model, self._visible)
        if not looks:
            self._visible = dict.fromkeys(range(model.dims.layers), base.mask[:, None, None, :].to(model.device))
        patches = [Edit.resample(site, value) for site, value in zip(model.sites(name), replacement, strict=True)]
        record = [*model.sites(query), *model.sites(key), *model.sites("v")]
        with torch.no_grad():
            self._here = model.run(base, record=record, edits=looks, answer=metric)
            self._query, self._key = query, key
            patch_site = query if name == "q" else key
            self._there = model.run(base, record=model.sites(patch_site), edits=patches, answer=metric)

    def effect(
        self, layer: int, gradient: Float[Tensor, "batch pos head d_head"], *, by_position: bool
    ) -> Float[Tensor, "batch pos head"]:
        """⟨change of the attention, the metric's gradient there⟩ for a replacement at each position, or at all (one).

        `gradient` is that at the heads' weighted values (site `z`).
        """
        query, key = self._here[Site(self._query, layer)], self._here[Site(self._key, layer)]
        values = repeat_kv(self._here[Site("v", layer)], self.model.dims.heads).double()
        slope = torch.einsum("bqhd,bkhd->bhqk", gradient.double(), values)
        scores = self._scores(layer, query, key)
        if self.name == "q":
            patched_scores = self._scores(layer, self._there[Site(self._query, layer)], key)
            change = ((patched_scores.softmax(-1) - scores.softmax(-1)) * slope).sum(-1).transpose(1, 2)
            return change if by_position else change.sum(1, keepdim=True)
        patched_scores = self._scores(layer, query, self._there[Site(self._key, layer)])
        if by_position:
            change = _one_key_at_a_time(scores, patched_scores, slope).sum(-2).transpose(1, 2)
        else:
            change = ((patched_scores.softmax(-1) - scores.softmax(-1)) * slope).sum((-1, -2)).unsqueeze(1)
        return change.unflatten(2, (self.model.dims.kv_heads, -1)).sum(-1)

    def _scores(self, layer: int, query: Tensor, key: Tensor) -> Float[Tensor, "batch head query_pos key_pos"]:
        scores = torch.einsum("bqhd,bkhd->bhqk", query.double(), repeat_kv(key, self.model.dims.heads).double())
        scores = scores * self.model.weights.attention_scale(layer)
        return scores.masked_fill(~self._visible[layer], -torch.inf)


def _one_key_at_a_time(
    scores: Tensor, other_scores: Tensor, slope: Tensor
) -> Float[Tensor, "batch head query_pos key_pos"]:
    """What replacing the key of one position changes, by the query that looks: Σ_j (p'_j − p_j) · slope_j.

    The replaced key's p' is a logistic function of its score less the log of what all others add up to; the others
    share the rest as before.
    """
    pattern = scores.softmax(-1)
    others = scores.logsumexp(-1, keepdim=True) + (-pattern).log1p()
    after = (other_scores - others).sigmoid()
    shrunk = torch.where(pattern < 1, (1 - after) / (1 - pattern), 1)
    weighted_slope = pattern * slope
    return (after - pattern) * slope + (shrunk - 1) * (weighted_slope.sum(-1, keepdim=True) - weighted_slope)

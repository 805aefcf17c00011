"""One forward pass over parts: any split of the residual stream, carried through any family from layer to answer.

What a part becomes on its way is for the rules to say. The totals that parts are parts of come from one plain run.
"""

from collections.abc import Callable
from functools import partial
from typing import Protocol

import torch
from jaxtyping import Float
from torch import Tensor

from interp.core.metric import Metric
from interp.core.prompts import Prompts
from interp.decomposition.linear_readout import FrozenNorm
from interp.models.finite import require_finite
from interp.models.hooked import HookedModel
from interp.models.layer_map import NORMS, Norm
from interp.models.sites import Site
from interp.models.visible import watch_visible
from interp.models.weights import Linear

Function = Callable[[Tensor], Tensor]
Visitor = Callable[[Site, Tensor, slice], Tensor]
EVERYWHERE = slice(None)
CELLS = 2**24  # numbers of one MLP tensor that are computed at a time

_SITES = (
    "resid_pre resid_mid resid_post ln1_in ln1_scale ln1_out q k v q_norm_scale k_norm_scale rot_cos rot_sin z "
    "attn_out ln1_post_scale attn_write ln2_in ln2_scale ln2_out mlp_pre mlp_up router expert_pre expert_up expert_out "
    "expert_write mlp_out ln2_post_scale mlp_write "
    "pooler_pre mlm_pre ln_final_in ln_final_scale ln_final_out"
).split()


class Rules(Protocol):
    """What becomes of parts (axis 0) of a known total. Attention returns parts of its output, by `Walk.attended`."""

    def linear(self, parts: Tensor, linear: Linear, total: Tensor) -> Tensor:
        """Parts of a linear map's output, `total`, bias included."""
        ...

    def norm(self, parts: Tensor, norm: FrozenNorm, total: Tensor) -> Tensor:
        """Parts of a norm's output, from parts of its input, `total`."""
        ...

    def nonlinearity(self, parts: Tensor, function: Function, total: Tensor) -> Tensor:
        """Parts of function(total)."""
        ...

    def gated(self, gate: Tensor, up: Tensor, function: Function, gate_total: Tensor, up_total: Tensor) -> Tensor:
        """Parts of function(gate_total) · up_total."""
        ...

    def attention(self, walk: "Walk", layer: int, parts: Tensor, rows: slice) -> Tensor:
        """Parts of a layer's attention output at the queries `rows`, from parts of what it reads."""
        ...


class Totals:
    """What a plain run of one prompt held wherever parts are carried: no batch axis, float32 at least."""

    def __init__(self, model: HookedModel, prompt: Prompts, metric: Metric, *, pattern: bool) -> None:
        self.dtype = torch.promote_types(model.dtype, torch.float32)
        self._visible: dict[int, Tensor] = {}
        names = [*_SITES, *(["pattern"] if pattern else [])]
        sites = [site for name in names if model.has(name) for site in model.sites(name)]
        trace = model.run(prompt, record=sites, edits=watch_visible(model, self._visible), answer=metric)
        require_finite(model, prompt, trace.logits)
        self.metric = metric.of_rows(trace.logits).double().item()
        self.logits = trace.logits[0].to(self.dtype)
        self._values = {site: value[0].to(self.dtype) for site, value in trace.items()}
        self.width = prompt.width

    def __call__(self, name: str, layer: int | None = None, rows: slice = EVERYWHERE) -> Tensor:
        """A site, at the positions `rows`."""
        return self._values[Site(name, layer)][rows]

    def has(self, name: str, layer: int | None = None) -> bool:
        """Whether the site was recorded."""
        return Site(name, layer) in self._values

    def visible(self, layer: int) -> Tensor:
        """Which keys (axis 1) each query may see: causal, within a sliding window, or all."""
        if layer in self._visible:
            return self._visible[layer]
        return torch.ones(self.width, self.width, dtype=torch.bool, device=self.logits.device)


class Walk:
    """Carries parts through the layers of one model on one prompt.

    Parts are `part pos d_model`. `visit` sees the parts of every site that is passed, and what it returns goes on: that
    is how sources are put in and targets read. `rows` are the positions that are computed, of all that are read.
    """

    def __init__(self, model: HookedModel, totals: Totals, rules: Rules, visit: Visitor | None = None) -> None:
        self.model, self.totals, self.rules = model, totals, rules
        self.visit = visit or (lambda site, parts, rows: parts)

    def layer(
        self, layer: int, stream: Float[Tensor, "part pos d_model"], rows: slice = EVERYWHERE
    ) -> Float[Tensor, "part rows d_model"]:
        """The stream out of a layer, at `rows`, from the whole stream into it."""
        attention, mlp, parallel = self.model.layer_map
        before = stream[:, rows]
        inputs = self._norm(attention.norm_before, layer, stream, EVERYWHERE)
        after = before + self._norm(attention.norm_after, layer, self.rules.attention(self, layer, inputs, rows), rows)
        if not parallel:
            after = self._norm(attention.norm_on_sum, layer, after, rows)
            before = after = self.visit(Site(mlp.stream, layer), after, rows)
        output = self._mlp(layer, self._norm(mlp.norm_before, layer, before, rows), rows)
        after = after + self._norm(mlp.norm_after, layer, output, rows)
        return self.visit(Site("resid_post", layer), self._norm(mlp.norm_on_sum, layer, after, rows), rows)

    def layers(
        self, stream: Float[Tensor, "part pos d_model"], *, position: int, first: int = 0
    ) -> Float[Tensor, "part one d_model"]:
        """The last layer's stream at the one position where the answer is read, from the stream into layer `first`."""
        last = self.model.dims.layers - 1
        for layer in range(first, last):
            stream = self.layer(layer, stream)
        return self.layer(last, stream, slice(position, position + 1))

    def answer(self, stream: Float[Tensor, "part one d_model"], position: int) -> Float[Tensor, "part vocab"]:
        """The logits (a classifier's classes) from the last layer's stream at the answer position."""
        weights, rows, head = self.model.weights, slice(position, position + 1), self.model.head_layer
        if head is not None:
            total = self.totals(head.pre.name, None, EVERYWHERE if self.model.pools else rows)
            stream = self.rules.linear(stream, head.linear.to(self.totals.dtype), total)
            stream = self.rules.nonlinearity(stream, head.activation, total)
        if self.totals.has("ln_final_scale"):
            stream = self._norm(NORMS["ln_final"], None, stream, rows)
        inputs = stream[:, 0]
        unembedding = Linear(weights.unembedding(), weights.unembedding_bias())
        return self.rules.linear(inputs, unembedding.to(self.totals.dtype), self.totals.logits)

    # Attention, for rules to take what they need of it

    def heads(
        self, name: str, layer: int, parts: Float[Tensor, "part pos d_model"], rows: slice = EVERYWHERE
    ) -> Float[Tensor, "part rows head d_head"]:
        """Queries, keys or values (`q`, `k`, `v`), as the projection makes them."""
        linear = self.model.weights.projection(name, layer).joined().to(self.totals.dtype)
        vectors = self.rules.linear(parts[:, rows], linear, self.totals(name, layer, rows).flatten(1))
        return self.visit(Site(name, layer), vectors.unflatten(-1, (-1, self.model.dims.d_head)), rows)

    def turned(
        self, name: str, layer: int, parts: Float[Tensor, "part pos d_model"], rows: slice = EVERYWHERE
    ) -> Float[Tensor, "part rows head d_head"]:
        """Queries or keys as they meet: with their norm and rotation, where the family has them."""
        vectors = self.heads(name, layer, parts, rows)
        if self.totals.has(f"{name}_norm_scale", layer):
            divisor = self.totals(f"{name}_norm_scale", layer, rows)
            norm = FrozenNorm.of(self.model, f"{name}_norm", layer, divisor)
            vectors = self.rules.norm(vectors, norm, self.totals(name, layer, rows))
        if self.totals.has("rot_cos", layer):
            vectors = self.model.rotated(vectors, *(self.totals(part, layer, rows) for part in ("rot_cos", "rot_sin")))
        return vectors

    def attended(
        self, layer: int, z: Float[Tensor, "part rows head d_head"], bias: Tensor | None, rows: slice
    ) -> Float[Tensor, "part rows d_model"]:
        """The attention's output from its heads' weighted values; `bias` is what is added to it."""
        z = self.visit(Site("z", layer), z, rows)
        linear = Linear(self.model.weights.output(layer).flatten(0, 1), bias).to(self.totals.dtype)
        out = self.rules.linear(z.flatten(2), linear, self.totals("attn_out", layer, rows))
        return self.visit(Site("attn_out", layer), out, rows)

    def output_bias(self, layer: int) -> Tensor | None:
        """b_O, or None where there is none."""
        bias = self.model.weights.output_bias(layer)
        return bias.to(self.totals.dtype) if bias.any() else None

    def _mlp(self, layer: int, parts: Float[Tensor, "part rows d_model"], rows: slice) -> Tensor:
        """An MLP's output; a few positions at a time, since a part of its neurons takes the most room."""
        positions = range(self.totals.width)[rows]
        dims = self.model.dims
        step = max(1, CELLS // (len(parts) * max(dims.d_mlp, dims.experts * dims.d_model)))
        block = self._experts_block if dims.experts else self._mlp_block
        blocks = [
            block(layer, parts[:, i : i + step], slice(positions[i], positions[i : i + step][-1] + 1))
            for i in range(0, len(positions), step)
        ]
        out = blocks[0] if len(blocks) == 1 else torch.cat(blocks, 1)
        return self.visit(Site("mlp_out", layer), out, rows)

    def _mlp_block(self, layer: int, parts: Tensor, rows: slice) -> Tensor:
        weights, totals, rules = self.model.weights, self.totals, self.rules
        total = totals("mlp_pre", layer, rows)
        pre = self.visit(
            Site("mlp_pre", layer), rules.linear(parts, weights.mlp_pre(layer).to(self.totals.dtype), total), rows
        )
        linear = weights.mlp_up(layer)
        if linear is None:
            neurons = rules.nonlinearity(pre, weights.activation, total)
        else:
            factor = totals("mlp_up", layer, rows)
            up = self.visit(Site("mlp_up", layer), rules.linear(parts, linear.to(self.totals.dtype), factor), rows)
            neurons = rules.gated(pre, up, weights.activation, total, factor)
        return rules.linear(neurons, weights.mlp_out(layer).to(self.totals.dtype), totals("mlp_out", layer, rows))

    def _experts_block(self, layer: int, parts: Tensor, rows: slice) -> Tensor:
        """A mixture's output, with the routing of the run: an expert's parts are those of the tokens that it took."""
        totals, rules = self.totals, self.rules
        weights, write = totals("router", layer, rows), totals("expert_write", layer, rows)
        parts_of_write = parts.new_zeros(len(parts), *write.shape)
        for index, expert in enumerate(self.model.weights.mixture(layer).experts()):
            taken = weights[:, index].nonzero()[:, 0]
            if not len(taken) or expert is None:
                continue

            def total(name: str, width: int, index: int = index, taken: Tensor = taken) -> Tensor:
                return totals(name, layer, rows)[taken, index, :width]

            pre, up, out = (each.to(totals.dtype) for each in expert.maps)
            gates, ups = total("expert_pre", expert.width), total("expert_up", expert.width)
            gate_parts, up_parts = rules.linear(parts[:, taken], pre, gates), rules.linear(parts[:, taken], up, ups)
            neurons = rules.gated(gate_parts, up_parts, self.model.weights.activation, gates, ups)
            outs = rules.linear(neurons, out, total("expert_out", out.matrix.shape[1]))
            parts_of_write[:, taken, index] = outs * weights[taken, index, None]
        return self.visit(Site("expert_write", layer), parts_of_write, rows).sum(2)

    def _norm(self, norm: Norm | None, layer: int | None, parts: Tensor, rows: slice) -> Tensor:
        """Parts of a norm's output, which is a site; where the family has no such norm, the parts as they are."""
        if norm is None:
            return parts
        value = partial(self.totals, layer=layer, rows=rows)
        frozen = FrozenNorm.as_computed(self.model, norm.name, layer, value)
        return self.visit(Site(norm.after, layer), self.rules.norm(parts, frozen, value(norm.before)), rows)


def mixed(
    pattern: Float[Tensor, "head rows key_pos"], value: Float[Tensor, "part key_pos kv_head d_head"]
) -> Float[Tensor, "part rows head d_head"]:
    """Each head's weighted values, with the attention pattern given."""
    groups = pattern.unflatten(0, (value.shape[2], -1))
    return torch.einsum("gjqk,nkgd->nqgjd", groups, value).flatten(2, 3)

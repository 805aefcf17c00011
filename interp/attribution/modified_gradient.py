"""One backward pass under relevance rules: tokens, latent relevance, and the ledger of what was absorbed where.

Rules are edits at sites (`Edit.through`), in force for one run of one model. An edit rebuilds a module's output from
its inputs with parts of it detached, or hooks the gradient of a tensor; nothing of the model is replaced.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor

from interp.attribution.rules import (
    ATTENTION_SHARES,
    PRODUCT_SHARES,
    Recipe,
    stabilised,
)
from interp.core.metric import Metric
from interp.core.prompts import Prompts
from interp.kinds import Entry
from interp.models.edits import Edit
from interp.models.gradients import Account, on_gradient
from interp.models.hooked import HookedModel, Trace
from interp.models.memory import require_memory_for_gradient
from interp.models.recomputing import Recomputing
from interp.models.sites import Site
from interp.models.slope import slope, wide_of

# (weights, site before, site of the divisor, site after)
_LAYER_NORMS = (
    ("ln1", "ln1_in", "ln1_scale", "ln1_out"),
    ("q_norm", "q_norm_in", "q_norm_scale", "q_norm_out"),
    ("k_norm", "k_norm_in", "k_norm_scale", "k_norm_out"),
    ("ln1_post", "ln1_post_in", "ln1_post_scale", "attn_write"),
    ("ln2", "ln2_in", "ln2_scale", "ln2_out"),
    ("ln2_post", "ln2_post_in", "ln2_post_scale", "mlp_write"),
)
_EMBEDDING_NORM = ("embed_ln", "embed_ln_in", "embed_ln_scale", "embed_ln_out")
_FINAL_NORM = ("ln_final", "ln_final_in", "ln_final_scale", "ln_final_out")
_TERMS = ("baseline", "position", "segment", "bias", "norm", "softmax", "product", "activation", "epsilon")


def obstacle(model: HookedModel) -> str | None:
    """Why the rules do not cover this model; None if they do."""
    for name in ("final_logit_softcapping", "attn_logit_softcapping"):
        if getattr(model.config, name, None):
            return f"there is no rule for its soft cap ({name})"
    return model.architecture.unlisted


class _Reading(Edit):
    """An edit that belongs to what reads its site: whoever looks at the site comes before it."""


@dataclass(eq=False)
class Backward:
    """What one backward pass under `recipe` collects; `keep` names the latent relevance wanted."""

    model: HookedModel
    recipe: Recipe
    keep: Collection[str] = ()
    embedding: Tensor = field(init=False)
    gradient: Tensor = field(init=False)
    entries: dict[Entry, Tensor] = field(default_factory=dict)
    latent: dict[str, dict[int, Tensor]] = field(default_factory=lambda: defaultdict(dict))
    _live: dict[Site, Tensor] = field(default_factory=dict)
    _trace: Trace = field(default_factory=Trace)

    def run(
        self, prompts: Prompts, metric: Metric, target: Callable[[Trace], Tensor], more: Collection[Edit] = ()
    ) -> tuple[Float[Tensor, "batch"], Float[Tensor, "batch pos"]]:
        """Forward and backward once; returns the target and each token's relevance, and fills entries and latent.

        `target` reads each prompt's number from the run; `more` are further edits, which see a site as it was written,
        before the rules of what reads it.
        """
        try:
            total = self._propagate(prompts, metric, target, more)
        finally:  # a hook that kept part of the graph alive would keep itself alive
            self._live.clear()
            self._trace = Trace()
        return total, (wide_of(self.embedding.detach()) * wide_of(self.gradient)).sum(-1)

    def _propagate(
        self, prompts: Prompts, metric: Metric, target: Callable[[Trace], Tensor], more: Collection[Edit]
    ) -> Float[Tensor, "batch"]:
        edits = sorted([*self._edits(), *more], key=lambda edit: isinstance(edit, _Reading))
        pairs = self.model.sites("pattern") if "pairs" in self.keep else []
        lean = nullcontext()
        if not pairs and self.recipe.softmax_temperature == 1 and Recomputing.pays(self.model, prompts):
            recomputing = Recomputing(self.model, prompts.width)
            edits, lean = [*recomputing.edits(), *edits], recomputing.in_force()
        require_memory_for_gradient(self.model, prompts, patterns=isinstance(lean, nullcontext))
        with torch.enable_grad(), lean:
            trace = self._trace = self.model.run(prompts, record=pairs, edits=edits, answer=metric)
            trace.logits = self._linear_output("output", self.model.weights.unembedding_bias(), trace.logits)
            if metric.scale != "logit":
                trace.logits = on_gradient(
                    trace.logits, lambda x, g: self.absorb("output", "softmax", metric.of_rows(x) - _dot(x, g))
                )
            total = target(trace)
            (self.gradient,) = torch.autograd.grad(total.sum(), self.embedding)
        return total.detach()

    def ordered(self) -> dict[Entry, Tensor]:
        """What was absorbed, from the input upwards."""
        order = ["input", *(f"layer {layer}" for layer in range(self.model.dims.layers)), "output"]
        return dict(sorted(self.entries.items(), key=lambda item: (order.index(item[0][0]), _TERMS.index(item[0][1]))))

    def latent_relevance(self, prompts: Prompts) -> dict[str, Tensor]:
        """Latent relevance, layers stacked; zero above a target that lies inside the model."""
        batch, width, dims = len(prompts), prompts.width, self.model.dims
        shapes = {
            "stream": (batch, width),
            "heads": (batch, dims.heads, width),
            "neurons": (batch, dims.d_mlp),
            "pairs": (batch, dims.heads, width, width),
        }
        stacks = {}
        for name in self.keep:
            layers = [self.latent[name].get(layer) for layer in range(dims.layers)]
            stacks[name] = torch.stack([torch.zeros(shapes[name]) if x is None else x.cpu() for x in layers], 1)
        return stacks

    # The rules as edits, from the embedding up

    def _edits(self) -> Iterator[Edit]:
        yield Edit.through(Site("embed"), self._embed)
        yield _Reading.through(Site("embed"), partial(on_gradient, function=self._absorb_added))
        for name in ("pos_embed", "type_embed"):
            if self.model.has(name):
                yield _Reading.through(Site(name), partial(self._hold, Site(name)))
        yield from self._norm("input", None, *_EMBEDDING_NORM)
        for layer in range(self.model.dims.layers):
            yield from self._layer(layer)
        if self.model.has("mlm_pre"):
            yield from self._nonlinearity("output", Site("mlm_pre"), Site("mlm_post"), self.model.weights.activation)
            yield self._linear("output", Site("mlm_pre"), self.model.weights.mlm_transform().bias)
        if self.model.has("pooler_pre"):
            yield from self._nonlinearity("output", Site("pooler_pre"), Site("pooler_post"), torch.tanh)
            yield self._linear("output", Site("pooler_pre"), self.model.weights.pooler().bias)
        yield from self._norm("output", None, *_FINAL_NORM)

    def _layer(self, layer: int) -> Iterator[Edit]:
        where, weights = f"layer {layer}", self.model.weights
        yield from self._attention(where, layer)
        for name, matrices in (("q", weights.query), ("k", weights.key), ("v", weights.value)):
            yield self._linear(where, Site(name, layer), matrices(layer).bias)
        yield self._linear(where, Site("attn_out", layer), weights.output_bias(layer))
        yield from self._mlp(where, layer)
        yield self._linear(where, Site("mlp_pre", layer), weights.mlp_pre(layer).bias)
        up = weights.mlp_up(layer)
        if up is not None:
            yield self._linear(where, Site("mlp_up", layer), up.bias)
        yield self._linear(where, Site("mlp_out", layer), weights.mlp_out(layer).bias)
        for norm in _LAYER_NORMS:
            yield from self._norm(where, layer, *norm)
        if "stream" in self.keep:
            keep = partial(self._keep_stream, layer)
            yield Edit.through(Site("resid_post", layer), partial(on_gradient, function=keep))

    def _embed(self, value: Tensor) -> Tensor:
        self.embedding = value.detach().requires_grad_()
        return self.embedding

    def _hold(self, site: Site, value: Tensor) -> None:
        self._live[site] = value

    def _norm(self, where: str, layer: int | None, name: str, before: str, scale: str, after: str) -> Iterator[Edit]:
        if not self.model.has(scale):
            return
        factor, shift = self.model.weights.norm(name, layer)
        frozen = self.recipe.norm == "freeze"

        def enter(x: Tensor) -> Tensor:
            # The stream runs on beside the norm: a tensor of its own has the gradient of this branch alone.
            branch = x.view_as(x) if frozen else on_gradient(x, absorb_input)
            self._live[Site(before, layer)] = branch
            return branch

        def absorb_input(x: Tensor, g: Tensor) -> None:
            self.absorb(where, "norm", -_dot(x, g))

        def absorb_norm(y: Tensor, g: Tensor) -> None:
            self.absorb(where, "norm", _dot(y if shift is None else y - shift, g))

        def absorb_shift(y: Tensor, g: Tensor) -> None:
            if shift is not None:
                self.absorb(where, "bias", _dot(shift, g))

        def leave(y: Tensor) -> Tensor:
            x, divisor = self._live.pop(Site(before, layer)), self._live.pop(Site(scale, layer))
            if frozen:
                y = self._frozen_norm(x, divisor.detach(), factor, shift).to(y.dtype)
            else:
                y = on_gradient(y, absorb_norm)
            return y if shift is None else on_gradient(y, absorb_shift)

        yield _Reading.through(Site(before, layer), enter)
        yield _Reading.through(Site(scale, layer), partial(self._hold, Site(scale, layer)))
        yield Edit.through(Site(after, layer), leave)

    def _frozen_norm(self, x: Tensor, divisor: Tensor, factor: Tensor, shift: Tensor | None) -> Tensor:
        """The norm with its divisor constant; computed anew, as what is rounded to float32 would not add up."""
        x = wide_of(x)
        if self.model.architecture.norm == "layer":
            x = x - x.mean(-1, keepdim=True)
        y = x * (factor / divisor)
        return y if shift is None else y + shift

    def _attention(self, where: str, layer: int) -> Iterator[Edit]:
        shares = ATTENTION_SHARES[self.recipe.attention]
        rotary = self.model.has("rot_q")

        def query(x: Tensor, g: Tensor) -> Tensor | None:
            scores = _dot(x, g)
            self.absorb(where, "softmax", scores, -shares.pattern)
            self.absorb(where, "product", scores, shares.pattern - shares.query - shares.key)
            return _scaled(g, shares.query)

        def weighted(z: Tensor, g: Tensor) -> None:
            relevance = (wide_of(z) * wide_of(g)).sum(-1)
            whole = relevance.flatten(1).sum(1)
            self.absorb(where, "softmax", whole, shares.pattern)
            self.absorb(where, "product", whole, 1 - shares.value - shares.pattern)
            self._keep_attention(layer, relevance, g)

        if self.recipe.softmax_temperature != 1:
            yield _Reading.through(Site("scores", layer), partial(self._hold, Site("scores", layer)))
            yield Edit.through(Site("pattern", layer), partial(self._tempered, Site("scores", layer)))
        for name, share, account in (
            ("rot_q" if rotary else "q", shares.query, query),
            ("rot_k" if rotary else "k", shares.key, _share(shares.key)),
            ("v", shares.value, _share(shares.value)),
        ):
            yield _Reading.through(Site(name, layer), partial(_partly, share=share, function=account))
        yield Edit.through(Site("z", layer), partial(on_gradient, function=weighted))
        if "pairs" in self.keep:
            yield _Reading.through(Site("v", layer), partial(self._hold, Site("v", layer)))

    def _tempered(self, scores: Site, pattern: Tensor) -> Tensor:
        """The same pattern, with the gradient that a softmax at the recipe's temperature has where the scores are."""
        temperature = self.recipe.softmax_temperature
        warm = temperature * (self._live.pop(scores) / temperature).softmax(-1, dtype=pattern.dtype)
        return pattern.detach() + (warm - warm.detach())

    def _mlp(self, where: str, layer: int) -> Iterator[Edit]:
        activation, pre, post = self.model.weights.activation, Site("mlp_pre", layer), Site("mlp_post", layer)
        if not self.model.architecture.gated:
            yield from self._nonlinearity(where, pre, post, activation, partial(self._keep_neurons, layer))
            return
        shares = PRODUCT_SHARES[self.recipe.product]
        native = self.recipe.activation == "gradient"

        def gated(y: Tensor) -> Tensor:
            gate, up = self._live.pop(pre), self._live.pop(Site("mlp_up", layer))
            factor = activation(gate) if native else gate * slope(activation, gate)
            product = (factor if shares.gate else factor.detach()) * up

            def account(product: Tensor, g: Tensor) -> Tensor | None:
                relevance = wide_of(product) * wide_of(g)
                whole = relevance.flatten(1).sum(1)
                self.absorb(where, "product", whole, 1 - shares.gate - shares.up)
                if native:
                    self.absorb(where, "activation", whole, shares.gate)
                self._keep_neurons(layer, relevance)
                return _scaled(g, shares.up)

            return on_gradient(product, account)

        def keep_gate(x: Tensor) -> Tensor:
            if native and shares.gate:
                x = on_gradient(x, lambda x, g: self.absorb(where, "activation", -_dot(x, g)))
            self._live[pre] = x
            return x

        yield _Reading.through(pre, keep_gate)
        yield _Reading.through(Site("mlp_up", layer), partial(self._hold, Site("mlp_up", layer)))
        yield Edit.through(post, gated)

    def _nonlinearity(
        self,
        where: str,
        pre: Site,
        post: Site,
        activation: Callable[[Tensor], Tensor],
        keep: Callable[[Tensor], None] = lambda relevance: None,
    ) -> Iterator[Edit]:
        native = self.recipe.activation == "gradient"

        def enter(x: Tensor) -> Tensor:
            if native:
                x = on_gradient(x, lambda x, g: self.absorb(where, "activation", -_dot(x, g)))
            self._live[pre] = x
            return x

        def leave(y: Tensor) -> Tensor:
            x = self._live.pop(pre)
            y = y if native else x * slope(activation, x)

            def account(y: Tensor, g: Tensor) -> None:
                relevance = wide_of(y) * wide_of(g)
                keep(relevance)
                if native:
                    self.absorb(where, "activation", relevance.flatten(1).sum(1))

            return on_gradient(y, account)

        yield _Reading.through(pre, enter)
        yield Edit.through(post, leave)

    def _linear(self, where: str, site: Site, bias: Tensor | None) -> Edit:
        return Edit.through(site, lambda z: self._linear_output(where, bias, z))

    def _linear_output(self, where: str, bias: Tensor | None, z: Tensor) -> Tensor:
        """The output of a linear layer: its stabiliser and its bias absorb."""
        epsilon = self.recipe.epsilon

        def account(z: Tensor, g: Tensor) -> Tensor:
            kept = (g * stabilised(z, epsilon)).to(g.dtype) if epsilon else g
            if epsilon:
                self.absorb(where, "epsilon", _dot(z, g - kept))
            if bias is not None:
                self.absorb(where, "bias", _dot(bias, kept))
            return kept

        return on_gradient(z, account) if epsilon or (bias is not None and bias.any()) else z

    # What is kept

    def absorb(self, where: str, term: str, value: Float[Tensor, "batch"], share: float = 1.0) -> None:
        """Add a share of `value` to an entry of the ledger."""
        if share:
            entry = where, term
            self.entries[entry] = self.entries.get(entry, 0) + share * value.double()

    def _absorb_added(self, x: Tensor, g: Tensor) -> None:
        """What is added to the token embeddings has the gradient of their sum."""
        for site, term in ((Site("pos_embed"), "position"), (Site("type_embed"), "segment")):
            if site in self._live:
                self.absorb("input", term, _dot(self._live[site].expand_as(g), g))

    def _keep_stream(self, layer: int, x: Tensor, g: Tensor) -> None:
        self.latent["stream"][layer] = (wide_of(x) * wide_of(g)).sum(-1)

    def _keep_attention(self, layer: int, relevance: Float[Tensor, "batch pos head"], g: Tensor) -> None:
        if "heads" in self.keep:
            self.latent["heads"][layer] = relevance.transpose(1, 2)
        if "pairs" in self.keep:
            values = self._live[Site("v", layer)].detach()
            values = values.repeat_interleave(self.model.dims.heads // values.shape[2], 2)
            along = torch.einsum("bqhd,bkhd->bhqk", g, values)
            self.latent["pairs"][layer] = self._trace[Site("pattern", layer)].detach() * along

    def _keep_neurons(self, layer: int, relevance: Float[Tensor, "batch pos d_mlp"]) -> None:
        if "neurons" in self.keep:
            self.latent["neurons"][layer] = relevance.sum(1)


def _dot(x: Tensor, g: Tensor) -> Float[Tensor, "batch"]:
    """⟨x, g⟩ of each prompt."""
    return (wide_of(x) * wide_of(g)).flatten(1).sum(1)


def _scaled(g: Tensor, share: float) -> Tensor | None:
    return None if share == 1 else g * share


def _partly(x: Tensor, share: float, function: Account) -> Tensor:
    """x with `function` on its gradient; cut off where its share is nothing."""
    return on_gradient(x, function) if share else x.detach()


def _share(share: float) -> Account:
    """An account that lets a part of the gradient through."""
    return lambda x, g: _scaled(g, share)

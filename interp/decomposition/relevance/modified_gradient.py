"""One backward pass under relevance rules: tokens, latent relevance, and the ledger of what was absorbed where.

Rules are edits at sites (`Edit.through`), in force for one run of one model. An edit rebuilds a module's output from
its inputs with parts of it detached, or hooks the gradient of a tensor; nothing of the model is replaced.
"""

from collections.abc import Callable, Collection, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor

from interp.core.metric import Metric
from interp.core.prompts import Prompts
from interp.decomposition.linear_readout import FrozenNorm
from interp.decomposition.relevance.ledger import Ledger
from interp.decomposition.relevance.rules import ATTENTION_SHARES, PRODUCT_SHARES, Recipe, stabilised
from interp.models.attention import repeat_kv
from interp.models.edits import Edit
from interp.models.gradients import Account, on_gradient
from interp.models.hooked import HookedModel, Trace
from interp.models.layer_map import NORMS, Norm
from interp.models.memory import require_memory_for_gradient
from interp.models.recomputing import Recomputing
from interp.models.sites import Site
from interp.models.slope import slope, wide_of


def obstacle(model: HookedModel) -> str | None:
    """Why the rules do not cover this model; None if they do."""
    caps = [name for name in ("final_logit_softcapping", "attn_logit_softcapping") if getattr(model.config, name, None)]
    if caps and (caps[0].startswith("final") or model.obstacle("attention")):  # Gemma 3 names one that it has not
        return f"no relevance rule covers its soft cap ({caps[0]})"
    return model.obstacle("layers", "mlp", "turning", "readout")


def with_rules(model: HookedModel, recipe: Recipe | None, edits: Collection[Edit]) -> list[Edit]:
    """The edits of a run whose gradient follows `recipe`, if there is one: relevance per unit of each tensor."""
    return list(edits) if recipe is None else Backward(model, recipe, Ledger(model.dims)).edits(edits)


class _Reading(Edit):
    """An edit that belongs to what reads its site: whoever looks at the site comes before it."""


@dataclass(eq=False)
class Backward:
    """One backward pass under `recipe`, and the `ledger` that it fills."""

    model: HookedModel
    recipe: Recipe
    ledger: Ledger
    embedding: Tensor = field(init=False)
    gradient: Tensor = field(init=False)
    _live: dict[Site, Tensor] = field(default_factory=dict)
    _trace: Trace = field(default_factory=Trace)

    def run(
        self, prompts: Prompts, metric: Metric, target: Callable[[Trace], Tensor], more: Collection[Edit] = ()
    ) -> tuple[Float[Tensor, "batch"], Float[Tensor, "batch pos"]]:
        """Forward and backward once; returns the target and each token's relevance, and fills the ledger.

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
        edits = self.edits(more)
        pairs = self.model.sites("pattern") if "pairs" in self.ledger.latent else []
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
                    trace.logits, lambda x, g: self.ledger.absorb("output", "softmax", metric.of_rows(x) - _dot(x, g))
                )
            total = target(trace)
            (self.gradient,) = torch.autograd.grad(total.sum(), self.embedding)
        return total.detach()

    def edits(self, more: Collection[Edit] = ()) -> list[Edit]:
        """The rules and further edits, which see a site as it was written, before the rules of what reads it."""
        return sorted([*self._edits(), *more], key=lambda edit: isinstance(edit, _Reading))

    # The rules as edits, from the embedding up

    def _edits(self) -> Iterator[Edit]:
        yield Edit.through(Site("embed"), self._embed)
        yield _Reading.through(Site("embed"), partial(on_gradient, function=self._absorb_added))
        for name in ("pos_embed", "type_embed"):
            if self.model.has(name):
                yield _Reading.through(Site(name), partial(self._store, Site(name)))
        yield from self._norm("input", None, NORMS["embed_ln"])
        for layer in range(self.model.dims.layers):
            yield from self._layer(layer)
        head = self.model.head_layer
        if head is not None:
            yield from self._nonlinearity("output", head.pre, head.post, head.activation)
            yield self._linear("output", head.pre, head.linear.bias)
        yield from self._norm("output", None, NORMS["ln_final"])

    def _layer(self, layer: int) -> Iterator[Edit]:
        where, weights = f"layer {layer}", self.model.weights
        yield from self._attention(where, layer)
        for name in "qkv":
            yield self._linear(where, Site(name, layer), weights.projection(name, layer).bias)
        yield self._linear(where, Site("attn_out", layer), weights.output_bias(layer))
        yield from self._experts(where, layer) if self.model.dims.experts else self._mlp(where, layer)
        for name in ("ln1", "q_norm", "k_norm", "ln1_post", "ln2", "ln2_post"):
            yield from self._norm(where, layer, NORMS[name])
        if "stream" in self.ledger.latent:

            def keep(x: Tensor, g: Tensor) -> None:
                self.ledger.keep("stream", layer, (wide_of(x) * wide_of(g)).sum(-1))

            yield Edit.through(Site("resid_post", layer), partial(on_gradient, function=keep))

    def _embed(self, value: Tensor) -> Tensor:
        self.embedding = value.detach().requires_grad_()
        return self.embedding

    def _store(self, site: Site, value: Tensor) -> None:
        self._live[site] = value

    def _norm(self, where: str, layer: int | None, norm: Norm) -> Iterator[Edit]:
        if not self.model.has(norm.scale):
            return
        before, scale = Site(norm.before, layer), Site(norm.scale, layer)
        shift = self.model.weights.norm(norm.name, layer)[1]
        frozen = self.recipe.norm == "freeze"

        def enter(x: Tensor) -> Tensor:
            # The stream runs on beside the norm: a tensor of its own has the gradient of this branch alone.
            branch = x.view_as(x) if frozen else on_gradient(x, absorb_input)
            self._live[before] = branch
            return branch

        def absorb_input(x: Tensor, g: Tensor) -> None:
            self.ledger.absorb(where, "norm", -_dot(x, g))

        def absorb_norm(y: Tensor, g: Tensor) -> None:
            self.ledger.absorb(where, "norm", _dot(y if shift is None else y - shift, g))

        def absorb_shift(y: Tensor, g: Tensor) -> None:
            if shift is not None:
                self.ledger.absorb(where, "bias", _dot(shift, g))

        def leave(y: Tensor) -> Tensor:
            x, divisor = self._live.pop(before), self._live.pop(scale).detach()
            if frozen:  # computed anew, as what is rounded to float32 would not add up
                again = FrozenNorm.of(self.model, norm.name, layer, divisor).sent(wide_of(x))
                y = (again if shift is None else again + shift).to(y.dtype)
            else:
                y = on_gradient(y, absorb_norm)
            return y if shift is None else on_gradient(y, absorb_shift)

        yield _Reading.through(before, enter)
        yield _Reading.through(scale, partial(self._store, scale))
        yield Edit.through(Site(norm.after, layer), leave)

    def _attention(self, where: str, layer: int) -> Iterator[Edit]:
        shares = ATTENTION_SHARES[self.recipe.attention]

        def query(x: Tensor, g: Tensor) -> Tensor | None:
            scores = _dot(x, g)
            self.ledger.absorb(where, "softmax", scores, -shares.pattern)
            self.ledger.absorb(where, "product", scores, shares.pattern - shares.query - shares.key)
            return _scale(g, shares.query)

        def weighted(z: Tensor, g: Tensor) -> None:
            relevance = (wide_of(z) * wide_of(g)).sum(-1)
            whole = relevance.flatten(1).sum(1)
            self.ledger.absorb(where, "softmax", whole, shares.pattern)
            self.ledger.absorb(where, "product", whole, 1 - shares.value - shares.pattern)
            self._keep_attention(layer, relevance, g)

        if self.recipe.softmax_temperature != 1:
            yield _Reading.through(Site("scores", layer), partial(self._store, Site("scores", layer)))
            yield Edit.through(Site("pattern", layer), partial(self._temper, Site("scores", layer)))
        for name, share, account in (
            (self.model.score_site("q"), shares.query, query),
            (self.model.score_site("k"), shares.key, _share(shares.key)),
            ("v", shares.value, _share(shares.value)),
        ):
            yield _Reading.through(Site(name, layer), partial(_partly, share=share, function=account))
        yield Edit.through(Site("z", layer), partial(on_gradient, function=weighted))
        if "pairs" in self.ledger.latent:
            yield _Reading.through(Site("v", layer), partial(self._store, Site("v", layer)))

    def _temper(self, scores: Site, pattern: Tensor) -> Tensor:
        """The same pattern, with the gradient that a softmax at the recipe's temperature has where the scores are."""
        temperature = self.recipe.softmax_temperature
        warm = temperature * (self._live.pop(scores) / temperature).softmax(-1, dtype=pattern.dtype)
        return pattern.detach() + (warm - warm.detach())

    def _mlp(self, where: str, layer: int) -> Iterator[Edit]:
        weights = self.model.weights
        yield from self._neurons(where, layer, "mlp")
        yield self._linear(where, Site("mlp_pre", layer), weights.mlp_pre(layer).bias)
        up = weights.mlp_up(layer)
        if up is not None:
            yield self._linear(where, Site("mlp_up", layer), up.bias)
        yield self._linear(where, Site("mlp_out", layer), weights.mlp_out(layer).bias)

    def _experts(self, where: str, layer: int) -> Iterator[Edit]:
        """A mixture's output is a product like that of a gated MLP: the router's weight is the gate.

        Source: the half-half split and the router's own gradient are those of the AttnLRP authors' package lxt 2.2 for
        Qwen 3 MoE.
        """
        shares = PRODUCT_SHARES[self.recipe.product]
        always_whole = self.model.weights.mixture(layer).always_whole

        def weighted(write: Tensor, g: Tensor) -> Tensor | None:
            relevance = (wide_of(write) * wide_of(g)).sum(-1)
            self.ledger.keep("experts", layer, relevance.transpose(1, 2))
            products = relevance[..., :-1] if always_whole else relevance
            self.ledger.absorb(where, "product", products.flatten(1).sum(1), 1 - shares.gate - shares.up)
            if shares.up == 1:
                return None
            scale = torch.full_like(g[..., :1], shares.up)
            scale[..., -1, :] = 1 if always_whole else shares.up
            return g * scale

        def out_of_router(weights: Tensor, g: Tensor) -> None:
            self.ledger.absorb(where, "router", _dot(weights, g))

        def into_router(x: Tensor, g: Tensor) -> None:
            relevance = (wide_of(x) * wide_of(g)).sum(-1)
            self.ledger.absorb(where, "router", -relevance.sum(1))
            self.ledger.keep("router", layer, relevance)

        looks = self.model.site_obstacle(Site("router_in", layer)) is None
        for name, account in (("router_in", into_router), ("router", out_of_router)) if looks else ():
            yield _Reading.through(Site(name, layer), partial(_partly, share=shares.gate, function=account))
        yield from self._neurons(where, layer, "expert")
        for name in ("expert_pre", "expert_up", "expert_out"):
            yield self._linear(where, Site(name, layer), None)
        yield Edit.through(Site("expert_write", layer), partial(on_gradient, function=weighted))

    def _neurons(self, where: str, layer: int, of: str) -> Iterator[Edit]:
        """The nonlinearity between the maps of an MLP, or of each expert."""
        pre, up, post = (Site(f"{of}_{name}", layer) for name in ("pre", "up", "post"))
        activation = self.model.weights.activation
        if not self.model.architecture.gated:
            yield from self._nonlinearity(
                where, pre, post, activation, lambda relevance: self.ledger.keep("neurons", layer, relevance.sum(1))
            )
            return
        shares = PRODUCT_SHARES[self.recipe.product]
        native = self.recipe.activation == "gradient"

        def gated(y: Tensor) -> Tensor:
            gate, input_ = self._live.pop(pre), self._live.pop(up)
            factor = activation(gate) if native else gate * slope(activation, gate)
            product = (factor if shares.gate else factor.detach()) * input_

            def account(product: Tensor, g: Tensor) -> Tensor | None:
                relevance = wide_of(product) * wide_of(g)
                whole = relevance.flatten(1).sum(1)
                self.ledger.absorb(where, "product", whole, 1 - shares.gate - shares.up)
                if native:
                    self.ledger.absorb(where, "activation", whole, shares.gate)
                self.ledger.keep("neurons", layer, relevance.sum(1).flatten(1))
                return _scale(g, shares.up)

            return on_gradient(product, account)

        def keep_gate(x: Tensor) -> Tensor:
            if native and shares.gate:
                x = on_gradient(x, lambda x, g: self.ledger.absorb(where, "activation", -_dot(x, g)))
            self._live[pre] = x
            return x

        yield _Reading.through(pre, keep_gate)
        yield _Reading.through(up, partial(self._store, up))
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
                x = on_gradient(x, lambda x, g: self.ledger.absorb(where, "activation", -_dot(x, g)))
            self._live[pre] = x
            return x

        def leave(y: Tensor) -> Tensor:
            x = self._live.pop(pre)
            y = y if native else x * slope(activation, x)

            def account(y: Tensor, g: Tensor) -> None:
                relevance = wide_of(y) * wide_of(g)
                keep(relevance)
                if native:
                    self.ledger.absorb(where, "activation", relevance.flatten(1).sum(1))

            return on_gradient(y, account)

        yield _Reading.through(pre, enter)
        yield Edit.through(post, leave)

    def _linear(self, where: str, site: Site, bias: Tensor | None) -> Edit:
        return Edit.through(site, lambda z: self._linear_output(where, bias, z))

    def _linear_output(self, where: str, bias: Tensor | None, z: Tensor) -> Tensor:
        """The output of a linear layer: its stabiliser and its bias absorb."""
        epsilon = self.recipe.epsilon

        def account(z: Tensor, g: Tensor) -> Tensor:
            remaining = (g * stabilised(z, epsilon)).to(g.dtype) if epsilon else g
            if epsilon:
                self.ledger.absorb(where, "epsilon", _dot(z, g - remaining))
            if bias is not None:
                self.ledger.absorb(where, "bias", _dot(bias, remaining))
            return remaining

        return on_gradient(z, account) if epsilon or (bias is not None and bias.any()) else z

    # What is kept

    def _absorb_added(self, x: Tensor, g: Tensor) -> None:
        """What is added to the token embeddings has the gradient of their sum."""
        for site, term in ((Site("pos_embed"), "position"), (Site("type_embed"), "segment")):
            if site in self._live:
                self.ledger.absorb("input", term, _dot(self._live[site].expand_as(g), g))

    def _keep_attention(self, layer: int, relevance: Float[Tensor, "batch pos head"], g: Tensor) -> None:
        self.ledger.keep("heads", layer, relevance.transpose(1, 2))
        if "pairs" in self.ledger.latent:
            values = repeat_kv(self._live[Site("v", layer)].detach(), self.model.dims.heads)
            along = torch.einsum("bqhd,bkhd->bhqk", g, values)
            self.ledger.keep("pairs", layer, self._trace[Site("pattern", layer)].detach() * along)


def _dot(x: Tensor, g: Tensor) -> Float[Tensor, "batch"]:
    """⟨x, g⟩ of each prompt."""
    return (wide_of(x) * wide_of(g)).flatten(1).sum(1)


def _scale(g: Tensor, share: float) -> Tensor | None:
    return None if share == 1 else g * share


def _partly(x: Tensor, share: float, function: Account) -> Tensor:
    """x with `function` on its gradient; cut off where its share is nothing."""
    return on_gradient(x, function) if share else x.detach()


def _share(share: float) -> Account:
    """An account that lets a part of the gradient through."""
    return lambda x, g: _scale(g, share)

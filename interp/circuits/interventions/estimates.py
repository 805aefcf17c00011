"""First-order effects of replacing activations, from one backward pass: gradients, or relevance in their place."""

from collections.abc import Iterator
from functools import partial
from typing import Literal

import torch
from jaxtyping import Float
from pydantic import Field
from pydantic.dataclasses import dataclass
from torch import Tensor

from interp.circuits.interventions.groups import groups
from interp.circuits.interventions.replacements import (
    DENOISING_SIGN,
    How,
    base_and_source,
    describe_patch,
    recorded_replacement,
)
from interp.circuits.interventions.softmax import PatchedSoftmax
from interp.core.metric import Metric
from interp.core.options import BatchTokens
from interp.core.progress import track
from interp.core.prompts import PromptPairs, Prompts
from interp.core.result import SIGN
from interp.core.variables import AGAINST, FOR
from interp.decomposition.relevance.modified_gradient import with_rules
from interp.decomposition.relevance.rules import Recipe
from interp.kinds import Effects
from interp.models.edits import Edit
from interp.models.finite import require_finite
from interp.models.gradients import on_gradient
from interp.models.hooked import HookedModel
from interp.models.memory import require_memory_for_gradient
from interp.models.sites import SITES, Site

AttributionSite = Literal[
    "z", "q", "k", "v", "attn_out", "mlp_out", "mlp_post", "expert_write", "resid_pre", "resid_mid", "resid_post"
]


@dataclass(frozen=True)
class PatchOptions:
    """Where to patch, and with what."""

    site: AttributionSite = Field("z", description="site to patch: z is every head's output, mlp_post every neuron")
    how: How = Field("resample", description="replacement value: the other prompt's, zero, or the prompt's mean")
    direction: Literal["noising", "denoising"] = Field(
        "noising",
        description="noising patches corrupted values into the clean run; denoising patches clean values "
        "into the corrupted run",
    )
    by_position: bool | None = Field(
        None, description="one effect per position instead of one for all; by default for the residual stream only"
    )
    batch_tokens: BatchTokens = Field(512, description="tokens per backward pass")


def estimated_effects(
    engine: str,
    model: HookedModel,
    prompts: Prompts | PromptPairs,
    metric: Metric,
    options: PatchOptions,
    *,
    rules: Recipe | None = None,
    softmax_fix: bool = False,
    grad_drop: bool = False,
) -> Effects:
    """(Other value − value here) · gradient here at every place, or by `rules` relevance per unit of the value here."""
    sides = PromptPairs(*base_and_source(engine, prompts, options.how, options.direction))
    by_position = options.site.startswith("resid") if options.by_position is None else options.by_position
    batches, effects = groups(sides, metric, options.batch_tokens), []
    for group in track(batches, len(batches), f"{engine.replace('-', ' ')} {options.site}"):
        require_memory_for_gradient(model, group.clean)
        run = _Backward(model, sides[group.rows], group.metric, options, by_position, rules, softmax_fix, grad_drop)
        part = run.effects()
        require_finite(model, group.clean, part)
        if by_position:  # padded places hold nothing
            mask = group.clean.mask.view(len(part), 1, -1, *[1] * (part.dim() - 3)).to(part.device)
            part = torch.where(mask, part, torch.nan)
            lacking = sides.clean.width - part.shape[2]
            part = torch.cat([part, part.new_full((*part.shape[:2], lacking, *part.shape[3:]), torch.nan)], 2)
        effects.append(part.cpu())
    effect = torch.cat(effects).movedim(2, -1) if by_position else torch.cat(effects).squeeze(2)
    inner = {"head": "head", "kv_head": "head", "expert": "expert", "d_mlp": "neuron"}.get(
        SITES[options.site].axes.split()[2]
    )
    axes = ["batch", "layer", *([inner] if inner else []), *(["pos"] if by_position else [])]
    sign, supports = (DENOISING_SIGN, FOR) if options.direction == "denoising" else (SIGN, AGAINST)
    description = describe_patch(metric, options.site, options.how, options.direction)
    return Effects.of(
        sides.clean,
        {"effect": effect},
        " ".join(axes),
        unit=metric.unit,
        measured=f"{'size' if grad_drop else 'estimate'} of the {description}",
        sign="mean magnitude: signs are lost so that effects cannot cancel" if grad_drop else f"{sign}, estimated",
        supports="" if grad_drop else supports,
    )


class _Backward:
    """Some prompts' effects, filled as the gradient passes each layer's site."""

    def __init__(
        self,
        model: HookedModel,
        sides: PromptPairs,
        metric: Metric,
        options: PatchOptions,
        by_position: bool,
        rules: Recipe | None,
        softmax_fix: bool,
        grad_drop: bool,
    ) -> None:
        self.model, self.base, self.metric, self.options = model, sides.clean, metric, options
        self.rules, self.grad_drop = rules, grad_drop
        self.by_position = by_position
        self._replacement = recorded_replacement(model, sides.corrupted, model.sites(options.site), options.how)
        self._softmax = None
        if softmax_fix:
            self._softmax = PatchedSoftmax(model, sides.clean, metric, options.site, self._replacement)
        self._by_layer: dict[int, Tensor] = {}
        self._without: int | None = None

    def effects(self) -> Float[Tensor, "batch layer pos *inner"]:
        """The effects; a single position where they are not told apart."""
        layers, leaves = range(self.model.dims.layers), []

        def begin(stream: Tensor) -> Tensor:
            leaves.append(stream.detach().requires_grad_())
            return leaves[0]

        edits = with_rules(self.model, self.rules, [Edit.through(Site("resid_pre", 0), begin), *self._edits()])
        with torch.enable_grad():
            total = self.metric.of_rows(self.model.run(self.base, edits=edits, answer=self.metric).logits).sum()
        if not self.grad_drop:
            torch.autograd.grad(total, leaves)
            return torch.stack([self._by_layer[layer] for layer in layers], 1)
        # A part of the layer that is left out has no gradient at all; the stream has one whatever is left out.
        others = {layer: [at for at in layers if at != layer or self._is_stream] for layer in layers}
        sizes: dict[int, Tensor] = {}
        for self._without in layers:
            torch.autograd.grad(total, leaves, retain_graph=self._without != layers[-1])
            for layer in others[self._without]:
                sizes[layer] = sizes.get(layer, 0) + self._by_layer[layer].abs()
        return torch.stack([sizes[layer] for layer in layers], 1) / len(others[0])

    @property
    def _is_stream(self) -> bool:
        return self.options.site.startswith("resid")

    def _edits(self) -> Iterator[Edit]:
        site_name = "z" if self._softmax else self.options.site
        for layer in range(self.model.dims.layers):
            if self.grad_drop:
                for name in ("attn_write", "mlp_write"):
                    drop = partial(self._drop, layer)
                    yield Edit.through(Site(name, layer), partial(on_gradient, function=drop))
            look = partial(self._look, layer)
            yield Edit.through(Site(site_name, layer), partial(on_gradient, function=look))

    def _drop(self, layer: int, value: Tensor, gradient: Tensor) -> Tensor | None:
        return torch.zeros_like(gradient) if layer == self._without else None

    def _look(self, layer: int, value: Tensor, gradient: Tensor) -> None:
        if self._softmax is not None:
            self._by_layer[layer] = self._softmax.effect(layer, gradient, by_position=self.by_position)
            return
        effect = (self._replacement[layer].to(value) - value) * gradient
        if self.options.site != "mlp_post":
            effect = effect.sum(-1)
        self._by_layer[layer] = effect if self.by_position else effect.sum(1, keepdim=True)

"""Expert routing: which experts of a mixture took which token."""

import torch
from jaxtyping import Float
from torch import Tensor

from interp.core.engine import engine
from interp.core.prompts import Prompts
from interp.kinds import ExpertRouting
from interp.models.hooked import HookedModel
from interp.models.sites import Site

_SCORES = (lambda logits: logits.softmax(-1), torch.sigmoid)  # what families make of the router's numbers
_SAME = 1e-2  # of a ratio that would be 1, whatever precision it was computed in


def _obstacle(model: HookedModel) -> str | None:
    if not model.dims.experts:
        return "its MLPs are no mixtures of experts"
    return model.site_obstacle(Site("router", 0))


@engine(obstacle=_obstacle)
def expert_routing(model: HookedModel, prompts: Prompts) -> ExpertRouting:
    """Which experts took which token, with what weight, and what the selection dropped.

    Read the router's weights of every token as the model used them, after top-k and normalisation.

    `weight` is `batch layer pos expert`, 0 where the expert did not take the token. `taken` (`batch layer expert`) is
    the share of the prompt's tokens that each took. `dropped` (`batch layer pos`) is the share of the router's scores,
    a softmax or sigmoids of all its logits, that fell to experts which were not selected. An expert that takes every
    token stands last, as does the plain MLP of a layer without a router.
    Unit: a factor; shares.
    Conserves: the shares of a layer's experts add up to the number of experts per token.
    Source: Shazeer et al. 2017, "Outrageously Large Neural Networks: The Sparsely-Gated Mixture-of-Experts Layer",
    section 2; Jiang et al. 2024, "Mixtral of Experts", section 5, on the share of tokens that each expert takes.
    """
    layers = range(model.dims.layers)
    logits = [site for site in model.sites("router_logits") if model.site_obstacle(site) is None]
    with torch.no_grad():
        trace = model.record(prompts, [*model.sites("router"), *logits])
    weights = torch.stack([trace[Site("router", layer)].double() for layer in layers], 1)
    padding = ~prompts.mask.to(weights.device)
    taken = (weights != 0).double().masked_fill(padding[:, None, :, None], 0)
    dropped = torch.stack([_dropped(model, trace.get(Site("router_logits", n)), weights[:, n]) for n in layers], 1)
    return ExpertRouting.of(
        prompts,
        {
            "weight": weights.masked_fill(padding[:, None, :, None], torch.nan),
            "taken": taken.sum(2) / (~padding).sum(1)[:, None, None],
            "dropped": dropped.masked_fill(padding[:, None], torch.nan),
        },
        measured="the router's weight of every expert for every token, after selection",
    )


def _dropped(
    model: HookedModel, logits: Float[Tensor, "batch pos routed"] | None, weights: Float[Tensor, "batch pos expert"]
) -> Float[Tensor, "batch pos"]:
    """What fell to experts that did not take the token, of scores to which the weights of the others are in proportion;
    NaN where they are in proportion to none that is known."""
    nothing = torch.full_like(weights[..., 0], torch.nan)
    if logits is None:
        return nothing
    routed = weights[..., : model.dims.routed]
    for function in _SCORES:
        scores = function(logits.to(routed))
        ratio = torch.where(routed != 0, routed / scores, torch.nan)
        middle = ratio.nanmean(-1, keepdim=True)
        if bool((((ratio - middle).abs() <= _SAME * middle) | ratio.isnan()).all()):
            return scores.where(routed == 0, 0).sum(-1) / scores.sum(-1)
    return nothing

"""Feature attribution: first-order effect of each dictionary feature on the answer, and of the reconstruction error."""

from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from pydantic import Field
from pydantic.dataclasses import dataclass
from torch import Tensor

from interp.core.edges import circuit_facts
from interp.core.engine import engine
from interp.core.metric import Metric
from interp.core.nodes import Node
from interp.core.options import Count
from interp.core.prompts import PromptPairs, Prompts
from interp.core.quadrature import quadrature
from interp.core.result import SIGN
from interp.dictionaries.features.written import Written, written
from interp.dictionaries.sae.attached import Attached
from interp.dictionaries.sae.catalogue import DictionaryOptions, attached
from interp.kinds import FeatureEffects
from interp.models.edits import Edit
from interp.models.finite import require_finite
from interp.models.hooked import HookedModel
from interp.models.memory import require_memory_for_gradient
from interp.models.sites import Site
from interp.models.writes import graph_of


@dataclass(frozen=True)
class FeatureAttributionOptions(DictionaryOptions):
    """The dictionary, how many features are listed, and where the gradient is taken."""

    top: Count = Field(20, description="features listed per prompt, strongest first")
    steps: int = Field(
        1,
        ge=1,
        le=1000,
        description="gradients averaged between the two runs; 1 uses the clean run only",
    )


@engine
def feature_attribution(
    model: HookedModel, prompts: Prompts | PromptPairs, metric: Metric, options: FeatureAttributionOptions
) -> FeatureEffects:
    """Estimated effect on the answer of each dictionary feature and of the reconstruction error.

    The effect of feature f is Σ_pos (f' − f) · ∂metric/∂f, with f' its activation on the corrupted prompt, or 0 where
    there is none; what the dictionary misses (x − x̂) is held fixed while the gradient passes and has an effect of its
    own, so that all features and the error add up to (x' − x) · ∂metric/∂x. Axes: `effect`, `batch rank`, the strongest
    of each prompt, named by `node`; `position_effect`, `clean` and `corrupted` (activations), `batch rank pos`;
    `feature_effect`, `batch feature`, every feature. `patched` is the true effect of x' in the place of x.
    With `steps` the gradient is averaged over as many midpoints between x and x'.
    Unit: that of the metric (logits); activations in units of the decoder's rows.
    Conserves: features + error = (other value − value) · gradient at the dictionary's site.
    Raises: DictionaryError where no dictionary is known for the model; EngineError where activations are not finite;
    MemoryLimitError.
    Source: Marks et al. 2024, "Sparse Feature Circuits", equations 2 and 3; Kissane et al. 2024.
    Differs: without a corrupted prompt x' is the decoder's bias alone. Of a dictionary that rescales what it reads,
    what its bias changes by is in the error. With steps, one path moves the whole site, where the paper has one a node.
    """
    dictionary, clean = attached(model, options.dictionary), prompts.clean
    _require_memory(dictionary, clean)
    change = _change(dictionary, prompts)
    gradient, total_effect = _gradient(model, clean, metric, dictionary.site, change, options.steps)
    require_finite(model, clean, gradient)
    effects = _effects(change, gradient * clean.mask.to(gradient)[..., None])
    layer, name = dictionary.site.layer or 0, dictionary.site.name
    strongest = effects.features.sum(1).abs().argsort(dim=-1, descending=True, stable=True)[:, : options.top]
    nodes = [[str(Node("f", layer, feature, name)) for feature in row] for row in strongest.tolist()]
    at_strongest = partial(_at_strongest, strongest=strongest, real=clean.mask.to(gradient.device)[..., None])
    every = effects.features.sum(1)
    effect = every.gather(-1, strongest)
    values: dict[str, Any] = {
        "node": np.array(nodes, dtype=object),
        "effect": effect,
        "position_effect": at_strongest(effects.features),
        "clean": at_strongest(change.clean.features),
        "corrupted": at_strongest(change.other.features),
        "feature_effect": every,
        "total": effects.total,
        "features": every.sum(-1),
        "error": effects.error,
        "rest": every.sum(-1) - effect.sum(-1),
        "remainder": effects.total - every.sum(-1) - effects.error,
        "patched": total_effect,
    }
    how = "resample" if isinstance(prompts, PromptPairs) else "zero"
    replacement = "its value in the other run" if how == "resample" else "zero"
    return FeatureEffects.of(
        clean,
        values,
        unit=metric.unit,
        measured=f"estimated change of {metric.label} when a feature of {dictionary.name} at {dictionary.site} is "
        f"replaced by {replacement}",
        sign=f"{SIGN}, estimated",
        facts={
            **circuit_facts(graph_of(model), clean),
            "dictionary": dictionary.name, "layer": str(layer), "site_name": name, "how": how,
        },
    )  # fmt: skip


def _at_strongest(
    values: Float[Tensor, "batch pos feature"], strongest: Int[Tensor, "batch rank"], real: Bool[Tensor, "batch pos 1"]
) -> Float[Tensor, "batch rank pos"]:
    """The strongest features' values, NaN at padded places."""
    places = strongest[:, None].expand(-1, real.shape[1], -1)
    return values.gather(-1, places).masked_fill(~real, torch.nan).transpose(1, 2)


def _require_memory(dictionary: Attached, prompts: Prompts) -> None:
    """Beside the gradient: five tensors of every position's features at once and both runs' rows, in float64."""
    features, width = dictionary.sae.cfg.d_sae, dictionary.sae.cfg.d_in
    numbers = features * (5 * prompts.tokens.numel() + 2 * width)
    beside = numbers * torch.float64.itemsize // dictionary.model.dtype.itemsize
    require_memory_for_gradient(dictionary.model, prompts, beside=beside)


class _Change(NamedTuple):
    """What the site holds in the clean run, what is put there, the dictionary's account of both, and the clean stream
    into the layer: what lies below is not run again."""

    here: Tensor
    there: Tensor
    clean: Written
    other: Written
    stream: Float[Tensor, "batch pos d_model"]


def _change(dictionary: Attached, prompts: Prompts | PromptPairs) -> _Change:
    model, site = dictionary.model, dictionary.site
    into = Site("resid_pre", site.layer)
    with torch.no_grad():
        trace = model.record(prompts.clean, [into, site])
        here = trace[site]
        clean = written(dictionary, here)
        if isinstance(prompts, PromptPairs):
            there = model.record(prompts.corrupted, [site])[site]
            other = written(dictionary, there)
        else:
            there = clean.constant.to(here).reshape(here.shape)
            other = clean._replace(features=torch.zeros_like(clean.features), error=torch.zeros_like(clean.error))
    return _Change(here, there, clean, other, trace[into])


def _gradient(
    model: HookedModel, prompts: Prompts, metric: Metric, site: Site, change: _Change, steps: int
) -> tuple[Float[Tensor, "batch pos width"], Float[Tensor, "batch"]]:
    """The mean gradient of the metric at the site along the path, and what the metric truly changes by at its end."""
    start = (site.layer or 0, change.stream)

    def at(share: float, leaves: list[Tensor]) -> Float[Tensor, "batch"]:
        def begin(value: Tensor) -> Tensor:
            leaves.append(torch.lerp(change.here, change.there, share).requires_grad_(torch.is_grad_enabled()))
            return leaves[0]

        run = model.run(prompts, edits=[Edit.through(site, begin)], answer=metric, start=start)
        return metric.of_rows(run.logits)

    path = quadrature("midpoint", steps)
    total = torch.zeros(change.here.flatten(2).shape, dtype=torch.float64, device=change.here.device)
    for point, weight in zip([0.0] if steps == 1 else path.points.tolist(), path.weights.tolist(), strict=True):
        leaves: list[Tensor] = []
        with torch.enable_grad():
            (gradient,) = torch.autograd.grad(at(point, leaves).sum(), leaves)
        total += weight * gradient.flatten(2).double()
    with torch.no_grad():
        return total, at(1.0, []) - at(0.0, [])


class _Effects(NamedTuple):
    features: Float[Tensor, "batch pos feature"]
    error: Float[Tensor, "batch"]
    total: Float[Tensor, "batch"]


def _effects(change: _Change, gradient: Float[Tensor, "batch pos width"]) -> _Effects:
    """What each feature's change does, what the rest of the site's does, and both together."""
    features = change.other.factor * change.other.features - change.clean.factor * change.clean.features
    error = change.other.error + change.other.constant - change.clean.error - change.clean.constant
    total = (change.there.double() - change.here.double()).flatten(2)
    return _Effects(
        features * (gradient @ change.clean.rows.T), (error * gradient).sum((1, 2)), (total * gradient).sum((1, 2))
    )

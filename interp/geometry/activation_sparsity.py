"""Activation sparsity: how few neurons carry an MLP's activations, and the loss without the smallest."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Annotated

import numpy as np
import torch
from jaxtyping import Bool, Float
from pydantic import Field
from pydantic.dataclasses import dataclass as options_dataclass
from torch import Tensor

from interp.core.engine import engine
from interp.core.intervals import with_interval
from interp.core.options import Fraction, Index
from interp.core.progress import track
from interp.core.prompts import Prompts
from interp.corpus.enough import require_width
from interp.corpus.gathering import gather
from interp.corpus.losses import losses_of, predicts_next, window_losses
from interp.corpus.options import CorpusOptions, windows_of
from interp.corpus.sums import Sums, Totals
from interp.kinds import ActivationSparsity
from interp.models.edits import Edit
from interp.models.hooked import HookedModel
from interp.models.sites import Site

Neurons = Float[Tensor, "window pos d_mlp"]
Change = Callable[[Neurons], Neurons]
_MEASURES = ("small_share", "zero_share", "hoyer")


@options_dataclass(frozen=True)
class ActivationSparsityOptions(CorpusOptions):
    """The text, what counts as small, and which shares of the activations are removed."""

    threshold: float = Field(0.1, ge=0, le=1e9, description="absolute value below which an activation is small")
    fractions: Annotated[tuple[Fraction, ...], Field(min_length=1)] = Field(
        (0.25, 0.5, 0.75, 0.9), description="shares of every MLP's activations that are set to zero, smallest first"
    )
    layer_fraction: Fraction = Field(0.5, description="share set to zero in one layer at a time")
    skip: Index = Field(1, description="initial positions of every window left out of the measures; runs have them")


@dataclass(frozen=True)
class SparsitySums:
    """Rows a window: the measures (layer), `clean` loss, `layer` (layer), `smallest` and `random` (fraction) losses."""

    threshold: float
    fractions: tuple[float, ...]
    layer_fraction: float
    skip: int
    seed: int
    name: str = "activation-sparsity"

    def settings(self) -> dict[str, int | float | str]:
        """What distinguishes these sums from others."""
        fractions = " ".join(map(str, self.fractions))
        return {
            "threshold": self.threshold, "fractions": fractions, "layer_fraction": self.layer_fraction,
            "skip": self.skip, "seed": self.seed,
        }  # fmt: skip

    def measure(self, model: HookedModel, windows: Prompts, first: int, into: Totals | None = None) -> Sums:
        """The sums of some windows."""
        count, layers = len(windows), model.dims.layers
        rows = {name: np.full((count, layers), np.nan) for name in _MEASURES}
        mask = windows.mask.to(model.device).clone()
        mask[:, : self.skip] = False

        def see(layer: int, neurons: Neurons) -> None:
            for name, values in zip(_MEASURES, _measures(neurons, self.threshold), strict=True):
                rows[name][:, layer] = _mean(values, mask)

        edits = [Edit.through(site, partial(see, site.layer or 0)) for site in model.sites("mlp_post")]
        trace = model.run(windows, record=model.sites("resid_pre"), edits=edits)
        rows |= {"clean": np.full(count, np.nan), "layer": np.full((count, layers), np.nan)}
        rows |= {name: np.full((count, len(self.fractions)), np.nan) for name in ("smallest", "random")}
        if predicts_next(model):
            rows["clean"] = losses_of(trace.logits, windows)
            for layer in track(range(layers), layers, "losses with one MLP made sparse"):
                edit = Edit.through(Site("mlp_post", layer), partial(without_smallest, share=self.layer_fraction))
                start = (layer, trace[Site("resid_pre", layer)])
                rows["layer"][:, layer] = window_losses(model, windows, [edit], start=start)
            for at, share in enumerate(self.fractions):
                for name, change in (("smallest", _smallest), ("random", self._random)):
                    sites = model.sites("mlp_post")
                    edits = [Edit.through(site, change(site.layer or 0, share)) for site in sites]
                    rows[name][:, at] = window_losses(model, windows, edits)
        totals = into or {"windows": np.asarray(0)}
        totals["windows"] += count
        return Sums(totals, rows)

    def _random(self, layer: int, share: float) -> Change:
        """Sets as many random activations of each token to zero, alike in all windows."""

        def change(neurons: Neurons) -> Neurons:
            generator = torch.Generator().manual_seed(self.seed + layer)
            order = torch.rand(neurons.shape[1:], generator=generator).to(neurons.device).expand_as(neurons)
            return _without_least(neurons, order, share)

        return change


def _smallest(layer: int, share: float) -> Change:
    return partial(without_smallest, share=share)


def without_smallest(neurons: Neurons, share: float) -> Neurons:
    """The activations with this share of each token's, the smallest in size, at zero; rounded down."""
    return _without_least(neurons, neurons.abs(), share)


def _without_least(neurons: Neurons, order: Tensor, share: float) -> Neurons:
    least = order.topk(int(share * neurons.shape[-1] + 1e-9), largest=False).indices
    return neurons.scatter(-1, least, 0)


def _measures(neurons: Neurons, threshold: float) -> tuple[Tensor, Tensor, Tensor]:
    """The share of small and of zero activations, and the Hoyer index, of each token."""
    size, root = neurons.double().abs(), neurons.shape[-1] ** 0.5
    hoyer = (root - size.sum(-1) / size.square().sum(-1).sqrt()) / (root - 1)
    return (size < threshold).double().mean(-1), (size == 0).double().mean(-1), hoyer


def _mean(values: Float[Tensor, "window pos"], mask: Bool[Tensor, "window pos"]) -> np.ndarray:
    """Over the tokens of each window that have a value; NaN without one."""
    there = mask & values.isfinite()
    return (torch.where(there, values, 0).sum(-1) / there.sum(-1)).cpu().numpy()


def _obstacle(model: HookedModel) -> str | None:
    if model.dims.experts:
        return "its MLPs are mixtures of experts, most of whose neurons are not run"
    if model.dims.neurons < 2:
        return "its MLPs have fewer than two neurons"
    return next(filter(None, map(model.edit_obstacle, model.sites("mlp_post"))), None)


@engine(obstacle=_obstacle, default_prompts=windows_of)
def activation_sparsity(model: HookedModel, prompts: Prompts, options: ActivationSparsityOptions) -> ActivationSparsity:
    """How few neurons carry each MLP's activations, and the loss when the smallest of them are set to zero.

    Share of the activations (site `mlp_post`) below `threshold` in size, share of exact zeros, and Hoyer's index:
    `layer`, means over tokens and windows with intervals. Increase of the next-token loss with the smallest activations
    of each token at zero: in one layer at a time (`layer_fraction` of them; runs start from the stream into the layer),
    and in all layers at once, for each of `fractions`. Control: as many random activations.
    Unit: share; nats.
    Source: Hurley & Rickard 2009, "Comparing Measures of Sparsity", for Hoyer's index; Szatkowski et al. 2024,
    "Exploiting Activation Sparsity with Dense to Dynamic-k Mixture-of-Experts Conversion".
    Differs: neurons are removed one by one rather than by experts.
    """
    require_width(prompts, options.skip)
    statistic = SparsitySums(options.threshold, options.fractions, options.layer_fraction, options.skip, options.seed)
    sums = gather(model, prompts, statistic)
    clean, values = sums.rows("clean"), {}
    for name in _MEASURES:
        values |= with_interval(name, sums.rows(name))
    for name, row in (("layer_increase", "layer"), ("increase", "smallest"), ("random_increase", "random")):
        values |= with_interval(name, sums.rows(row) - clean[:, None])
    return ActivationSparsity.of(
        prompts,
        values | with_interval("loss", clean),
        measured=f"sparsity of the MLPs' activations over {len(prompts):,} windows; one layer at a time without "
        f"{options.layer_fraction:.0%} of them",
        sign="increase > 0: the activations that were removed lower the loss",
        fraction=np.array(options.fractions),
    )

"""How much the parts of every layer change the stream: cosine, angle, entropy, and the moments of a linear map."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from interp.core.prompts import Prompts
from interp.corpus.least_squares import add_moments, no_moments
from interp.corpus.sums import Sums, Totals
from interp.flow.depth.parts import PARTS, addition, part_sites
from interp.models.hooked import HookedModel

ROWS = ("influence", "angle", "influence_without_massive", "entropy_change", "neighbour_entropy_change")
NEIGHBOURS = 5  # k of the entropy by distances to the k-th nearest token, as the reference has it
OF_WINDOWS = ROWS[3:]  # one number a window; of the others a sum over its tokens


@dataclass(frozen=True)
class PartSums:
    """What every part of every layer changes.

    Rows of a window, `layer part`: Σ over tokens of 1 − cos, angle / π, and 1 − cos without massive dimensions; the
    change of the stream's entropy, in buckets and by nearest neighbours; and `tokens`. Totals over the first `fitted`
    windows: the moments of the stream into a part and of what it adds, and `fitted_tokens`.
    """

    skip: int
    bins: int
    massive: float
    fitted: int
    name: str = "layer-redundancy"

    def settings(self) -> dict[str, int | float | str]:
        """What distinguishes these sums from others."""
        return {"skip": self.skip, "bins": self.bins, "massive": self.massive, "fitted": self.fitted}

    def measure(self, model: HookedModel, windows: Prompts, first: int, into: Totals | None = None) -> Sums:
        """The sums of some windows."""
        layers, width = model.dims.layers, model.dims.d_model
        totals = into or no_moments((layers, len(PARTS)), width) | {"fitted_tokens": np.asarray(0)}
        rows = {name: np.full((len(windows), layers, len(PARTS)), np.nan) for name in ROWS}
        counted = windows.mask.clone()
        counted[:, : self.skip] = False
        rows["tokens"] = counted.sum(1).double().numpy()
        fitted = counted.clone()
        fitted[max(0, self.fitted - first) :] = False
        totals["fitted_tokens"] += int(fitted.sum())
        counted, fitted = counted.to(model.device), fitted.to(model.device)
        with torch.no_grad():
            trace = model.record(windows, part_sites(model))
            for layer in range(layers):
                for at, part in enumerate(PARTS):
                    before, update = (each.double() for each in addition(model, trace, layer, part))
                    add_moments(totals, (layer, at), before[fitted], update[fitted])
                    for window, values in self._of_windows(before, before + update, counted):
                        for name, value in zip(ROWS, values, strict=True):
                            rows[name][window, layer, at] = value
        return Sums(totals, rows)

    def _of_windows(
        self, before: Tensor, after: Tensor, counted: Bool[Tensor, "window pos"]
    ) -> Iterator[tuple[int, tuple[float, ...]]]:
        """Of each window that has tokens, what `ROWS` names."""
        for window, tokens in enumerate(counted):
            if not tokens.any():
                continue
            x, y = before[window, tokens], after[window, tokens]
            rest = ~(massive_dimensions(x, self.massive) | massive_dimensions(y, self.massive))
            apart, apart_without = distances(x, y), distances(x[:, rest], y[:, rest])
            yield (
                window,
                (
                    float(apart.square().sum() / 2),
                    float(2 * (apart / 2).clamp(max=1).asin().sum() / torch.pi),
                    float(apart_without.square().sum() / 2),
                    bucket_entropy(y, self.bins) - bucket_entropy(x, self.bins),
                    neighbour_entropy_change(x, y, NEIGHBOURS),
                ),
            )


def distances(x: Float[Tensor, "token d_model"], y: Float[Tensor, "token d_model"]) -> Float[Tensor, "token"]:
    """‖x̂ − ŷ‖ of unit vectors, from which 1 − cos = ‖x̂ − ŷ‖² / 2 and the angle 2 asin(‖x̂ − ŷ‖ / 2) keep all digits."""
    return (F.normalize(x, dim=-1, eps=1e-300) - F.normalize(y, dim=-1, eps=1e-300)).norm(dim=-1)


def massive_dimensions(x: Float[Tensor, "token d_model"], times: float) -> Bool[Tensor, "d_model"]:
    """Dimensions whose root mean square over tokens is more than `times` that of the median dimension."""
    size = x.square().mean(0).sqrt()
    return size > times * size.median()


def bucket_entropy(x: Float[Tensor, "token d_model"], bins: int) -> float:
    """Entropy in nats of each dimension's histogram over tokens between its least and largest value; mean over them."""
    if not x.isfinite().all():
        return float("nan")
    least, span = x.amin(0), (x.amax(0) - x.amin(0))
    place = ((x - least) / torch.where(span > 0, span, 1) * bins).long().clamp_(max=bins - 1)
    place += torch.arange(x.shape[1], device=x.device) * bins
    share = torch.bincount(place.flatten(), minlength=bins * x.shape[1]).double() / len(x)
    return float(torch.special.entr(share).sum()) / x.shape[1]


def neighbour_entropy_change(x: Float[Tensor, "token d_model"], y: Float[Tensor, "token d_model"], k: int) -> float:
    """H(y) − H(x) a dimension by distances r to the k-th nearest token: the mean of log r(y) − log r(x).

    The estimate of H is d · mean log r + (d / 2) log π − log Γ(d / 2 + 1) + log n − log k, whose constants go. Tokens
    on top of their k-th neighbour, before or after, are left out; NaN if none is left.
    """
    if len(x) <= k or not (x.isfinite().all() and y.isfinite().all()):
        return float("nan")
    before, after = _kth_distance(x, k), _kth_distance(y, k)
    apart = (before > 0) & (after > 0)
    return float((after[apart].log() - before[apart].log()).mean())


def _kth_distance(x: Float[Tensor, "token d_model"], k: int) -> Float[Tensor, "token"]:
    """Which token is the k-th nearest is told by products, which are quick; how far it is by the difference."""
    centred = x - x.mean(0)
    size = centred.square().sum(1)
    squares = size[:, None] + size - 2 * centred @ centred.T
    return (x - x[squares.fill_diagonal_(torch.inf).kthvalue(k).indices]).norm(dim=1)

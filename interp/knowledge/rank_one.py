"""A rank-one change of an MLP's output matrix as an edit: the weights stay as they are."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from interp.core.prompts import Prompts
from interp.corpus.sums import Sums, Totals
from interp.kinds import RankOneEdit
from interp.models.edits import Edit
from interp.models.hooked import HookedModel
from interp.models.sites import Site


@dataclass(frozen=True)
class KeySums:
    """Second moments of one MLP's neurons, its keys k: Σkkᵀ (d_mlp × d_mlp); and `tokens`."""

    layer: int
    skip: int = 1
    name: str = "mlp-keys"

    def settings(self) -> dict[str, int | float | str]:
        """What distinguishes these sums from others."""
        return {"layer": self.layer, "skip": self.skip}

    def measure(self, model: HookedModel, windows: Prompts, first: int, into: Totals | None = None) -> Sums:
        """The sums of some windows."""
        site, width = Site("mlp_post", self.layer), model.dims.d_mlp
        totals = into or {"kk": np.zeros((width, width)), "tokens": np.asarray(0)}
        mask = windows.mask[:, self.skip :].to(model.device)
        keys = model.record(windows, [site])[site][:, self.skip :][mask].double()
        totals["kk"] += (keys.T @ keys).cpu().numpy()
        totals["tokens"] += len(keys)
        return Sums(totals)


def key_direction(covariance: np.ndarray, key: np.ndarray, ridge: float) -> np.ndarray:
    """C⁻¹k / (kᵀC⁻¹k), with `ridge` times its mean diagonal added to C; zero for a key that is zero."""
    floor = max(ridge * covariance.trace() / len(covariance), np.finfo(float).tiny)
    direction = np.linalg.solve(covariance + floor * np.eye(len(covariance)), key)
    size = key @ direction
    return direction / size if size > 0 else np.zeros_like(key)


def rank_one_edits(layer: int, direction: Tensor, change: Tensor) -> list[Edit]:
    """Edits after which the MLP's output matrix is W + change ⊗ direction, at every position."""
    along: list[Tensor] = []

    def hear(keys: Float[Tensor, "batch pos d_mlp"]) -> None:
        along[:] = [keys @ direction.to(keys)]

    def write(output: Float[Tensor, "batch pos d_model"]) -> Tensor:
        return output + along[0][..., None] * change.to(output)

    return [Edit.through(Site("mlp_post", layer), hear), Edit.through(Site("mlp_out", layer), write)]


def edits_of(result: RankOneEdit, prompt: int = 0) -> list[Edit]:
    """The edits of a result, for `model.edited(…)` or any run."""
    data = result.data.isel(batch=prompt)
    direction, change = (torch.from_numpy(data[name].values) for name in ("key_direction", "value_change"))
    return rank_one_edits(int(result.data.attrs["layer"]), direction, change)

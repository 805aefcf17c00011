"""K-FAC factors of one MLP: second moments of each matrix' inputs and of the loss' gradients at its outputs."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from interp.core.prompts import Prompts
from interp.corpus.losses import loss_obstacle, predicting
from interp.corpus.sums import Sums, Totals
from interp.models.edits import Edit
from interp.models.hooked import HookedModel
from interp.models.sites import Site


class Matrix(NamedTuple):
    """One matrix of an MLP by its name, the sites that it reads and writes, and itself, rows in and columns out."""

    name: str
    reads: Site
    writes: Site
    weight: Tensor


def matrices(model: HookedModel, layer: int) -> list[Matrix]:
    """The input matrix (or gate and up), and the output matrix."""
    reads, up = Site(model.layer_map.mlp.reads, layer), model.weights.mlp_up(layer)
    first = [Matrix("in" if up is None else "gate", reads, Site("mlp_pre", layer), model.weights.mlp_pre(layer).matrix)]
    if up is not None:
        first.append(Matrix("up", reads, Site("mlp_up", layer), up.matrix))
    out = model.weights.mlp_out(layer).matrix
    return [*first, Matrix("out", Site("mlp_post", layer), Site("mlp_out", layer), out)]


def curvature_obstacle(model: HookedModel) -> str | None:
    """Why its MLPs' factors cannot be measured or their matrices edited; None if they can."""
    first = [model.site_obstacle(Site(name, 0)) for name in ("mlp_pre", "mlp_post")]
    if obstacle := loss_obstacle(model) or model.obstacle("mlp") or next(filter(None, first), None):
        return obstacle
    sites = [site for each in matrices(model, 0) for site in (each.reads, each.writes)]
    return next(filter(None, map(model.edit_obstacle, sites)), None)


@dataclass(frozen=True)
class FactorSums:
    """Σaaᵀ over inputs and Σggᵀ over gradients of the summed loss, for every matrix (`A_…`, `G_…`); and `tokens`.

    Labels are drawn from the model's own predictions, as the Fisher matrix has it: by the seed and a window's tokens.
    The first `skip` positions and every window's last are left out.
    """

    layer: int
    seed: int = 0
    skip: int = 1
    name: str = "loss-curvature"

    def settings(self) -> dict[str, int | float | str]:
        """What distinguishes these sums from others."""
        return {"layer": self.layer, "seed": self.seed, "skip": self.skip}

    def measure(self, model: HookedModel, windows: Prompts, first: int, into: Totals | None = None) -> Sums:
        """The sums of some windows, by one backward pass."""
        some = matrices(model, self.layer)
        totals = into or {
            f"{side}_{each.name}": np.zeros((size, size))
            for each in some
            for side, size in zip("AG", each.weight.shape, strict=True)
        } | {"tokens": np.asarray(0)}
        counted = predicting(windows, self.skip).to(model.device)
        with torch.enable_grad():
            values = self._values(model, windows, some)
        for each in some:
            for side, value in zip("AG", values[each.name], strict=True):
                rows = value[:, :-1][counted].double()
                totals[f"{side}_{each.name}"] += (rows.T @ rows).cpu().numpy()
        totals["tokens"] += int(counted.sum())
        return Sums(totals)

    def _values(self, model: HookedModel, windows: Prompts, some: list[Matrix]) -> dict[str, tuple[Tensor, Tensor]]:
        """The inputs of every matrix, and the gradients at its outputs."""
        inputs: dict[Site, Tensor] = {}
        outputs: dict[str, Tensor] = {}

        def hear(site: Site, value: Tensor) -> None:
            inputs[site] = value.detach()

        def leaf(name: str, value: Tensor) -> Tensor:
            outputs[name] = value if value.requires_grad else value.detach().requires_grad_()
            return outputs[name]

        edits = [
            Edit.through(site, lambda x, site=site: hear(site, x)) for site in dict.fromkeys(m.reads for m in some)
        ]
        edits += [Edit.through(each.writes, lambda x, name=each.name: leaf(name, x)) for each in some]
        logits = model.run(windows, edits=edits).logits
        mask = predicting(windows).to(logits.device)
        labels = self._labels(logits, windows)[:, :-1][mask]
        losses = torch.nn.functional.cross_entropy(logits[:, :-1][mask], labels, reduction="sum")
        gradients = torch.autograd.grad(losses, [outputs[each.name] for each in some])
        return {each.name: (inputs[each.reads], gradient) for each, gradient in zip(some, gradients, strict=True)}

    def _labels(self, logits: Tensor, windows: Prompts) -> Int[Tensor, "window pos"]:
        """A token for each position, drawn from the model's prediction."""
        labels = []
        for row, prediction in enumerate(logits.detach()):
            random = np.random.default_rng([self.seed, *windows[[row]].hash.encode()])
            length = int(windows.mask[row].sum())
            drawn = np.concatenate([random.random(length), np.zeros(windows.width - length)])
            below = prediction.double().softmax(-1).cumsum(-1)
            place = torch.from_numpy(drawn).to(below)[:, None] * below[:, -1:]
            labels.append(torch.searchsorted(below, place, right=True).clamp(max=below.shape[-1] - 1)[:, 0])
        return torch.stack(labels)

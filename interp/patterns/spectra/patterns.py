"""Ranks of attention patterns over windows, and the energy of what reaches each MLP's matrices."""

from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor

from interp.core.prompts import Prompts
from interp.corpus.sums import Sums, Totals
from interp.models.edits import Edit
from interp.models.hooked import HookedModel
from interp.models.sites import Site
from interp.patterns.spectra.ranks import NAMES, gaussian, ranks
from interp.patterns.watching import Pattern, Seen, read_patterns

PATTERNS = {"A": 0, "A without first": 1}  # the first key that counts


def inputs_of_mlp(model: HookedModel) -> dict[str, str]:
    """The sites of what an MLP's matrices read; none where it has no matrices of its own (a mixture of experts)."""
    sites = {"in": model.layer_map.mlp.reads, "out": "mlp_post"}
    whole = not model.dims.experts and all(model.has(site) for site in sites.values())
    return sites if whole and not model.obstacle("mlp") else {}


@dataclass(frozen=True)
class SpectrumSums:
    """Rows a window: for each kind of pattern its ranks (measure, layer, head), and of random ones (measure, layer).

    Totals: Σx² of what each MLP matrix reads (layer, width), and `tokens`.
    """

    skip: int
    seed: int
    name: str = "attention-spectrum"

    def settings(self) -> dict[str, int | float | str]:
        """What distinguishes these sums from others."""
        return {"skip": self.skip, "seed": self.seed}

    def measure(self, model: HookedModel, windows: Prompts, first: int, into: Totals | None = None) -> Sums:
        """The sums of some windows."""
        count, layers, heads = len(windows), model.dims.layers, model.dims.heads
        sites, mask = inputs_of_mlp(model), windows.mask[:, self.skip :].to(model.device)
        widths = {"in": model.dims.d_model, "out": model.dims.neurons}
        totals = into or {name: np.zeros((layers, widths[name])) for name in sites} | {"tokens": np.asarray(0)}
        totals["tokens"] += int(mask.sum())
        rows = {name: np.full((count, len(NAMES), layers, heads), np.nan) for name in PATTERNS}
        rows |= {f"random {name}": np.full((count, len(NAMES), layers), np.nan) for name in PATTERNS}
        rows["size"] = windows.mask.sum(1).double().numpy()

        def see(layer: int, pattern: Pattern, seen: Seen) -> None:
            for row, there in enumerate(windows.mask):
                at = there.nonzero()[:, 0].to(pattern.device)
                own, visible = pattern[row][:, at][:, :, at], seen[row, at][:, at]
                random = self._random(layer, visible)
                for name, start in PATTERNS.items():
                    if len(at) > start:
                        rows[name][row, :, layer] = ranks(torch.linalg.svdvals(own[:, :, start:]))
                        rows[f"random {name}"][row, :, layer] = ranks(torch.linalg.svdvals(random[:, start:]))

        def add(name: str, layer: int, values: Tensor) -> None:
            totals[name][layer] += values[:, self.skip :][mask].double().square().sum(0).cpu().numpy()

        inputs = [
            Edit.through(Site(site, layer), partial(add, name, layer))
            for name, site in sites.items()
            for layer in range(layers)
        ]
        read_patterns(model, windows, see, inputs)
        return Sums(totals, rows)

    def _random(self, layer: int, visible: Tensor) -> Tensor:
        """The softmax of normal scores over the keys that each query sees."""
        generator = torch.Generator().manual_seed(self.seed + layer)
        scores = gaussian(visible.shape, generator).to(visible.device)
        return scores.masked_fill(~visible, -torch.inf).softmax(-1)

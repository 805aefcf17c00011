"""Second moments of what goes into every layer and of what the layer adds, over windows of text."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from torch import Tensor

from interp.core.prompts import Prompts
from interp.corpus.least_squares import add_moments, no_moments
from interp.corpus.sums import Sums, Totals
from interp.models.edits import Edit
from interp.models.hooked import HookedModel


@dataclass(frozen=True)
class LayerSums:
    """Second moments of the stream x into every layer and of the layer's update to it, d, over tokens.

    Totals a layer: Σxxᵀ, Σxdᵀ (d_model × d_model), Σx, Σd, Σd²; and `tokens`.
    """

    skip: int = 1
    name: str = "linearity"

    def settings(self) -> dict[str, int | float | str]:
        """What distinguishes these sums from others."""
        return {"skip": self.skip}

    def measure(self, model: HookedModel, windows: Prompts, first: int, into: Totals | None = None) -> Sums:
        """The sums of some windows."""
        layers, width = model.dims.layers, model.dims.d_model
        mask = windows.mask[:, self.skip :].to(model.device)
        totals = into or no_moments((layers,), width) | {"tokens": np.asarray(0)}
        totals["tokens"] += int(mask.sum())
        before: list[Float[Tensor, "token d_model"]] = []

        def add(place: int, stream: Float[Tensor, "window pos d_model"]) -> None:
            now = stream[:, self.skip :][mask].double()
            if before:
                x = before.pop()
                add_moments(totals, place - 1, x, now - x)
            before.append(now)

        edits = [
            Edit.through(site, lambda stream, place=place: add(place, stream))
            for place, site in enumerate(model.stream_sites())
        ]
        model.record(windows, edits=edits)
        return Sums(totals)

"""Sums that split the stream into mean, position, context and residual in one pass over windows of text."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from interp.core.errors import CorpusError
from interp.core.metric import Metric
from interp.core.prompts import Prompts
from interp.corpus.sums import Sums
from interp.models.edits import Edit
from interp.models.hooked import HookedModel
from interp.models.sites import Site


@dataclass(frozen=True)
class PositionSums:
    """Sums over windows of the stream into every layer, and out of the last one.

    Totals, for L + 1 places and T positions after the first `skip`: `by_position` (L+1 × T × d_model), the same over
    positions `shuffled` within each window; `energy` Σ‖h‖² and `context_energy` Σ‖mean of a window‖² (L+1); `windows`.
    Rows: `context-<layer>`, each window's mean over its positions (d_model, float32).
    """

    skip: int = 1
    seed: int = 0
    name: str = "position-context"

    def settings(self) -> dict[str, int | float | str]:
        """What distinguishes these sums from others."""
        return {"skip": self.skip, "seed": self.seed}

    def measure(self, model: HookedModel, windows: Prompts, first: int) -> Sums:
        """The sums of some windows. Raises: CorpusError where they are not of one length, or hold nothing."""
        if windows.is_padded:
            raise CorpusError("windows of different lengths cannot be summed position by position; cut them alike")
        positions = windows.width - self.skip
        if positions < 1:
            raise CorpusError(f"windows of {windows.width} tokens hold no position after the first {self.skip}")
        places = [*model.sites("resid_pre"), Site("resid_post", model.dims.layers - 1)]
        shape = (len(places), positions, model.dims.d_model)
        totals = {
            "by_position": np.empty(shape),
            "shuffled": np.empty(shape),
            "energy": np.empty(len(places)),
            "context_energy": np.empty(len(places)),
            "windows": np.asarray(len(windows)),
        }
        rows: dict[str, np.ndarray] = {}
        order = self._orders(first, len(windows), positions).to(model.device)

        def add(layer: int, stream: Float[Tensor, "window pos d_model"]) -> None:
            stream = stream[:, self.skip :]
            mean = stream.mean(1, dtype=torch.float64)
            totals["by_position"][layer] = _numpy(stream.sum(0, dtype=torch.float64))
            mixed = stream.take_along_dim(order[:, :, None], 1)
            totals["shuffled"][layer] = _numpy(mixed.sum(0, dtype=torch.float64))
            totals["energy"][layer] = float(torch.linalg.vector_norm(stream, dtype=torch.float64) ** 2)
            totals["context_energy"][layer] = float((mean * mean).sum())
            rows[f"context-{layer:03}"] = _numpy(mean.float())

        edits = [
            Edit.through(site, lambda stream, layer=layer: add(layer, stream)) for layer, site in enumerate(places)
        ]
        answer = Metric.reading((0,) * len(windows), classifier=model.is_classifier)
        model.run(windows, edits=edits, answer=answer)
        return Sums(totals, rows)

    def _orders(self, first: int, windows: int, positions: int) -> Int[Tensor, "window pos"]:
        """A permutation of the positions for every window, the same whatever batch it comes in."""
        random = torch.Generator()
        return torch.stack(
            [torch.randperm(positions, generator=random.manual_seed(self.seed + first + row)) for row in range(windows)]
        )


def _numpy(values: Tensor) -> np.ndarray:
    return values.detach().cpu().numpy()

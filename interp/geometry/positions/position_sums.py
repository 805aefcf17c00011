"""Sums that split the stream into mean, position, context and residual in one pass over windows of text."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from interp.core.errors import CorpusError
from interp.core.prompts import Prompts
from interp.corpus.enough import require_width
from interp.corpus.sums import Sums, Totals
from interp.models.edits import Edit
from interp.models.hooked import HookedModel

_LAYOUT = 1  # of the totals: a folder that a version with others wrote is refused, not misread
_BLOCK = 192  # columns of the second moments at a time: few enough to spare what lies below the diagonal


@dataclass(frozen=True)
class PositionSums:
    """Sums over windows of the stream into every layer, and out of the last one.

    Totals, for L + 1 places and T positions after the first `skip`: `by_position` (L+1 × T × d_model), the same over
    positions `shuffled` within each window; `energy` Σ‖h‖², `context_energy` Σ‖mean of a window‖², `within_energy`
    Σ‖h − its window's mean‖² (L+1 each), and `within`, the second moments of those differences (L+1 × a triangle,
    `unpacked` makes it whole); `windows`. Rows: `context-<layer>`, each window's mean over its positions (d_model,
    float32).
    """

    skip: int = 1
    seed: int = 0
    name: str = "position-context"

    def settings(self) -> dict[str, int | float | str]:
        """What distinguishes these sums from others."""
        return {"skip": self.skip, "seed": self.seed, "layout": _LAYOUT}

    def measure(self, model: HookedModel, windows: Prompts, first: int, into: Totals | None = None) -> Sums:
        """The sums of some windows. Raises: CorpusError where they are not of one length, or hold nothing."""
        if windows.is_padded:
            raise CorpusError("windows of different lengths cannot be summed by position; cut them to one length")
        positions = windows.width - self.skip
        require_width(windows, self.skip, least=2)  # the part of a single position is zero
        places = model.stream_sites()
        count, width = len(places), model.dims.d_model
        totals = into or {
            "by_position": np.zeros((count, positions, width)),
            "shuffled": np.zeros((count, positions, width)),
            "energy": np.zeros(count),
            "context_energy": np.zeros(count),
            "within_energy": np.zeros(count),
            "within": np.zeros((count, width * (width + 1) // 2)),
            "windows": np.asarray(0),
        }
        totals["windows"] += len(windows)
        sums = {name: torch.from_numpy(totals[name]) for name in ("by_position", "shuffled")}
        means = np.empty((count, len(windows), width), dtype=np.float32)
        blocks = [slice(start, start + _BLOCK) for start in range(0, width, _BLOCK)]
        sides = [(min(_BLOCK, width - block.start), width - block.start) for block in blocks]
        upper = [np.triu(np.ones(side, dtype=bool)) for side in sides]
        # A spectral norm needs no more digits, and this is what takes time.
        precision = torch.promote_types(model.dtype, torch.float32)
        apart = torch.empty(len(windows), positions, width, dtype=precision, device=model.device)
        orders = self._orders(first, len(windows), positions).to(model.device)

        def add(layer: int, stream: Float[Tensor, "window pos d_model"]) -> None:
            for row, order in enumerate(orders):  # a window at a time: what stands between stays in the cache
                window = stream[row, self.skip :].to(torch.float64, copy=True)
                mean = window.mean(0)
                sums["by_position"][layer] += window.cpu()
                sums["shuffled"][layer] += window.index_select(0, order).cpu()
                totals["energy"][layer] += _energy(window)
                totals["context_energy"][layer] += _energy(mean)
                window -= mean
                totals["within_energy"][layer] += _energy(window)
                means[layer, row] = _numpy(mean)
                apart[row] = window
            flat = apart.flatten(0, 1)
            moments = [flat[:, block].T @ flat[:, block.start :] for block in blocks]  # what lies above the diagonal
            triangles = [_numpy(moment)[above] for moment, above in zip(moments, upper, strict=True)]
            totals["within"][layer] += np.concatenate(triangles)

        edits = [
            Edit.through(site, lambda stream, layer=layer: add(layer, stream)) for layer, site in enumerate(places)
        ]
        model.record(windows, edits=edits)
        return Sums(totals, {f"context-{layer:03}": rows for layer, rows in enumerate(means)})

    def _orders(self, first: int, windows: int, positions: int) -> Int[Tensor, "window pos"]:
        """A permutation of the positions for every window, the same whatever batch it comes in."""
        random = torch.Generator()
        return torch.stack(
            [torch.randperm(positions, generator=random.manual_seed(self.seed + first + row)) for row in range(windows)]
        )


def unpacked(triangle: np.ndarray, width: int) -> Float[Tensor, "width width"]:
    """The symmetric matrix of which a triangle is kept."""
    matrix = torch.zeros(width, width, dtype=torch.float64)
    rows, columns = torch.triu_indices(width, width)
    matrix[rows, columns] = matrix[columns, rows] = torch.from_numpy(triangle)
    return matrix


def _energy(values: Tensor) -> float:
    return float(values.flatten() @ values.flatten())


def _numpy(values: Tensor) -> np.ndarray:
    return values.detach().cpu().numpy()

"""The stream at chosen tokens of every prompt, in every layer, from one pass."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from interp.core.prompts import Prompts
from interp.corpus.gathering import gather
from interp.corpus.sums import Sums, Totals
from interp.models.edits import Edit
from interp.models.hooked import HookedModel

Place = tuple[int, int]  # a prompt, and a position in it


@dataclass(frozen=True)
class StreamRows:
    """The stream into every layer, and out of the last, at some positions of each prompt.

    Rows a prompt: `states`, `slot layer d_model`, its positions in order; NaN behind the last one.
    """

    positions: tuple[tuple[int, ...], ...]
    name: str = "states"

    def settings(self) -> dict[str, int | float | str]:
        """What distinguishes these rows from others."""
        return {"positions": hashlib.blake2b(repr(self.positions).encode(), digest_size=8).hexdigest()}

    def measure(self, model: HookedModel, windows: Prompts, first: int, into: Totals | None = None) -> Sums:
        """The rows of some prompts."""
        sites, slots = model.stream_sites(), max(map(len, self.positions))
        width = model.dims.d_model
        precision = torch.promote_types(model.dtype, torch.float32)
        rows = torch.full((len(windows), slots, len(sites), width), torch.nan, dtype=precision).numpy()
        at = [(row, slot, pos) for row in range(len(windows)) for slot, pos in enumerate(self.positions[first + row])]
        prompt, slot, pos = np.array(at, dtype=int).reshape(-1, 3).T

        def put(place: int, stream: Float[Tensor, "window pos d_model"]) -> None:
            rows[prompt, slot, place] = stream[prompt, pos].to("cpu", precision).numpy()

        edits = [Edit.through(site, lambda stream, place=place: put(place, stream)) for place, site in enumerate(sites)]
        model.record(windows, edits=edits)
        totals = into or {"prompts": np.asarray(0)}
        totals["prompts"] += len(windows)
        return Sums(totals, {"states": rows})


class States:
    """Streams that were recorded, by prompt and position."""

    def __init__(self, model: HookedModel, prompts: Prompts, places: Sequence[Place]) -> None:
        by_prompt: list[set[int]] = [set() for _ in range(len(prompts))]
        for row, pos in places:
            by_prompt[row].add(pos)
        positions = tuple(tuple(sorted(each)) for each in by_prompt)
        self._slots = {(row, pos): slot for row, own in enumerate(positions) for slot, pos in enumerate(own)}
        self._gathered = gather(model, prompts, StreamRows(positions))
        self._rows = self._gathered.rows("states")

    def at(self, places: Sequence[Place], layer: int) -> Float[np.ndarray, "place d_model"]:
        """The stream into that layer at these places, in float64.

        Raises: LinAlgError where it is not finite, which no probe can be fitted to.
        """
        rows, slots = [row for row, _ in places], [self._slots[place] for place in places]
        states = np.asarray(self._rows[rows, slots, layer], dtype=np.float64)
        if not np.isfinite(states).all():
            raise np.linalg.LinAlgError(f"the stream into layer {layer} is not finite")
        return states

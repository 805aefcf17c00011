"""States at some tokens of every prompt, in every layer, from one pass."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from interp.core.prompts import Prompts
from interp.corpus.gathering import gather
from interp.corpus.sums import Sums, Totals
from interp.models.edits import Edit
from interp.models.hooked import HookedModel
from interp.models.sites import Site

Place = tuple[int, int]  # a prompt, and a position in it


@dataclass(frozen=True)
class SiteRows:
    """What some sites of one width hold at some positions of each prompt, heads side by side.

    Rows a prompt: `states`, `slot site width`, its positions in order; NaN behind the last one.
    """

    positions: tuple[tuple[int, ...], ...]
    sites: tuple[Site, ...]
    name: str = "states"

    def settings(self) -> dict[str, int | float | str]:
        """What distinguishes these rows from others."""
        digest = hashlib.blake2b(repr(self.positions).encode(), digest_size=8).hexdigest()
        return {"positions": digest, "sites": " ".join(map(str, self.sites))}

    def measure(self, model: HookedModel, windows: Prompts, first: int, into: Totals | None = None) -> Sums:
        """The rows of some prompts."""
        slots, precision = max(map(len, self.positions)), torch.promote_types(model.dtype, torch.float32)
        at = [(row, slot, pos) for row in range(len(windows)) for slot, pos in enumerate(self.positions[first + row])]
        prompt, slot, pos = np.array(at, dtype=int).reshape(-1, 3).T
        by_site: dict[Site, np.ndarray] = {}

        def keep(site: Site, value: Tensor) -> None:
            rows = torch.full((len(windows), slots, value[0, 0].numel()), torch.nan, dtype=precision).numpy()
            rows[prompt, slot] = value.flatten(2)[prompt, pos].to("cpu", precision).numpy()
            by_site[site] = rows

        model.record(windows, edits=[Edit.through(site, partial(keep, site)) for site in self.sites])
        totals = into or {"prompts": np.asarray(0)}
        totals["prompts"] += len(windows)
        return Sums(totals, {"states": np.stack([by_site[site] for site in self.sites], 2)})


class States:
    """What sites held, by prompt and position: the streams into every layer and out of the last, or others."""

    def __init__(
        self, model: HookedModel, prompts: Prompts, places: Sequence[Place], sites: Sequence[Site] | None = None
    ) -> None:
        self._sites = tuple(sites or model.stream_sites())
        by_prompt: list[set[int]] = [set() for _ in range(len(prompts))]
        for row, pos in places:
            by_prompt[row].add(pos)
        positions = tuple(tuple(sorted(each)) for each in by_prompt)
        self._slots = {(row, pos): slot for row, own in enumerate(positions) for slot, pos in enumerate(own)}
        self._gathered = gather(model, prompts, SiteRows(positions, self._sites))
        self._rows = self._gathered.rows("states")

    def at(self, places: Sequence[Place], layer: int) -> Float[np.ndarray, "place d_model"]:
        """What the site of that number, of streams the one into that layer, holds at these places, in float64.

        Raises: LinAlgError where it is not finite, which no probe can be fitted to.
        """
        rows, slots = [row for row, _ in places], [self._slots[place] for place in places]
        states = np.asarray(self._rows[rows, slots, layer], dtype=np.float64)
        if not np.isfinite(states).all():
            raise np.linalg.LinAlgError(f"{self._sites[layer]} is not finite")
        return states

"""A dictionary at its site of a model: features of prompts, and what it reads replaced by what it writes."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float
from torch import Tensor

from interp.core.prompts import Prompts
from interp.models.edits import Edit
from interp.models.hooked import HookedModel
from interp.models.sites import Site

if TYPE_CHECKING:
    from sae_lens import SAE

Change = Callable[[Float[Tensor, "batch pos feature"]], Float[Tensor, "batch pos feature"]]


@dataclass(frozen=True, eq=False)
class Attached:
    """A dictionary that was found to belong to `site` of `model`. It changes nothing by itself."""

    model: HookedModel
    site: Site
    sae: "SAE[Any]"
    name: str

    def __repr__(self) -> str:
        return f"Attached({self.name!r} at {self.site} of {self.model.name})"

    @property
    def facts(self) -> dict[str, str]:
        """What results tell of it: its name and where it reads."""
        return {"dictionary": self.name, "site": str(self.site), "layer": str(self.site.layer or 0)}

    def encode(self, values: Float[Tensor, "batch pos *width"]) -> Float[Tensor, "batch pos feature"]:
        """Features of what the site holds."""
        return self.sae.encode(self._flatten(values))

    def reconstruct(
        self, values: Float[Tensor, "batch pos *width"], change: Change | None = None
    ) -> Float[Tensor, "batch pos *width"]:
        """What the dictionary makes of what the site holds, its features changed if asked for."""
        flat = self._flatten(values)
        features = self.sae.encode(flat)  # just before: some keep the norm of what they encode until they decode
        return self.sae.decode(features if change is None else change(features)).reshape(values.shape)

    def features(self, prompts: Prompts) -> Float[Tensor, "batch pos feature"]:
        """Features of prompts; padding has some too, which `prompts.mask` tells."""
        with torch.no_grad():
            return self.encode(self.model.record(prompts, [self.site])[self.site])

    def splice(self, change: Change | None = None, *, error: bool = True) -> Edit:
        """An edit that puts the dictionary's output in the place of what it reads.

        With `error`, what the dictionary misses is added: the run stays as it was but for `change`, which gets the
        features and returns others. Without it, what follows sees the reconstruction alone.
        """

        def through(values: Tensor) -> Tensor:
            if error and change is None:
                return values
            reconstruction = self.reconstruct(values, change)
            # What is added is small, so that what is held keeps its digits, however large the reconstruction.
            return values + (reconstruction - self.reconstruct(values)) if error else reconstruction

        return Edit.through(self.site, through)

    @staticmethod
    def _flatten(values: Float[Tensor, "batch pos *width"]) -> Float[Tensor, "batch pos d_in"]:
        """Heads side by side, as dictionaries read them."""
        return values.flatten(2)

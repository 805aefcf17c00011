"""Directions: vectors of the residual stream that are saved, and named like a node of the computation graph."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import numpy as np
import safetensors.numpy
import torch
from jaxtyping import Float
from safetensors import safe_open
from torch import Tensor

from interp.core.errors import SiteError
from interp.core.folders import RunFile, write_whole
from interp.core.nodes import Node
from interp.core.paths import typed_file
from interp.models.hooked import HookedModel
from interp.models.sites import Site
from interp.models.sources import cache_folder

_FORM = "interp direction 1"


@dataclass(frozen=True, eq=False)
class Direction:
    """A unit vector at a site of one model's weights.

    `distance` is how far along it what it was made from lies apart, in the stream's units: two classes, or two prompts'
    states. `made` says in words how it was made.
    """

    site: Site
    vector: Float[np.ndarray, "d_model"]
    model: str
    weight_hash: str
    made: str
    distance: float = float("nan")

    def __post_init__(self) -> None:
        size = np.linalg.norm(self.vector)
        if self.vector.ndim != 1 or not np.isfinite(size) or abs(size - 1) > 1e-6:
            raise SiteError(f"a direction is one vector of length 1; this one has length {size:g}; divide it by that")

    @property
    def node(self) -> Node:
        """Its name in lists of nodes: where it is, and a hash of its vector."""
        content = self.vector.astype("<f8").tobytes()
        digest = blake2b(content, digest_size=4, key=self.weight_hash.encode()[:64]).hexdigest()
        return Node("d", self.site.layer or 0, int(digest, 16), self.site.name)

    def save(self, path: str | Path | None = None) -> str:
        """Write it to a file, or where its name is found; returns the name.

        Raises: SiteError or ResultError where nothing can be written.
        """
        file = _file(self.weight_hash, self.node) if path is None else typed_file(path)
        about = {name: getattr(self, name) for name in ("model", "weight_hash", "made", "distance")}
        record = json.dumps({"form": _FORM, "site": self.site.name, "layer": self.site.layer, **about})
        content = safetensors.numpy.save({"vector": self.vector.astype(np.float64)}, {"direction": record})
        with RunFile(file, SiteError).writing():
            file.parent.mkdir(parents=True, exist_ok=True)
        write_whole(file, content)
        return str(self.node)

    @classmethod
    def load(cls, path: str | Path) -> "Direction":
        """Read a file. Raises: SiteError if it is missing, damaged or something else."""
        file = typed_file(path)
        if not file.exists():
            raise SiteError(f"there is no file {file}; give that of a saved direction")
        with RunFile(file, SiteError).reading(file, "save the direction again"), safe_open(file, "np") as content:
            about = json.loads((content.metadata() or {}).get("direction", "{}"))
            if about.pop("form", None) != _FORM:
                raise SiteError(f"{file} holds no direction of this version; save it again")
            site = Site(about.pop("site"), about.pop("layer"))
            return cls(site, content.get_tensor("vector"), **about)

    def require(self, model: HookedModel) -> None:
        """Raises: SiteError if it is of another model, or cannot be edited there."""
        if self.weight_hash != model.weight_hash:
            raise SiteError(
                f"the direction {self.node} is of {self.model} (weights {self.weight_hash}), not of {model.name} "
                f"(weights {model.weight_hash}); make it again on this model"
            )
        if obstacle := model.edit_obstacle(self.site):
            raise SiteError(f"the direction {self.node} cannot be ablated: {obstacle}")


def saved_direction(model: HookedModel, node: Node) -> Direction:
    """The direction that was saved under this name. Raises: SiteError if there is none for these weights."""
    file = _file(model.weight_hash, node)
    if not file.exists():
        raise SiteError(
            f"no direction {node} has been saved for {model.name}; make it again, for instance on the page Probes"
        )
    direction = Direction.load(file)
    direction.require(model)
    return direction


def saved_directions(model: HookedModel) -> list[Direction]:
    """All that were saved for these weights, layer by layer."""
    files = (cache_folder("directions") / model.weight_hash).glob("d*.safetensors")
    return sorted(map(Direction.load, files), key=lambda each: each.node)


def with_components(
    value: Float[Tensor, "batch pos d_model"],
    directions: Sequence[Direction],
    source: Float[Tensor, "..."],
) -> Float[Tensor, "batch pos d_model"]:
    """`value` with the components of `source` along all these directions at once, and nothing else changed.

    The least change that does it: directions need not be orthogonal.
    """
    rows = torch.from_numpy(np.stack([each.vector for each in directions])).to(value.device)
    wanted = source.to(value.device).double().expand_as(value) - value.double()
    return (value.double() + wanted @ rows.T @ torch.linalg.pinv(rows).T).to(value)


def _file(weight_hash: str, node: Node) -> Path:
    return cache_folder("directions") / weight_hash / f"{node}.safetensors"

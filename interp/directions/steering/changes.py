"""Changes of the stream along a direction, in shares of its norm or of what the direction separates."""

from dataclasses import replace
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float
from pydantic import Field
from pydantic.dataclasses import dataclass
from torch import Tensor

from interp.core.errors import OptionError
from interp.core.nodes import Node
from interp.core.options import Index, Seed
from interp.core.prompts import Prompts
from interp.models.directions import Direction, saved_direction
from interp.models.edits import Edit
from interp.models.hooked import HookedModel
from interp.models.sites import Site

Change = Literal["add", "clamp", "ablate"]
RANDOM = "random"


@dataclass(frozen=True)
class SteeringOptions:
    """Which direction, in what unit a strength is, and where the stream is changed."""

    direction: str = Field(
        "",
        description="name of a saved direction, such as d18.resid_pre.0badcafe; the file of one; or random (a control, "
        "into the middle layer)",
    )
    unit: Literal["norm", "distance"] = Field(
        "norm",
        description="what a strength of 1 is: the prompt's median norm of the stream there, or the distance of what "
        "the direction was made from (a class, or a prompt, from the other)",
    )
    skip: Index = Field(1, description="initial positions that stay as they are; the first is often an outlier")
    seed: Seed = Field(0, description="seed of random directions and of the order of documents")


def steering_obstacle(model: HookedModel) -> str | None:
    """Why the stream of this model cannot be steered; None if it can."""
    return next(filter(None, map(model.edit_obstacle, model.stream_sites())), None)


def chosen_direction(model: HookedModel, options: SteeringOptions) -> Direction:
    """The direction that the options name. Raises: OptionError where they name none; SiteError where it is not there.

    `random` differs from the random controls of the same seed.
    """
    text = options.direction.strip()
    if not text:
        raise OptionError(
            "direction names no direction; give the name of a saved one, its file, or random: directions are made with "
            "interp.directions (from_pairs, from_probe) or on the page Probes"
        )
    if text == RANDOM:
        site = Site("resid_pre", model.dims.layers // 2)
        vector = random_vectors(model, 1, np.random.default_rng([options.seed, 1]))[0]
        return Direction(site, vector, model.name, model.weight_hash, f"at random, seed {options.seed}")
    if "/" not in text and not text.endswith(".safetensors"):
        return saved_direction(model, Node.of(text))
    direction = Direction.load(text)
    direction.require(model)
    return direction


def random_vectors(model: HookedModel, count: int, rng: np.random.Generator) -> Float[np.ndarray, "count d_model"]:
    """Unit vectors, uniform on the sphere."""
    vectors = rng.normal(size=(count, model.dims.d_model))
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def along(direction: Direction, vector: Float[np.ndarray, "d_model"]) -> Direction:
    """A control: another vector at the same place, of the same reach."""
    return replace(direction, vector=vector)


def units(
    direction: Direction, stream: Float[Tensor, "batch pos d_model"], prompts: Prompts, options: SteeringOptions
) -> Float[Tensor, "batch"]:
    """What a strength of 1 adds to each prompt's stream. Raises: OptionError where the direction tells no distance."""
    if options.unit == "distance":
        if not np.isfinite(direction.distance):
            raise OptionError(
                f"unit = 'distance': {direction.made} says of no two classes how far apart they are; use unit = 'norm'"
            )
        return stream.new_full((len(stream),), direction.distance)
    counted = counted_positions(prompts, options.skip).to(stream.device)
    return torch.stack([row[there].norm(dim=-1).median() for row, there in zip(stream, counted, strict=True)])


def counted_positions(prompts: Prompts, skip: int) -> Tensor:
    """Where the stream is changed: `batch pos`. Raises: OptionError for a prompt that has no such position."""
    counted = prompts.mask.clone()
    counted[:, :skip] = False
    if not counted.any(-1).all():
        row = int((~counted.any(-1)).nonzero()[0])
        raise OptionError(
            f"skip = {skip} leaves no position of prompt {row} ({int(prompts.mask[row].sum())} tokens); give a smaller "
            "one, or a longer prompt"
        )
    return counted


def steering(
    direction: Direction,
    amounts: Float[Tensor, "batch"],
    counted: Tensor,
    change: Change = "add",
) -> Edit:
    """The edit: `amounts` along the direction are added, or take the place of the component, or nothing does."""
    vector = torch.from_numpy(np.ascontiguousarray(direction.vector))

    def changed(stream: Tensor) -> Tensor:
        along = vector.to(stream.device)
        by = amounts.to(stream.device).double()[:, None]
        if change != "add":
            component = stream.double() @ along
            by = (by if change == "clamp" else 0) - component
        by = torch.where(counted.to(stream.device), by.expand(stream.shape[:2]), 0)
        return (stream.double() + by[..., None] * along).to(stream)

    return Edit.through(direction.site, changed)

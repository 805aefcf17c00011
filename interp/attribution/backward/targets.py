"""What an attribution explains: the answer, or any number inside the model."""

import re
from dataclasses import dataclass, replace
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from interp.core.errors import SiteError, TargetError
from interp.core.metric import Metric
from interp.core.nodes import NUMBER
from interp.core.prompts import Prompts
from interp.models.edits import Edit
from interp.models.hooked import HookedModel, Trace
from interp.models.sites import SITES, Site

FORM = "write site[layer]@position, with .index for a single number: mlp_post[12]@-1.345, z[23]@5.3"


@dataclass(frozen=True)
class Place:
    """A number, or a vector, inside the model: one position of a site and any further indices into it."""

    site: Site
    pos: int
    index: tuple[int, ...] = ()

    @classmethod
    def of(cls, model: HookedModel, text: str) -> "Place":
        """Read `mlp_post[12]@-1.345` (layer 12, last position, neuron 345) or `resid_post[20]@3` (a vector).

        Raises: SiteError for a form that is not understood, or a place that the model lacks.
        """
        match = re.fullmatch(rf"(\w+)(?:\[({NUMBER})\])?@(-?{NUMBER})((?:\.{NUMBER})*)", text.strip())
        if match is None:
            raise SiteError(f"{text!r} is not a site of the model; {FORM}")
        name, layer, pos, index = match.groups()
        site = Site(name, None if layer is None else int(layer))
        obstacle = model.edit_obstacle(site)
        if obstacle is not None:
            raise SiteError(f"cannot explain {text!r}: {obstacle}")
        if layer is not None and not SITES[name].per_layer:
            raise SiteError(f"cannot explain {text!r}: {name} exists once, not per layer; write {name}@{pos}{index}")
        if SITES[name].axes.split()[:2] != ["batch", "pos"] or name == "head_out":
            raise SiteError(f"cannot explain {text!r}: {name} has no position axis; {FORM}")
        return cls(site, int(pos), tuple(int(number) for number in index.split(".") if number))

    def read(self, value: Tensor, lengths: list[int]) -> Float[Tensor, "batch"]:
        """The number of each prompt; of a vector, its length, seen as its product with its own fixed direction.

        Raises: TargetError for a position or an index outside.
        """
        rows = []
        for row, length in zip(value, lengths, strict=True):
            if not -length <= self.pos < length:
                raise TargetError(f"position {self.pos} of {self} is outside a prompt of {length} tokens")
            at = row[self.pos % length]
            for number in self.index:
                if at.dim() == 0 or number >= at.shape[0]:
                    raise TargetError(f"index {number} of {self} is outside; {self.site} is {tuple(row.shape[1:])}")
                at = at[number]
            flat = at.reshape(-1)
            rows.append(at if at.dim() == 0 else flat @ (flat.detach() / flat.detach().norm()))
        return torch.stack(rows)

    def __str__(self) -> str:
        return f"{self.site}@{self.pos}" + "".join(f".{number}" for number in self.index)


@dataclass
class Target:
    """The number to explain, one a prompt: the metric, on a scale, or a place inside the model."""

    metric: Metric
    place: Place | None
    lengths: list[int]
    _value: Tensor | None = None

    @classmethod
    def of(
        cls,
        model: HookedModel,
        prompts: Prompts,
        metric: Metric | None,
        explain: str,
        scale: Literal["logit", "logprob", "prob"] | None,
    ) -> "Target":
        """From an engine's arguments. Raises: TargetError if nothing is asked; SiteError for an unknown place."""
        lengths = prompts.mask.sum(-1).tolist()
        if explain and scale:
            raise TargetError(
                f"scale {scale!r} applies to an answer, but explain = {explain!r} is given; leave one out"
            )
        if explain:
            reading = Metric.reading(prompts.answer_positions(model), pooled=model.pools)
            return cls(reading, Place.of(model, explain), lengths)
        if metric is None:
            raise TargetError(
                "nothing to explain; give a target, such as ' Mary', or a site inside the model as explain"
            )
        return cls(metric if scale is None else replace(metric, scale=scale), None, lengths)

    def edits(self) -> list[Edit]:
        """What has to be in force while the model runs."""
        return [] if self.place is None else [Edit.through(self.place.site, self._see)]

    def _see(self, value: Tensor) -> Tensor:
        self._value = value
        return value

    def read(self, trace: Trace) -> Float[Tensor, "batch"]:
        """The number of each prompt. Raises: TargetError for a place to which the tokens' embeddings do not lead."""
        if self.place is None:
            return self.metric.of_rows(trace.logits)
        value, self._value = self._value, None
        assert value is not None
        if not value.requires_grad:
            raise TargetError(f"{self.place} does not depend on the token embeddings; choose another site")
        return self.place.read(value, self.lengths)

    @property
    def label(self) -> str:
        """What is explained, in words."""
        return self.metric.label if self.place is None else str(self.place)

    @property
    def unit(self) -> str:
        """Its unit."""
        return self.metric.unit if self.place is None else "activation"

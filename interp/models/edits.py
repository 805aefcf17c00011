"""Edits: what to change at a site while the model runs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypedDict, Unpack

import torch
from jaxtyping import Bool
from torch import Tensor

from interp.models.sites import SITES, Site

Index = int | Sequence[int] | None


class Where(TypedDict, total=False):
    """The part of a site that an edit changes; None or absent is all of it."""

    head: Index
    expert: Index
    pos: Index
    row: Index


@dataclass(frozen=True, eq=False)
class Edit:
    """One change at one site, at some heads, experts, positions and prompts of the batch (None = all).

    `value` is a number or a tensor that broadcasts to the selected part of the site, in the site's own axis order.
    """

    site: Site
    change: Literal["replace", "add", "scale", "through"]
    value: "Tensor | float | _Whole | Callable[[Tensor], Tensor | None]"
    head: Index = None
    expert: Index = None
    pos: Index = None
    row: Index = None

    @classmethod
    def zero(cls, site: Site, **where: Unpack[Where]) -> "Edit":
        """Set to zero."""
        return cls(site, "replace", 0.0, **where)

    @classmethod
    def scale(cls, site: Site, factor: float, **where: Unpack[Where]) -> "Edit":
        """Multiply by a factor."""
        return cls(site, "scale", factor, **where)

    @classmethod
    def add(cls, site: Site, value: Tensor, **where: Unpack[Where]) -> "Edit":
        """Add a vector (steering)."""
        return cls(site, "add", value, **where)

    @classmethod
    def replace(cls, site: Site, value: Tensor | float, **where: Unpack[Where]) -> "Edit":
        """Put a given value there."""
        return cls(site, "replace", value, **where)

    @classmethod
    def resample(cls, site: Site, source: Tensor, **where: Unpack[Where]) -> "Edit":
        """Put there what `source`, the whole site recorded on other prompts of the same shape, holds there."""
        return cls(site, "replace", _Whole(source), **where)

    @classmethod
    def mean(cls, site: Site, source: Tensor, mask: Bool[Tensor, "batch pos"], **where: Unpack[Where]) -> "Edit":
        """Put there each prompt's mean over its positions in `source`, a recording of the whole site."""
        return cls.resample(site, mean_over_positions(source, mask), **where)

    @classmethod
    def through(cls, site: Site, function: Callable[[Tensor], Tensor | None]) -> "Edit":
        """Pass the whole site through a function: it may keep what it sees, and change the value, or only its gradient.

        What the function returns takes the value's place; None leaves it.
        """
        return cls(site, "through", function)

    def applied(self, values: Tensor) -> Tensor | None:
        """What the site holds after this edit, None for what it held before; `values` itself stays as it is."""
        if self.change == "through":
            assert callable(self.value)
            return self.value(values)
        values, axes = values.clone(), SITES[self.site.name].axes.split()
        index = _grid(values, [self._index(axis) for axis in axes])
        value: Any = self.value.tensor.expand_as(values)[index] if isinstance(self.value, _Whole) else self.value
        if isinstance(value, Tensor):
            value = value.to(values)
        if self.change != "replace":
            value = values[index] + value if self.change == "add" else values[index] * value
        values[index] = value
        return values

    def _index(self, axis: str) -> Index:
        if axis == "batch":
            return self.row
        if axis in ("head", "kv_head"):
            return self.head
        if axis == "expert":
            return self.expert
        return self.pos if axis in ("pos", "query_pos") else None


@dataclass(frozen=True, eq=False)
class _Whole:
    """A value with the whole site's shape, of which an edit takes the selected part."""

    tensor: Tensor


def mean_over_positions(value: Tensor, mask: Bool[Tensor, "batch pos"]) -> Tensor:
    """Each prompt's mean over its own positions (axis 1), spread over them again; padding is left out."""
    weight = mask.to(value).reshape(*mask.shape, *[1] * (value.dim() - 2))
    mean = (value * weight).sum(1, keepdim=True) / weight.sum(1, keepdim=True)
    return mean.expand_as(value)


def _grid(values: Tensor, places: Sequence[Index]) -> tuple[Tensor | slice, ...]:
    """An index that takes the outer product of the selected places, keeping every axis."""
    index: list[Tensor | slice] = []
    count = sum(place is not None for place in places)
    for axis, place in enumerate(places):
        if place is None and count <= 1:
            index.append(slice(None))
            continue
        where = torch.arange(values.shape[axis]) if place is None else torch.as_tensor(place).reshape(-1)
        if count <= 1:
            index.append(where.to(values.device))
        else:
            index.append(where.to(values.device).reshape([-1 if a == axis else 1 for a in range(len(places))]))
    return tuple(index)

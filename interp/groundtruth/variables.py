"""A compiled program's own variables: what the stream holds of them, and what its heads read, select and write."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from interp.core.errors import ModelError, OptionError
from interp.core.prompts import Prompts
from interp.kinds import ProgramVariables, Selections
from interp.models import HookedModel, Site

HELD = 0.5  # of an axis: a variable holds its value where that is near one
_CONSTANT = "one"


@dataclass(frozen=True)
class Axes:
    """The axes of a stream by the variables that they hold, each `variable=value` or the variable alone."""

    names: tuple[str, ...]

    @cached_property
    def by_variable(self) -> dict[str, tuple[list[int], list[str]]]:
        """Each variable's axes and their values; one empty value where it is a number. Without the constant one."""
        groups: dict[str, tuple[list[int], list[str]]] = {}
        for at, name in enumerate(self.names):
            variable, _, value = name.partition("=")
            if variable != _CONSTANT:
                places, values = groups.setdefault(variable, ([], []))
                places.append(at)
                values.append(value)
        return groups

    def held(self, stream: Tensor, variable: str) -> tuple[np.ndarray, np.ndarray]:
        """A variable's value at each place of a stream (`… d_model`), empty where it holds none; and the coordinate."""
        places, values = self.by_variable[variable]
        part = stream[..., places].double().cpu().numpy()
        best = part.argmax(-1)
        strength = np.take_along_axis(part, best[..., None], -1)[..., 0]
        if values == [""]:
            return np.vectorize(_number, otypes=[object])(strength), strength
        return np.where(strength > HELD, np.array(values, dtype=object)[best], ""), strength

    def of(self, coordinates: Tensor) -> list[str]:
        """The variables on whose axes any coordinate is not zero."""
        used = {self.names[at].partition("=")[0] for at in coordinates.nonzero().flatten().tolist()}
        return [name for name in self.by_variable if name in used]


def _number(value: float) -> str:
    near = Fraction(value).limit_denominator(20)
    return str(near) if abs(value - float(near)) < 1e-5 else f"{value:.3g}"


def variables(model: HookedModel, prompts: str | Sequence[str] | Prompts) -> ProgramVariables:
    """The value of every variable of a compiled model's program, after every layer and at every position.

    Raises: ModelError if nobody knows what the axes hold.
    """
    axes, prompts = _axes(model), model.prompts(prompts)
    sites = model.sites("resid_post")
    with torch.no_grad():
        trace = model.record(prompts, sites)
    stream = torch.stack([trace[site] for site in sites], 1)
    names = list(axes.by_variable)
    values, strengths = zip(*(axes.held(stream, name) for name in names), strict=True)
    inside = prompts.mask.numpy()[:, None, :, None]
    return ProgramVariables.of(
        prompts,
        {"value": np.where(inside, np.stack(values, -1), "").astype(str), "strength": np.stack(strengths, -1) * inside},
        "batch layer pos variable",
        measured="value on the stream's axes of each variable of the program",
        variable=names,
    )


def selections(model: HookedModel, prompts: str | Sequence[str] | Prompts, layer: int, head: int) -> Selections:
    """Which keys each query selects by the selector that a head carries, and the head's attention.

    The variables that it compares are read off the stream into the layer, so that it holds what the program says there.
    Raises: ModelError if nobody knows the selectors; OptionError for a head that carries none.
    """
    from interp.groundtruth.truth import selectors

    axes, prompts, known = _axes(model), model.prompts(prompts), selectors(model)
    if f"a{layer}.{head}" not in known:
        raise OptionError(f"head {layer}.{head} carries no selector; choose {', '.join(name[1:] for name in known)}")
    about = known[f"a{layer}.{head}"]
    sites = [Site("resid_pre", layer), Site("pattern", layer)]
    with torch.no_grad():
        trace = model.record(prompts, sites)
    (keys, _), (queries, _) = (axes.held(trace[sites[0]], about[side]) for side in ("keys", "queries"))
    selected = np.zeros((len(prompts), prompts.width, prompts.width), dtype=bool)
    for row, query, key in np.ndindex(selected.shape):
        if not model.is_causal or key <= query:
            selected[row, query, key] = keys[row, key] in about["selected"].get(queries[row, query], ())
    mask = prompts.mask.numpy()
    selected &= mask[:, :, None] & mask[:, None]
    shares = selected.astype(float)
    shares[:, :, 0] += mask if about["counts"] else mask & ~selected.any(-1)
    expected = shares / np.maximum(shares.sum(-1, keepdims=True), 1)
    attention = trace[sites[1]][:, head].double().cpu().numpy() * mask[:, :, None]
    name = f"{about['name']}: keys {about['keys']}, queries {about['queries']}"
    return Selections.of(
        prompts,
        {
            "selected": selected.astype(float),
            "expected": expected,
            "attention": attention,
            "difference": np.abs(attention - expected).max((1, 2)),
        },
        "batch query_pos key_pos",
        measured=f"selector {name}, and attention of head {layer}.{head}",
        facts={"selector": name, "head": f"{layer}.{head}"},
    )


def heads(model: HookedModel) -> dict[str, dict[str, Any]]:
    """What each head that carries a selector reads by q, k and v and writes by o: the names of variables.

    Also its `selector`, in words. Raises: ModelError if nobody knows what the axes hold.
    """
    from interp.groundtruth.truth import selectors

    axes, about = _axes(model), {}
    for name, selector in selectors(model).items():
        layer, head = map(int, name[1:].split("."))
        sides: dict[str, Any] = {
            side: axes.of(model.weights.projection(side, layer).head(head).matrix.abs().sum(1)) for side in "qkv"
        }
        sides["o"] = axes.of(model.weights.output(layer)[head].abs().sum(0))
        counted = ", counted" if selector["counts"] else ""
        sides["selector"] = f"{selector['name']} (keys {selector['keys']}, queries {selector['queries']}{counted})"
        about[name] = sides
    return about


def _axes(model: HookedModel) -> Axes:
    from interp.groundtruth.truth import axes

    names = axes(model)
    if len(names) != model.dims.d_model:
        raise ModelError(f"{model.name} has {model.dims.d_model} axes, but {len(names)} names; build it again")
    return Axes(names)

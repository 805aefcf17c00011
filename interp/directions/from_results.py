"""Directions that results hold."""

import numpy as np

from interp.core.errors import ResultError
from interp.core.result import Result
from interp.models.directions import Direction
from interp.models.sites import Site


def from_probe(result: Result, *, layer: int, pos: int = 0, target: str = "") -> Direction:
    """The direction of `probe`'s result towards a label, at one layer's stream and one offset from the labelled token.

    `layer` is that of the result: the number of layers itself stands for the stream out of the last one. `target` is
    the label; of two, the second is the only one.
    Raises: ResultError for another kind of result, or a layer, offset or label that it lacks.
    """
    if "direction" not in result.variables:
        raise ResultError(f"{type(result).__name__} holds no directions of a probe; give the result of `probe`")
    data = result.data
    target = target or str(data["target"].values[-1])
    for axis, wanted in (("layer", layer), ("pos", pos), ("target", target)):
        if wanted not in data[axis].values.tolist():
            raise ResultError(
                f"this probe has no {axis} {wanted!r}; choose one of {', '.join(map(str, data[axis].values.tolist()))}"
            )
    place = {"layer": layer, "pos": pos, "target": target}
    vector = np.asarray(data["direction"].sel(place).values, dtype=np.float64)
    size = np.linalg.norm(vector)
    if not size > 0:
        raise ResultError(f"this probe has no direction at layer {layer}, offset {pos}: the labels do not vary there")
    last = int(data["layer"].values[-1])
    origin = result.provenance
    return Direction(
        site=Site("resid_pre", layer) if layer < last else Site("resid_post", last - 1),
        vector=vector / size,
        model=origin.model,
        weight_hash=origin.weight_hash,
        made=f"probe ({origin.options.get('method', '')}) for {target!r} of {origin.options.get('labels', 'labels')}, "
        f"layer {layer}, offset {pos}",
        distance=float(data["distance"].sel(place)),
    )

"""Where in a corpus neurons are most active, in both directions."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float
from torch import Tensor

from interp.core.prompts import Prompts
from interp.corpus.gathering import Gathered
from interp.corpus.sums import Sums, Totals
from interp.models.edits import Edit
from interp.models.hooked import HookedModel
from interp.models.sites import Site

AROUND = 8  # tokens shown before a context's own, and half as many behind it


class Neuron(NamedTuple):
    """A neuron by its layer and its number in it."""

    layer: int
    index: int

    def __str__(self) -> str:
        return f"n{self.layer}.{self.index}"


@dataclass(frozen=True)
class NeuronExtremes:
    """The largest and least activation of some neurons in every window, and where: rows, `window neuron` each."""

    neurons: tuple[Neuron, ...]
    skip: int = 1
    name: str = "neuron-contexts"

    def settings(self) -> dict[str, int | float | str]:
        """What distinguishes these rows from others."""
        return {"skip": self.skip, "neurons": " ".join(map(str, self.neurons))}

    def measure(self, model: HookedModel, windows: Prompts, first: int, into: Totals | None = None) -> Sums:
        """The extremes of some windows; the places that do not count are 0."""
        mask = windows.mask.clone()
        mask[:, : self.skip] = False
        keep, shape = mask.to(model.device)[:, :, None], (len(windows), len(self.neurons))
        rows = {name: np.zeros(shape) for name in ("max", "min")}
        rows |= {name: np.zeros(shape, dtype=np.int64) for name in ("max_pos", "min_pos")}
        layers = {
            layer: [at for at, each in enumerate(self.neurons) if each.layer == layer] for layer, _ in self.neurons
        }

        def look(layer: int, neurons: Float[Tensor, "window pos d_mlp"]) -> None:
            at = layers[layer]
            some = neurons[..., [self.neurons[each].index for each in at]] * keep
            for name, extreme in (("max", some.max(1)), ("min", some.min(1))):
                rows[name][:, at] = extreme.values.double().cpu().numpy()
                rows[f"{name}_pos"][:, at] = extreme.indices.cpu().numpy()

        edits = [
            Edit.through(Site("mlp_post", layer), lambda neurons, layer=layer: look(layer, neurons)) for layer in layers
        ]
        model.record(windows, edits=edits)
        totals = into or {"windows": np.asarray(0)}
        totals["windows"] += len(windows)
        return Sums(totals, rows)


def contexts_of(
    gathered: Gathered, known: tuple[Neuron, ...], neurons: list[list[Neuron]], activation: np.ndarray, most: int
) -> dict[str, np.ndarray]:
    """The strongest windows of each prompt's neurons, one place of each, with the sign that they have in the prompt."""
    place, shape = {neuron: at for at, neuron in enumerate(known)}, (*activation.shape, most)
    values: dict[str, Any] = {
        "context_activation": np.full(shape, np.nan), "context_window": np.full(shape, -1),
        "context_pos": np.full(shape, -1), "context": np.full(shape, "", dtype=object),
    }  # fmt: skip
    for row, rank in np.ndindex(activation.shape):
        side = "min" if activation[row, rank] < 0 else "max"
        at = place[neurons[row][rank]]
        extremes, where = gathered.rows(side)[:, at], gathered.rows(f"{side}_pos")[:, at]
        for entry, window in enumerate(np.argsort(-np.abs(extremes), kind="stable")[:most]):
            if extremes[window] == 0:
                break
            cell, pos = (row, rank, entry), int(where[window])
            values["context_activation"][cell], values["context_window"][cell] = extremes[window], window
            values["context_pos"][cell] = pos
            values["context"][cell] = _text(gathered.windows.labels[window], pos)
    return values | {"context": values["context"].astype(str)}


def _text(labels: tuple[str, ...], pos: int) -> str:
    before, behind = labels[max(0, pos - AROUND) : pos], labels[pos + 1 : pos + 1 + AROUND // 2]
    return f"{''.join(before)}«{labels[pos]}»{''.join(behind)}"

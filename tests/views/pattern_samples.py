"""Results of the kinds of attention at large, of any numbers, from what the kinds declare."""

from collections.abc import Callable
from functools import partial
from typing import TypeVar

import numpy as np

from interp import kinds
from interp.core.prompts import Prompts
from interp.core.result import Result

Kind = TypeVar("Kind", bound=Result)
SIZES = {"layer": 3, "head": 4, "pos": 5, "component": 8, "fraction": 3}
WORDS = {"nearest": "a1.<b>2</b>"}


def declared(kind: type[Kind], prompts: Prompts, **coordinates) -> Kind:
    """Random numbers on the declared axes, an interval around each mean; words where the kind has words."""
    values = {}
    for name, variable in kind.variables.items():
        sizes = [SIZES[axis] for axis in variable.axes.split() if axis != "bound"]
        values[name] = np.abs(np.random.default_rng(len(values)).normal(size=sizes))
        if name.endswith("_interval"):
            mean = values[name.removesuffix("_interval")]
            values[name] = np.stack([mean * 0.9, mean * 1.1], -1)
        if name in WORDS:
            values[name] = np.full(sizes, WORDS[name], dtype=object)
    return kind.of(prompts, values, measured="attention of <b>heads</b>", **coordinates)


def sinks(prompts: Prompts) -> kinds.AttentionSinks:
    labels = {"stream": np.arange(8) // 2, "position": np.zeros(8, int), "dimension": np.arange(8)}
    return declared(kinds.AttentionSinks, prompts, **{name: ("component", label) for name, label in labels.items()})


def spectrum(prompts: Prompts) -> kinds.AttentionSpectrum:
    labels = {
        "matrix": np.array(["A", "A", "<b>QK</b>", "<b>QK</b>", "MLP in", "MLP in", "A", "A"], dtype=object),
        "layer": np.array([0, 1, 0, 1, 0, 1, 0, 1]),
        "head": np.array([0, 0, 0, 0, -1, -1, 1, 1]),
    }
    return declared(kinds.AttentionSpectrum, prompts, **{name: ("component", label) for name, label in labels.items()})


SAMPLES: dict[str, Callable[[Prompts], Result]] = {
    "AttentionSinks": sinks,
    "AttentionDispersion": partial(declared, kinds.AttentionDispersion),
    "HeadRedundancy": partial(declared, kinds.HeadRedundancy),
    "AttentionSpectrum": spectrum,
    "LazyLayers": partial(declared, kinds.LazyLayers),
    "TokenClusters": partial(declared, kinds.TokenClusters),
    "FeatureDiversity": partial(declared, kinds.FeatureDiversity),
    "ActivationSparsity": partial(declared, kinds.ActivationSparsity),
}

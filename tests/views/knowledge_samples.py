"""Results of what weights store, by hand; tokens hold markup."""

import numpy as np

from interp import kinds
from interp.core.prompts import Prompts

WORDS = ("node", "promoted", "suppressed", "twin", "context")


def random_of(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).normal(size=shape)


def mlp_memory(prompts: Prompts) -> kinds.MLPMemory:
    sizes = {"batch": len(prompts), "rank": 4, "layer": 3, "entry": 2}
    values = {}
    for name, declared in kinds.MLPMemory.variables.items():
        shape = tuple(sizes[axis] for axis in declared.axes.split())
        values[name] = np.full(shape, f"{name} <b>") if name in WORDS else random_of(*shape)
    return kinds.MLPMemory.of(prompts, values, measured="contribution to <i>it</i>", sign="positive: for it")


SAMPLES = {"MLPMemory": mlp_memory}

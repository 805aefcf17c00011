"""Results of the probing kinds, by hand; labels hold markup."""

import numpy as np

from interp import kinds
from interp.core.prompts import Prompts

LAYERS, OFFSETS, WIDTH = 4, 3, 5


def random_of(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).random(size=shape)


def probes(prompts: Prompts) -> kinds.Probes:
    sizes = {"layer": LAYERS, "pos": OFFSETS, "target": 1, "d_model": WIDTH, "bound": 2}
    values = {
        name: np.sort(random_of(*(sizes[axis] for axis in declared.axes.split())))
        for name, declared in kinds.Probes.variables.items()
        if not name.startswith("effect")
    }
    values["by_type"][1, 1] = np.nan
    return kinds.Probes.of(
        prompts,
        values,
        measured="accuracy of <b>probes</b>",
        facts={"chance": "0.500000", "labels": "<i>no</i>, yes"},
        pos=np.arange(OFFSETS) - 1,
        target=np.array(["<b>yes</b>"], dtype=object),
    )


def inversion(prompts: Prompts) -> kinds.Inversion:
    shape = (len(prompts), prompts.width)
    values = {name: random_of(*shape) for name in ("distance", "margin", "tried", "correct")}
    values["correct"] = np.round(values["correct"])
    tokens = np.array([list(row) for row in prompts.labels], dtype=object)
    tokens[0, 1] = "<b>x</b>"
    return kinds.Inversion.of(prompts, {**values, "recovered_token": tokens}, measured="<i>tokens</i> recovered")


def depth(prompts: Prompts) -> kinds.DepthRanking:
    values = {
        name: random_of(*({"layer": LAYERS, "window": 3, "bound": 2}[axis] for axis in declared.axes.split()))
        for name, declared in kinds.DepthRanking.variables.items()
    }
    documents = np.array(["<b>a</b>", "b & c", "d"], dtype=object)
    return kinds.DepthRanking.of(prompts, values, measured="depth of <i>texts</i>", document=("window", documents))


def disentanglement(prompts: Prompts) -> kinds.Disentanglement:
    sizes = {"target": 3, "component": 6, "bound": 2}
    values = {
        name: np.sort(random_of(*(sizes[axis] for axis in declared.axes.split())))
        for name, declared in kinds.Disentanglement.variables.items()
    }
    factors = np.array(["<b>word</b>", "a & b", "half"], dtype=object)
    return kinds.Disentanglement.of(prompts, values, measured="<i>latents</i> of factors", target=factors)


def recoverability(prompts: Prompts) -> kinds.Recoverability:
    values = {
        name: np.sort(random_of(*({"layer": LAYERS, "bound": 2}[axis] for axis in declared.axes.split())))
        for name, declared in kinds.Recoverability.variables.items()
    }
    return kinds.Recoverability.of(prompts, values, measured="<b>tokens</b> found")


SAMPLES = {
    "Recoverability": recoverability,
    "Disentanglement": disentanglement,
    "DepthRanking": depth,
    "Probes": probes,
    "Inversion": inversion,
}

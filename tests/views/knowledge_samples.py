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


def causal_trace(prompts: Prompts) -> kinds.CausalTrace:
    shape = (len(prompts), 3, prompts.width)
    effect = random_of(*shape)
    values = {"effect": effect, "effect_interval": np.stack([effect - 0.5, effect + 0.5], -1)}
    values |= {"clean": np.full(shape[0], 2.0), "corrupted": np.full(shape[0], 0.5)}
    values |= {"corrupted_interval": np.tile([0.25, 0.75], (shape[0], 1)), "subject": np.zeros((shape[0], shape[2]))}
    values["subject"][:, 1] = 1
    facts = {"site": "mlp_out", "window": "10"}
    return kinds.CausalTrace.of(prompts, values, unit="logits", measured="what comes back of <i>it</i>", facts=facts)


def rank_one_edit(prompts: Prompts) -> kinds.RankOneEdit:
    sizes = {"batch": len(prompts), "entry": 2, "rank": 3, "d_mlp": 4, "d_model": 3}
    values = {
        name: random_of(*(sizes[axis] for axis in declared.axes.split()))
        for name, declared in kinds.RankOneEdit.variables.items()
    }
    return kinds.RankOneEdit.of(
        prompts, values, measured="log-odds of <i>it</i>", sign="positive: the new answer", facts={"layer": "1"},
        entry=np.array(["<b>is", "a"], dtype=object), rank=np.array(["x", "y", "z"], dtype=object),
    )  # fmt: skip


def bilinear_reading(prompts: Prompts) -> kinds.BilinearReading:
    sizes = {"batch": len(prompts), "rank": 5, "d_mlp": 4}
    values = {
        name: random_of(*(sizes[axis] for axis in declared.axes.split()))
        for name, declared in kinds.BilinearReading.variables.items()
    }
    return kinds.BilinearReading.of(prompts, values, measured="MLP as a <i>form</i>", sign="positive: for it")


def loss_curvature(prompts: Prompts) -> kinds.LossCurvature:
    sizes = {"component": 2, "rank": 3, "fraction": 2, "arrangement": 3, "bound": 2, "entry": 2}
    values = {
        name: abs(random_of(*(sizes[axis] for axis in declared.axes.split())))
        for name, declared in kinds.LossCurvature.variables.items()
    }
    values["loss_interval"] = np.stack([values["loss"] - 0.1, values["loss"] + 0.1], -1)
    return kinds.LossCurvature.of(
        prompts, values, measured="curvature of <i>it</i>", component=["<b>in", "out"], fraction=np.array([0.6, 1.0]),
        arrangement=["highest", "random", "lowest"], entry=np.array(["<b>a rose", "b & c"], dtype=object),
    )  # fmt: skip


SAMPLES = {
    "MLPMemory": mlp_memory,
    "CausalTrace": causal_trace,
    "RankOneEdit": rank_one_edit,
    "BilinearReading": bilinear_reading,
    "LossCurvature": loss_curvature,
}

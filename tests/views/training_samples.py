"""Curves of a training, by hand."""

import numpy as np

from interp import kinds
from interp.core.prompts import Prompts
from interp.core.result import Result

SIZES = {"step": 4, "class": 2, "layer": 2, "head": 2, "method": 2}


def learning_curves(prompts: Prompts) -> Result:
    values = {}
    for name, declared in kinds.LearningCurves.variables.items():
        shape = [SIZES[axis] for axis in declared.axes.split()]
        values[name] = np.abs(np.random.default_rng(sum(shape)).normal(size=shape))
    values["sharpness"][1] = np.nan
    labels = {"step": [0, 1, 10, 100], "class": ["digit 0", "<b>carry</b>"], "method": ["chance", "<i>exact</i>"]}
    return kinds.LearningCurves.of(prompts, values, unit="nats", measured="curves of <b>a run</b>", **labels)


SAMPLES = {"LearningCurves": learning_curves}

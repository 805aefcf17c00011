"""Results of the special models' kinds, by hand."""

from functools import partial

import numpy as np

from interp import kinds
from interp.core.prompts import Prompts
from interp.core.result import Result

LABELS = {
    "quantity": ["rate", "<b>loss</b>"],
    "method": ["model", "<i>ridge</i>", "Bayes"],
    "other_method": ["model", "<i>ridge</i>", "Bayes"],
    "variable": ["<b>w</b>", "Xᵀy"],
    "family": ["random", "<b>chains</b>", "cliques"],
    "block": ["1: A A", "<i>out</i>"],
    "predicate": ["fully correct", "<b>local</b>"],
    "part": ["a0", "<b>a1</b>"],
    "target": ["sum0", "<i>sum1</i>", "sum2"],
    "shift": ["<b>inputs</b>", "weights"],
}
SIZES = {
    "step": 3, "vocab": 2, "pos": 4, "coordinate": 2, "other_coordinate": 2, "sequence": 6, "grid_row": 5, "bound": 2,
    "grid_column": 5, "neuron": 4, "head": 2, "layer": 3, "count": 4, "factor": 3, "distance": 3,
} | {axis: len(words) for axis, words in LABELS.items()}  # fmt: skip


def by_hand(kind: type[Result], prompts: Prompts) -> Result:
    values, axes = {}, set[str]()
    for name, declared in kind.variables.items():
        own = declared.axes.split()
        shape = [SIZES[axis] for axis in own]
        values[name] = np.abs(np.random.default_rng(sum(shape)).normal(size=shape))
        axes |= {*own}
    if kind is kinds.ClusterStates:
        values |= {"answer": np.arange(6) % 2, "cluster": np.arange(6) % 3}
    labels = {axis: words for axis, words in LABELS.items() if axis in axes}
    return kind.of(prompts, values, measured="of <b>small</b> models", **labels)


KINDS = (
    kinds.KnownNumbers, kinds.ClusterStates, kinds.GradientStepLearning, kinds.SoftmaxHeadLearning,
    kinds.InContextAlgorithms, kinds.WeightProbes, kinds.ConnectivityLearning, kinds.OptimisationCourse,
    kinds.ComputationErrors, kinds.InformationGain,
)  # fmt: skip
SAMPLES = {kind.__name__: partial(by_hand, kind) for kind in KINDS}

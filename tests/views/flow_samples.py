"""Results of the flow's kinds, by hand: every variable that a kind declares, in any size."""

from functools import partial

import numpy as np

from interp import kinds
from interp.core.prompts import Prompts
from interp.core.result import Result

SIZES = {"layer": 3, "part": 3, "bound": 2, "count": 4, "order": 3, "draw": 2, "family": 3, "fraction": 3}
LABELS = {"order": ["influence", "<b>angle</b>", "random"], "family": ["ones", "<i>digits</i>", "commas"]}
PARTS = ["block", "attention", "mlp"]


def by_hand(kind: type[Result], prompts: Prompts, *, parts: int = 3) -> Result:
    sizes = SIZES | {"batch": len(prompts), "pos": prompts.width, "part": parts}
    values, axes = {}, set[str]()
    for name, declared in kind.variables.items():
        own = declared.axes.split()
        shape = [sizes[axis] for axis in own]
        values[name] = np.abs(np.random.default_rng(sum(shape)).normal(size=shape))
        axes |= {*own}
    labels = {axis: label for axis, label in (LABELS | {"part": PARTS[-parts:]}).items() if axis in axes}
    return kind.of(prompts, values, unit="logits", measured="what flows through <b>layers</b>", **labels)


def layer_ablation(prompts: Prompts) -> Result:
    values = {"clean": [1.0, 2.0], "edited": [0.5, -1.0], "effect": [-0.5, -3.0], "loss": 2.0, "edited_loss": 2.5}
    for side in ("clean", "edited"):
        values |= {f"{side}_prob": [[0.6, 0.3]] * 2, f"{side}_token": [[" <b>x</b>", "a"]] * 2}
    values |= {"loss_increase": 0.5, "loss_increase_interval": [0.4, 0.6]}
    return kinds.LayerAblation.of(prompts, values, unit="logits", measured="before and after <b>skipping</b> 1")


KINDS = (
    kinds.LayerRedundancy, kinds.LayerRemoval, kinds.BlockReplacement, kinds.TokenSensitivity,
    kinds.RepresentationalCollapse, kinds.InformationPathways, kinds.SegmentFusion,
)  # fmt: skip
SAMPLES = (
    {"LayerAblation": layer_ablation}
    | {kind.__name__: partial(by_hand, kind) for kind in KINDS}
    | {kind.__name__: partial(by_hand, kind, parts=2) for kind in (kinds.PathLengths,)}
)

"""Results of the kinds of directions, by hand; labels hold markup."""

import numpy as np

from interp import kinds
from interp.core.prompts import Prompts

STRENGTHS = np.array([0.5, -0.5, 0.0])


def dose_curve(prompts: Prompts) -> kinds.DoseCurve:
    rng = np.random.default_rng(0)
    values = {}
    for name in ("effect", "divergence", "loss_rise"):
        values[name] = rng.random(3)
        values[f"{name}_interval"] = values[name][:, None] + [-0.1, 0.1]
        values[f"random_{name}"] = rng.random((4, 3))
    values |= {"instructed_effect": np.array(0.4), "instructed_effect_interval": np.array([0.2, 0.5])}
    return kinds.DoseCurve.of(
        prompts,
        values,
        unit="logits",
        measured="change of <b>logit</b>",
        sign="above 0: more",
        facts={"made": "of <i>pairs</i>", "unit_of_strength": "norm", "direction": "d1.resid_pre.0badcafe"},
        strength=STRENGTHS,
    )


SAMPLES = {"DoseCurve": dose_curve}

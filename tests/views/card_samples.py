"""Results of the kinds about features over a corpus, by hand; tokens hold markup."""

import numpy as np

from interp import kinds
from interp.core.prompts import Prompts

TOKENS = np.array([" <b>Mary</b>", "\n", " & keys", "(none)"], dtype=object)
FAMILIES = (
    "induction", "duplicate token", "previous token", "first token", "current token", "short-range", "long-range",
    "mixed",
)  # fmt: skip


def feature_cards(prompts: Prompts, *, features: int = 12, heads: bool = True) -> kinds.FeatureCards:
    random = np.random.default_rng(features)
    density = np.where(np.arange(features) % 4 == 3, 0.0, random.random(features) / 10)
    size = np.where(density > 0, 1 + random.random(features), np.nan)
    tokens = TOKENS[np.arange(features) % 4]
    values = {"density": density, "mean": size / 2, "max": size, "top_token": tokens}
    if heads:
        values |= {"promoted": tokens, "suppressed": tokens, "head": np.arange(features) % 4, "head_weight": size / 3}
    ranks = features, 3
    contexts = {"value": random.random(ranks), "window": np.ones(ranks, int), "pos": np.ones(ranks, int)}
    contexts["text"] = np.broadcast_to(tokens[:, None], ranks).copy()
    return kinds.FeatureCards.of(
        prompts,
        {**values, **contexts},
        measured="features of a <i>dictionary</i>",
    )


def head_roles(prompts: Prompts, *, heads: int = 4, ranks: int = 5) -> kinds.HeadRoles:
    share = np.zeros((heads, len(FAMILIES)))
    share[0, 0] = 1
    share[1, [1, 5]] = 0.5
    share[2:, 6] = 1
    share[-1] = np.nan
    sizes = {"head": heads, "component": len(FAMILIES), "rank": ranks}
    values = {}
    for name, declared in kinds.HeadRoles.variables.items():
        values[name] = np.full([sizes[axis] for axis in declared.axes.split()], 0.5)
    values["share"] = share
    values["alive"] = np.array([ranks] * (heads - 1) + [0])
    values["monosemantic"] = np.array([1.0, 0.0] + [1.0] * (heads - 3) + [np.nan])
    values["family"] = np.full((heads, ranks), "induction", dtype=object)
    return kinds.HeadRoles.of(prompts, values, measured="what <b>heads</b> do", component=list(FAMILIES))


def feature_activations(prompts: Prompts) -> kinds.FeatureActivations:
    shape = (len(prompts), prompts.width, 2)
    random = np.random.default_rng(0)
    feature = random.integers(0, 9, shape)
    activation = random.random(shape)
    feature[:, 0], activation[:, 0] = -1, np.nan
    return kinds.FeatureActivations.of(
        prompts,
        {
            "feature": feature,
            "activation": activation,
            "active": np.ones(shape[:2], int),
            "error": random.random(shape[:2]),
        },
        measured="features of <b>mine</b>",
    )


SAMPLES = {"FeatureActivations": feature_activations, "FeatureCards": feature_cards, "HeadRoles": head_roles}

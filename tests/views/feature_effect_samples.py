"""Results about features, by hand; names hold markup."""

import numpy as np

from interp import kinds
from interp.core.edges import circuit_facts
from interp.core.graph import ComputationGraph
from interp.core.prompts import Prompts

HEADS, PARTS, RANKS, FEATURES, DRAWS = 4, 5, 3, 8, 4


def random_of(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape) + 1).normal(size=shape)


def sources(prompts: Prompts, *, parts: bool = True, position: int = 3) -> kinds.FeatureSources:
    batch, width = prompts.tokens.shape
    part = random_of(batch, width, HEADS, PARTS) * prompts.mask.numpy()[:, :, None, None]
    dfa = part.sum(-1)
    values = {
        "dfa": ("batch key_pos head", dfa),
        "feature": np.arange(batch),
        "position": np.full(batch, position),
        "preactivation": dfa.sum((1, 2)) + 0.5,
        "activation": dfa.sum((1, 2)).clip(0),
        "bias": np.full(batch, 0.5),
        "remainder": np.full(batch, 1e-9),
    }
    coordinates = {}
    if parts:
        names = np.array([["embed", "a0.<b>", "m0", "f0.z.7", "value & bias"]] * batch, dtype=object)
        values |= {
            "unexplained": np.full(batch, 0.1),
            "part": ("batch key_pos head component", part),
            "part_name": ("batch component", names),
            "part_remainder": ("batch key_pos head", np.zeros_like(dfa)),
        }
        coordinates = {"component": np.array(["embed", "a0.<b>", "m0", "f0.z.#1", "value & bias"], dtype=object)}
    return kinds.FeatureSources.of(
        prompts, values, "batch", unit="activation", measured="what <b>sources</b> bring", sign="positive: & more",
        **coordinates,
    )  # fmt: skip


def effects(prompts: Prompts) -> kinds.FeatureEffects:
    batch, width = prompts.tokens.shape
    every = random_of(batch, FEATURES)
    order = np.argsort(-np.abs(every), axis=1)[:, :RANKS]
    effect = np.take_along_axis(every, order, 1)
    by_position = random_of(batch, RANKS, width)
    by_position[:, :, ~prompts.mask.numpy().all(0)] = np.nan
    values = {
        "node": ("batch rank", np.array([[f"f1.z.{feature}" for feature in row] for row in order], dtype=object)),
        "effect": ("batch rank", effect),
        "position_effect": ("batch rank pos", by_position),
        "clean": ("batch rank pos", np.abs(by_position)),
        "corrupted": ("batch rank pos", np.abs(by_position) * 2),
        "feature_effect": ("batch feature", every),
        "total": every.sum(1) + 1,
        "features": every.sum(1),
        "error": np.ones(batch),
        "rest": every.sum(1) - effect.sum(1),
        "remainder": np.zeros(batch),
        "patched": np.ones(batch),
    }
    facts = circuit_facts(ComputationGraph(layers=3, heads=4, kv_heads=2), prompts)
    return kinds.FeatureEffects.of(
        prompts, values, "batch", unit="logits", measured="change of <i>it</i>", sign="up & down",
        facts={**facts, "layer": "1", "site_name": "z", "how": "zero"},
    )  # fmt: skip


def ablation(prompts: Prompts) -> kinds.FeatureAblation:
    batch = len(prompts)
    clean, edited = random_of(batch), random_of(batch) - 1
    tokens = np.array([[" <b>x</b>", "\n", " Mary"]] * batch, dtype=object)
    prob = np.array([[0.5, 0.3, 0.1]] * batch)
    control = random_of(batch, DRAWS)
    control[:, -1] = np.nan
    values = {
        "clean": clean, "edited": edited, "effect": edited - clean,
        "feature": np.array(["7", "7 <9>"][:batch], dtype=object),
        "density": np.full(batch, 0.01),
        "activation": np.array([1.5, 0.0][:batch]),
        "as_strong": np.array([0.25, np.nan][:batch]),
        "clean_token": ("batch rank", tokens), "clean_prob": ("batch rank", prob),
        "edited_token": ("batch rank", tokens), "edited_prob": ("batch rank", prob),
        "control": ("batch draw", control),
        "control_feature": ("batch draw", np.array([["1", "2", "3", ""]] * batch, dtype=object)),
        "control_density": ("batch draw", np.full((batch, DRAWS), 0.02)),
        "control_active": ("batch draw", np.array([[True, True, False, False]] * batch)),
    }  # fmt: skip
    return kinds.FeatureAblation.of(
        prompts, values, "batch", unit="logits", measured="before and <after>", sign="up & down"
    )


SAMPLES = {"FeatureSources": sources, "FeatureEffects": effects, "FeatureAblation": ablation}

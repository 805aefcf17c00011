"""Results of the geometry's kinds, by hand, in any size; names of documents, topics and heads hold markup."""

import numpy as np

from interp import kinds
from interp.core.prompts import Prompts

TOPICS = np.array(["<b>email</b>", "json", "asyncio & more"], dtype=object)


def random_of(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).normal(size=shape)


def linearity(prompts: Prompts) -> kinds.Linearity:
    values = {"linearity": [0.99, 0.98, 0.7], "update_linearity": [0.8, 0.6, 0.5]}
    return kinds.Linearity.of(prompts, values, measured="how linear <b>layers</b> are", facts={"unrelated": "0.25"})


def similarity(prompts: Prompts, *, other: str = "") -> kinds.LayerSimilarity:
    values = np.clip(np.abs(random_of(4, 3 if other else 4)), 0, 1)
    facts = {"other_model": other} if other else {}
    return kinds.LayerSimilarity.of(prompts, {"cka": values}, measured="CKA of <i>streams</i>", facts=facts)


def variance(prompts: Prompts, *, layers: int = 3, positions: int = 5) -> kinds.PositionalVariance:
    values = np.abs(random_of(layers, positions))
    return kinds.PositionalVariance.of(
        prompts,
        {"variance": values, "uniform_attention_variance": values / 2},
        measured="variance over <b>windows</b>",
    )


def position_context(
    prompts: Prompts, *, layers: int = 4, positions: int = 6, windows: int = 9
) -> kinds.PositionContext:
    sizes = {"arrangement": 2, "layer": layers, "pos": positions, "other_pos": positions, "window": windows}
    sizes |= {"direction": 3, "rank": 5, "component": 5}
    values = {}
    for name, declared in kinds.PositionContext.variables.items():
        values[name] = np.abs(random_of(*(sizes[axis] for axis in declared.axes.split())))
    shares = [f"{part}_share" for part in ("mean", "position", "context", "residual")]
    total = sum(values[name] for name in shares)
    for name in shares:
        values[name] = values[name] / total
    return kinds.PositionContext.of(
        prompts,
        values,
        measured="the stream of <b>windows</b>",
        arrangement=["as read", "shuffled"],
        pos=np.arange(positions) + 1,
        other_pos=np.arange(positions) + 1,
        topic=("window", TOPICS[np.arange(windows) % 3]),
        document=("window", np.array([f"<i>{i}</i>" for i in range(windows)], dtype=object)),
    )


def qk_split(prompts: Prompts, *, layers: int = 3, heads: int = 4) -> kinds.QKSplit:
    batch, width = len(prompts), prompts.width
    hidden = np.triu(np.ones((width, width), dtype=bool), 1) | ~prompts.mask.numpy()[:, None, :]
    terms = {name: random_of(batch, width, width, i) for i, name in enumerate(("position", "context", "residual"), 2)}
    terms = {name: np.where(hidden, np.nan, value[..., 0]) for name, value in terms.items()}
    shares = random_of(3, batch, layers, heads)
    names = [f"{name}_share" for name in terms]
    return kinds.QKSplit.of(
        prompts,
        terms
        | {"score": sum(terms.values()) + 1e-6, "remainder": np.where(hidden, np.nan, 1e-6)}
        | dict(zip(names, shares / shares.sum(0), strict=True)),
        measured="scores of head 1.2 by <b>position</b>",
    )


def composition(prompts: Prompts, *, layers: int = 3, heads: int = 4, channels: int = 7) -> kinds.HeadComposition:
    senders = [f"a{i // heads}.{i % heads}" for i in range(layers * heads)]
    edges = [
        (sender, f"{kind}{layer}.{head}")
        for kind in "qkv"
        for i, sender in enumerate(senders)
        for layer in range(i // heads + 1, layers)
        for head in range(heads)
    ]
    sizes = {"edge": len(edges), "channel": channels}
    values = {}
    for name, declared in kinds.HeadComposition.variables.items():
        scale = 0.01 if "sd" in name else 0.2 if "backward" in name else 1.0
        values[name] = scale * np.abs(random_of(sizes[declared.axes], len(name))[:, 0])
    names = np.array(edges, dtype=object)
    some = names[np.linspace(0, len(edges) - 1, channels).astype(int)].copy()
    some[0, 0] = "a0.<b>"
    return kinds.HeadComposition.of(
        prompts,
        values,
        measured="how far heads write into <b>heads</b>",
        sender=("edge", names[:, 0]),
        receiver=("edge", names[:, 1]),
        channel_sender=("channel", some[:, 0]),
        channel_receiver=("channel", some[:, 1]),
        channel_component=("channel", np.arange(channels)),
    )


SAMPLES = {
    "PositionContext": position_context,
    "QKSplit": qk_split,
    "HeadComposition": composition,
    "Linearity": linearity,
    "LayerSimilarity": similarity,
    "PositionalVariance": variance,
}

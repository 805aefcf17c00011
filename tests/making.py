"""Results of every kind, made without a model."""

import numpy as np
import torch

import interp.kinds  # noqa: F401 - the kinds register themselves
from interp.core.prompts import Prompts
from interp.core.result import Provenance, Result

TEXTS = ('The keys\nto 🗝️ <b>it</b> & "é"', "The")
WORDS = ("The", " keys", "\n", "🗝️", "<b>", "\t", '"', "ġ\u200d", "−")
SIZES = {"batch": 2, "layer": 3, "head": 4, "pos": 5, "query_pos": 5, "key_pos": 5, "rank": 2, "d_head": 3}
SIZES |= {"component": 6, "entry": 7, "neuron": 4, "expert": 3, "feature": 6, "target": 3, "dictionary": 2}
SIZES |= {"other_dictionary": 2, "edge": 4, "candidate": 5, "budget": 3, "draw": 2}
LABELS = {  # of axes that have no numbers
    "edge": {"sender": ["embed", "a0.1", "m0", "a1.<b>"], "receiver": ["q1.0", "m0", "v2.1", "logits"]},
    "candidate": {
        "candidate_sender": ["embed", "a0.1", "m0", "a1.<b>", "m1"],
        "candidate_receiver": ["q1.0", "m0", "v2.1", "logits", "logits"],
    },
    "arrangement": {"arrangement": ["as read", "shuffled"]},
    "window": {"topic": ["json", "<b>", "json", "&"], "document": ["json/a", "<b>", "json/é", ""]},
    "channel": {
        "channel_sender": ["a0.1", "a0.<b>", "a1.0", "a1.1"],
        "channel_receiver": ["q1.0", "k2.0", "v2.1", "v2.1"],
        "channel_component": [0, 1, 0, 5],
    },
}
SIZES |= {"method": 3, "other_method": 3, "order": 2, "fraction": 4, "score": 4}
SIZES |= {"arrangement": 2, "direction": 3, "other_pos": 5, "window": 4, "other_layer": 3, "channel": 4, "bound": 2}
SIZES |= {"model": 3, "variable": 3, "d_model": 4, "part": 2, "count": 3, "family": 3, "predicate": 3, "distance": 4}
SIZES |= {"class": 3, "step": 3, "strength": 3}
SIZES |= {"kv_head": 2, "d_mlp": 4, "vocab": 5}
SIZES |= {"quantity": 2, "coordinate": 2, "other_coordinate": 2, "sequence": 4, "grid_row": 3}
SIZES |= {"grid_column": 3, "shift": 2, "factor": 3, "block": 2}
KINDS = tuple(Result.kinds)


def prompts_of(lengths=(5, 3), texts=TEXTS) -> Prompts:
    """Prompts without a model: five tokens and three, the shorter one padded."""
    width = max(lengths)
    mask = torch.tensor([[place < length for place in range(width)] for length in lengths])
    labels = tuple(tuple(WORDS[place % 9] if place < length else "" for place in range(width)) for length in lengths)
    return Prompts(tuple(texts[: len(lengths)]), mask.long(), mask, labels)


def axes_of(declared: str) -> str:
    return " ".join(axis.removesuffix("?") for axis in declared.split())


def one_of(kind: str, seed: int = 0) -> Result:
    """A result of that kind with every variable it may hold, some of them NaN, infinite or words."""
    random = np.random.default_rng(seed)
    values = {}
    for name, declared in Result.kinds[kind].variables.items():
        axes = axes_of(declared.axes)
        shape = [SIZES[axis] for axis in axes.split()]
        if name.endswith("_token"):
            array = random.choice(np.array(WORDS, dtype=object), shape)
        else:
            array = random.normal(size=shape).astype(np.float32 if name in ("effect", "attention") else np.float64)
            array.flat[0] = np.nan
            array.flat[-1] = np.inf
        values[name] = (axes, array)
    used = {axis for axes, _ in values.values() for axis in axes.split()}
    labels = {
        name: (axis, np.array(words, dtype=object)) for axis in used for name, words in LABELS.get(axis, {}).items()
    }
    make = Result.kinds[kind].of
    result = make(prompts_of(), values, "batch", unit="logits", measured="a − b", sign="a < b", **labels)
    return result.with_provenance(
        Provenance("engine", {"how": "zero", "layers": [0, 1], "by_position": None}, "m", "ab", "cd", 'logit(" é")')
    )

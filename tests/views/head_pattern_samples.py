"""Results of what heads attend to, by hand; names hold markup."""

import numpy as np

from interp import kinds
from interp.core.prompts import Prompts


def random_of(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).random(shape)


def predicate_scores(prompts: Prompts) -> kinds.PredicateScores:
    predicates, heads = ["self", "regex:<b>"], (2, 3, 4)
    values = {name: random_of(*heads) for name in ("mass", "null", "beyond_first")}
    for name in ("mass", "null"):
        values[f"{name}_interval"] = np.stack([values[name] - 0.1, values[name] + 0.1], -1)
    values |= {f"{name}_loss": random_of(2, 1) for name in ("clean", "pattern", "uniform", "ablated")}
    values |= {"replaced": np.array([["a0.1"], ["a2.3"]]), "explained": random_of(2, 1)}
    values["explained_interval"] = np.full((2, 1, 2), np.nan)
    return kinds.PredicateScores.of(
        prompts, values, measured="attention on <i>keys</i>", predicate=np.array(predicates, dtype=object)
    )


def head_cards(prompts: Prompts) -> kinds.HeadCards:
    sizes = {"layer": 2, "head": 3, "rank": 4, "distance": 3}
    values = {}
    for name, declared in kinds.HeadCards.variables.items():
        shape = tuple(sizes[axis] for axis in declared.axes.split())
        if name in ("key_token", "query_token", "text"):
            values[name] = np.full(shape, " <b>")
        else:
            values[name] = np.full(shape, 1) if name in ("window", "query_at", "key_at") else random_of(*shape)
    values["key_token"][0, 0, 2:] = ""
    distance = np.array(["0", "1", "2–4"], dtype=object)
    return kinds.HeadCards.of(prompts, values, measured="attention of <i>heads</i>", distance=distance)


def text_spans(prompts: Prompts) -> kinds.TextSpans:
    values = {name: random_of(2, 3) for name in kinds.TextSpans.variables if name != "token"}
    values["token"] = np.array([[" <b>", "a", "&"], ["x", "", ""]])
    return kinds.TextSpans.of(
        prompts,
        values,
        measured="tokens of <i>heads</i>",
        component=["a0.1", "a1.0"],
        layer=("component", [0, 1]),
        head=("component", [1, 0]),
    )


SAMPLES = {"PredicateScores": predicate_scores, "HeadCards": head_cards, "TextSpans": text_spans}

"""The methods of token attribution that the pages offer: the registered engines whose result is `Relevance`."""

from typing import Any

from interp import attribution
from interp.core.engine import EngineSpec
from interp.kinds import Relevance
from interp.models.hooked import HookedModel

MIXTURES = ("lrp",)  # what has no rules of its own until somebody names them
METHODS: dict[str, EngineSpec] = {
    spec.name: spec
    for spec in attribution.ENGINES
    if issubclass(spec.result, Relevance) and spec.pairs != "required" and spec.name not in MIXTURES
}
FIRST = ("attnlrp", "gradient-x-input", "rollout")
BACKWARD = 3  # passes that one forward and backward take
QUICK = ("attnlrp", "cp-lrp", "gim", "gradient-x-input", "rollout")  # a pass or two: not held up by longer work


def first_methods(model: HookedModel) -> tuple[str, ...]:
    """What the page opens with: of `FIRST`, those that can treat this model; else any one that can."""
    able = [name for name, spec in METHODS.items() if spec.obstacle(model) is None]
    return tuple(name for name in FIRST if name in able) or tuple(able[:1])


def chosen(view: Any) -> tuple[str, ...]:
    """The view's methods that exist."""
    return tuple(name for name in view.methods if name in METHODS)


def selected(view: Any) -> str | None:
    """The method whose ledger and insides are shown: the one picked, or else the first chosen."""
    names = chosen(view)
    return view.method if view.method in names else next(iter(names), None)


def passes(name: str, tokens: int) -> int:
    """About how many forward passes over the prompt a method takes; decompositions carry a part for every token."""
    if name == "integrated-gradients":
        return BACKWARD * METHODS[name].parse_options({}).steps
    return {"rollout": 1, "alti-logit": 10, "chefer": BACKWARD, "cdt": tokens, "decompx": tokens}.get(name, BACKWARD)


def removals(name: str, tokens: int) -> int:
    """About how many runs the deletion curve of a method takes: each order at each number of removed tokens."""
    return 12 * min(20, tokens) + passes(name, tokens)

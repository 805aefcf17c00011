"""The Attribution page's state, and what it asks for: each method's relevance, and the effect of deleting tokens."""

from dataclasses import replace
from typing import Annotated

from pydantic.dataclasses import dataclass

from interp import attribution, evaluation
from interp.core.engine import EngineSpec
from interp.kinds import Relevance
from interp.models.hooked import HookedModel
from interp_dashboard.asking import Ask
from interp_dashboard.state import Choice, Listed, View, one_of, suits

MIXTURES = ("lrp",)  # what has no rules of its own until somebody names them
METHODS: dict[str, EngineSpec] = {
    spec.name: spec
    for spec in attribution.ENGINES
    if issubclass(spec.result, Relevance) and spec.pairs != "required" and spec.name not in MIXTURES
}
FIRST = ("attnlrp", "gradient-x-input", "rollout")
BACKWARD = 3  # passes that one forward and backward take
QUICK = ("attnlrp", "cp-lrp", "gim", "gradient-x-input", "rollout")  # a pass or two: not held up by longer work
LEDGERS = {"term": "by term", "layer": "by layer"}


@dataclass(frozen=True)
class Attribution(View):
    """Which methods are compared (none: a default for the model), and which one is shown in detail ("": the first)."""

    methods: Annotated[tuple[str, ...], Listed(suits(lambda model, name: name in METHODS, "is not a method"))] = ()
    method: Annotated[str, one_of(lambda model: METHODS)] = ""
    ledger: Annotated[str, Choice(LEDGERS)] = "term"

    @property
    def compared_methods(self) -> tuple[str, ...]:
        """The methods that exist."""
        return tuple(name for name in self.methods if name in METHODS)

    @property
    def inside(self) -> str:
        """The method whose ledger and insides are shown; empty where none is compared."""
        names = self.compared_methods
        return self.method if self.method in names else next(iter(names), "")


def suit(model: HookedModel, view: Attribution) -> Attribution:
    """With methods to open with, where none is named."""
    return replace(view, methods=view.methods or first_methods(model))


def first_methods(model: HookedModel) -> tuple[str, ...]:
    """What the page opens with: of `FIRST`, those that support this model; else any one that does."""
    able = [name for name, spec in METHODS.items() if spec.obstacle(model) is None]
    return tuple(name for name in FIRST if name in able) or tuple(able[:1])


def passes(name: str, tokens: int) -> int:
    """About how many forward passes over the prompt a method takes; decompositions carry a part for every token."""
    if name == "integrated-gradients":
        return BACKWARD * METHODS[name].parse_options({}).steps
    return {"rollout": 1, "alti-logit": 10, "chefer": BACKWARD, "cdt": tokens, "decompx": tokens}.get(name, BACKWARD)


def deletions(name: str, tokens: int) -> int:
    """About how many runs the deletion curve of a method takes: each order at each number of deleted tokens."""
    return 12 * min(20, tokens) + passes(name, tokens)


def _relevance(name: str) -> Ask[Attribution]:
    cost = None if name in QUICK else lambda model, tokens: passes(name, tokens)
    return Ask(METHODS[name], lambda model, view: view.question, f"computing {name}", cost)


def _deletion(name: str) -> Ask[Attribution]:
    return Ask(
        evaluation.faithfulness,
        lambda model, view: view.question | {"methods": (name,)},
        "deleting tokens",
        lambda model, tokens: deletions(name, tokens),
    )


RELEVANCE = {name: _relevance(name) for name in METHODS}
DELETION = {name: _deletion(name) for name in METHODS}

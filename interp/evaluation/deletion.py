"""Faithfulness: effect on the answer of removing tokens in each method's order of relevance."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass as plain_dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from pydantic import Field
from pydantic.dataclasses import dataclass
from scipy.integrate import trapezoid

from interp.core.engine import engine
from interp.core.errors import PromptError
from interp.core.intervals import bootstrap_mean
from interp.core.metric import Metric
from interp.core.options import BatchTokens, Seed, parse_options
from interp.core.progress import track
from interp.core.prompts import Prompts
from interp.evaluation.methods import methods_named, relevances, without_methods
from interp.evaluation.removal import WORDS, Removal, Remove, removable, removal_of
from interp.kinds import Faithfulness
from interp.models.hooked import HookedModel

Relevances = Mapping[str, Float[Any, "batch pos"]]
RANDOM = "random"
FRACTIONS = (0.01, 0.05, 0.1, 0.2, 0.5)  # of AOPC: DeYoung et al. 2020
SCORES = ("comprehensiveness", "sufficiency", "deletion_auc", "insertion_auc")
SIGN = (
    "curves are the metric itself; comprehensiveness > 0: removing the most relevant tokens lowers the metric "
    "(faithful); sufficiency < 0: keeping only them raises it; a faithful method has a low deletion_auc and a high "
    "insertion_auc"
)


@dataclass(frozen=True)
class FaithfulnessOptions:
    """The methods, how tokens are removed, and the random-order control."""

    methods: tuple[str, ...] = Field(
        (), description="methods to evaluate (name, or name:option=value); by default all that support the model"
    )
    removal: Removal = Field(
        "mean-embedding",
        description="replace tokens by the vocabulary's mean embedding or by a token, or mask attention to them",
    )
    replacement: str = Field(
        "", description="replacement token for removal by token; by default the model's mask token"
    )
    steps: int = Field(10, ge=1, le=1000, description="number of steps of the curves, from no token removed to all")
    orders: int = Field(10, ge=2, le=10_000, description="number of random orders of the control")
    seed: Seed = Field(0, description="seed of the random orders")
    batch_tokens: BatchTokens = Field(1024, description="tokens per forward pass: several removals share a pass")


def faithfulness_of(
    model: HookedModel, prompts: Prompts, metric: Metric, relevance: Relevances, **options: Any
) -> Faithfulness:
    """Removal curves and their scores for any relevance of the prompts' tokens, beside a random-order control.

    Tokens go from the most to the least relevant (`morf`) or the other way round (`lerf`), by signed relevance, equal
    ones from left to right; special tokens and the answer's own place stay. The last method of the result is the
    control: the mean over random orders, drawn for each prompt from its tokens and the seed. `options` are those of
    the engine.

    Unit: the metric's.
    Raises: PromptError for a prompt of which no token may be removed; OptionError, SiteError as in `removal_of`.
    """
    return _faithfulness(model, prompts, metric, relevance, parse_options("faithfulness", FaithfulnessOptions, options))


def _faithfulness(
    model: HookedModel, prompts: Prompts, metric: Metric, relevance: Relevances, options: FaithfulnessOptions
) -> Faithfulness:
    remove = removal_of(model, options.removal, options.replacement)
    free = removable(model, prompts, metric).numpy()
    plans = []
    for row, places in enumerate(map(np.flatnonzero, free)):
        if not len(places):
            raise PromptError(f"no token of {prompts.texts[row]!r} can be removed; give a longer prompt")
        orders = [places[np.argsort(-np.asarray(values)[row, places], kind="stable")] for values in relevance.values()]
        plans.append(_Plan(orders, _random_orders(prompts[[row]], places, options), prompts.width, options.steps))
    curves = _measure(model, prompts, metric, plans, remove, options.batch_tokens)
    parts = [_evaluate(plan, values) for plan, values in zip(plans, curves, strict=True)]
    values = {name: np.stack([part[name] for part in parts]) for name in parts[0]}
    return Faithfulness.of(
        prompts,
        values,
        unit=metric.unit,
        measured=f"{metric.label} as tokens are removed: {WORDS[options.removal]}",
        sign=SIGN,
        method=[*relevance, RANDOM],
        order=["morf", "lerf"],
        fraction=np.linspace(0, 1, options.steps + 1),
        score=list(SCORES),
    )


@plain_dataclass(frozen=True)
class _Plan:
    """One prompt's removals: the tokens in each order, and how many of them go.

    `ranked` holds each method's order, most relevant first; `random` the control's.
    """

    rankings: Sequence[Int[np.ndarray, "token"]]
    random: Sequence[Int[np.ndarray, "token"]]
    width: int
    steps: int

    @cached_property
    def tokens(self) -> int:
        """How many may go."""
        return len(self.random[0])

    @cached_property
    def fractions(self) -> Float[np.ndarray, "step"]:
        """The curve's fractions."""
        return np.linspace(0, 1, self.steps + 1)

    @cached_property
    def stepwise(self) -> Int[np.ndarray, "step"]:
        """How many tokens have gone at each step of the curve: the nearest whole number."""
        return np.floor(self.fractions * self.tokens + 0.5).astype(int)

    @cached_property
    def few(self) -> Int[np.ndarray, "fraction"]:
        """How many tokens AOPC's fractions are: at least one."""
        return np.ceil(np.round(np.array(FRACTIONS) * self.tokens, 9)).astype(int)

    @cached_property
    def counts(self) -> Int[np.ndarray, "count"]:
        """Every number of removed tokens that is needed, none first."""
        return np.unique([*self.stepwise, *self.few, *(self.tokens - self.few)])

    @cached_property
    def _distinct(self) -> tuple[Bool[np.ndarray, "set pos"], Int[np.ndarray, "order count"]]:
        orders = [order[::step] for order in self.rankings for step in (1, -1)] + list(self.random)
        removed_at = np.zeros((len(orders), len(self.counts), self.width), dtype=bool)
        for row, order in enumerate(orders):
            for column, count in enumerate(self.counts):
                removed_at[row, column, order[:count]] = True
        sets, place = np.unique(removed_at.reshape(-1, self.width), axis=0, return_inverse=True)
        return sets, place.reshape(removed_at.shape[:2])

    @property
    def sets(self) -> Bool[np.ndarray, "set pos"]:
        """Every distinct set of removed tokens, so that each is run once."""
        return self._distinct[0]

    @property
    def place(self) -> Int[np.ndarray, "order count"]:
        """Which set each order has removed at each count: morf and lerf of each method in turn, then the control's."""
        return self._distinct[1]

    def at(self, curves: Float[np.ndarray, "order count"], counts: Int[np.ndarray, "n"]) -> np.ndarray:
        """The curves where so many tokens have gone."""
        return curves[..., np.searchsorted(self.counts, counts)]


def _random_orders(prompt: Prompts, places: np.ndarray, options: FaithfulnessOptions) -> list[np.ndarray]:
    random = np.random.default_rng([options.seed, int(prompt.hash, 16)])
    return [random.permutation(places) for _ in range(options.orders)]


def _measure(
    model: HookedModel, prompts: Prompts, metric: Metric, plans: Sequence[_Plan], remove: Remove, batch_tokens: int
) -> list[Float[np.ndarray, "order count"]]:
    """The metric of every order of every plan at every count."""
    values = [np.empty(len(plan.sets)) for plan in plans]
    chunk = [max(1, batch_tokens // int(length)) for length in prompts.mask.sum(-1)]
    batches = [
        (row, slice(first, first + chunk[row]))
        for row, plan in enumerate(plans)
        for first in range(0, len(plan.sets), chunk[row])
    ]
    for row, batch in track(batches, len(batches), "removing tokens"):
        removed_at = torch.from_numpy(plans[row].sets[batch])
        rows = [row] * len(removed_at)
        many, own_metric = prompts[rows], metric.select(rows)
        edited_prompts, edits = remove(many, removed_at[:, : many.width])
        with torch.no_grad():
            logits = model.run(edited_prompts, edits=edits, answer=own_metric).logits
        values[row][batch] = own_metric.of_rows(logits).double().cpu().numpy()
    return [own[plan.place] for own, plan in zip(values, plans, strict=True)]


def _evaluate(plan: _Plan, curves: Float[np.ndarray, "order count"]) -> dict[str, np.ndarray]:
    """One prompt's part of every variable of the result."""
    by_rank, random = np.split(curves, [2 * len(plan.rankings)])
    scores, control = _scores(plan, by_rank[::2], by_rank[1::2]), _scores(plan, random, random)
    control_means = np.array([bootstrap_mean(control[name]) for name in SCORES]).T
    values = {name: np.append(scores[name], mean) for name, mean in zip(SCORES, control_means[0], strict=True)}
    gain = scores["comprehensiveness"][:, None] - control["comprehensiveness"]
    beaten = ((gain > 0) + 0.5 * (gain == 0)).mean(-1)
    steps = plan.at(curves, plan.stepwise)
    along, *ends = bootstrap_mean(steps[2 * len(plan.rankings) :])
    by_method = steps[: 2 * len(plan.rankings)].reshape(-1, 2, len(plan.stepwise))
    return values | {
        "beats_random": np.append(beaten, 0.5),
        "curve": np.concatenate([by_method, np.stack([along, along])[None]]),
        "random": np.stack(ends, -1),
        "control": control_means[0],
        "control_interval": control_means[1:].T,
    }


def _scores(plan: _Plan, morf: np.ndarray, lerf: np.ndarray) -> dict[str, Float[np.ndarray, "order"]]:
    """Every score of some orders, from the curves of the most and of the least relevant tokens first."""
    return {
        "comprehensiveness": (morf[:, :1] - plan.at(morf, plan.few)).mean(-1),
        "sufficiency": (lerf[:, :1] - plan.at(lerf, plan.tokens - plan.few)).mean(-1),
        "deletion_auc": trapezoid(plan.at(morf, plan.stepwise), plan.fractions),
        "insertion_auc": trapezoid(plan.at(lerf, plan.stepwise), plan.fractions),
    }


@engine(obstacle=without_methods)
def faithfulness(model: HookedModel, prompts: Prompts, metric: Metric, options: FaithfulnessOptions) -> Faithfulness:
    """What the answer loses as tokens are removed in each method's order, compared with random orders.

    Scores on axes `batch method`: `comprehensiveness` and `sufficiency` are AOPC, the mean drop of the metric
    over 1, 5, 10, 20 and 50 % of the tokens (at least one) removed, or kept alone; `deletion_auc` and
    `insertion_auc` are areas under `curve` (axes `batch method order fraction`) for the most and the least
    relevant tokens first: inserting the most relevant first is removing the least relevant first, read backwards.
    `beats_random` is the share of random orders with less comprehensiveness, an equal one counting half. The
    control's intervals are bootstrapped over its orders.

    Unit: that of the metric (logits).
    Raises: OptionError for an unknown method, or a removal that the model does not allow; PromptError for a
    prompt of which no token may be removed.
    Source: DeYoung et al. 2020 (ERASER), comprehensiveness and sufficiency; Samek et al. 2017, MoRF and LeRF;
    Petsiuk et al. 2018, deletion and insertion.
    Differs: the metric is a logit difference rather than a
    probability; the mean is over the five fractions, without the empty set that ERASER's formula has and its
    released scorer has not; tokens keep their places.
    """
    methods = methods_named(options.methods, model)
    removal_of(model, options.removal, options.replacement)  # refused before the methods run
    return _faithfulness(model, prompts, metric, relevances(model, methods, prompts, metric), options)

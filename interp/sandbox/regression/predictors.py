"""Predictors of linear regression in closed form, for every prompt and every number of examples before the query."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from jaxtyping import Float
from scipy.optimize import minimize_scalar
from torch import Tensor

from interp.core.errors import OptionError
from interp.sandbox.regression.prompts import RegressionPrompts, Setting

Predictor = Callable[[Tensor, Tensor, Tensor], Tensor]
"""From examples x `prompt example dimension`, y `prompt example` and queries `prompt query dimension` to
predictions `prompt query`."""


def predict(predictor: Predictor, prompts: RegressionPrompts) -> Float[Tensor, "prompt place"]:
    """The prediction of every output from the pairs before it."""
    places = range(prompts.y.shape[1])
    each = [predictor(prompts.x[:, :at], prompts.y[:, :at], prompts.x[:, at : at + 1])[:, 0] for at in places]
    return torch.stack(each, 1)


def by_weights(estimate: Callable[[Tensor, Tensor], Tensor]) -> Predictor:
    """A linear predictor from what estimates its weights `prompt dimension`."""
    return lambda x, y, query: torch.einsum("bqd,bd->bq", query, estimate(x, y))


def zero(x: Tensor, y: Tensor, query: Tensor) -> Tensor:
    """Always 0."""
    return torch.zeros_like(query[..., 0])


def mean(x: Tensor, y: Tensor, query: Tensor) -> Tensor:
    """The mean output of the examples; 0 without any."""
    return (y.sum(1) / max(y.shape[1], 1))[:, None].expand(query.shape[:2])


def nearest(neighbours: int) -> Predictor:
    """The mean output of the nearest examples."""

    def predictor(x: Tensor, y: Tensor, query: Tensor) -> Tensor:
        if not y.shape[1]:
            return zero(x, y, query)
        closest = torch.cdist(query, x).topk(min(neighbours, y.shape[1]), largest=False).indices
        return y[:, None, :].expand(-1, query.shape[1], -1).gather(-1, closest).mean(-1)

    return predictor


def descent(rate: float, steps: int = 1, whitening: float = 0.0) -> Predictor:
    """Gradient descent from w = 0 on ½ · mean squared error of the examples, w ← w − rate · gradient.

    With `whitening` γ every step is followed by x ← (I − γ/n XᵀX) x of examples and queries: GD++.
    Source: von Oswald et al. 2023 (2212.07677), equations 3 and 11.
    """

    def predictor(x: Tensor, y: Tensor, query: Tensor) -> Tensor:
        number = max(y.shape[1], 1)
        residual, prediction = y, torch.zeros_like(query[..., 0])
        for _ in range(steps):
            step = rate / number * torch.einsum("bn,bnd->bd", residual, x)
            residual = residual - torch.einsum("bnd,bd->bn", x, step)
            prediction = prediction + torch.einsum("bqd,bd->bq", query, step)
            if whitening:
                covariance = whitening / number * x.mT @ x
                x, query = x - x @ covariance, query - query @ covariance
        return prediction

    return predictor


def least_squares(x: Tensor, y: Tensor) -> Tensor:
    """The weights of least norm among those that fit the examples best: OLS."""
    if not y.shape[1]:
        return torch.zeros_like(x[:, 0]) if x.shape[1] else x.new_zeros(len(x), x.shape[-1])
    return (torch.linalg.pinv(x) @ y[..., None])[..., 0]


def ridge(penalty: float) -> Callable[[Tensor, Tensor], Tensor]:
    """The weights that minimise Σ (y − w·x)² + penalty · |w|²."""

    def estimate(x: Tensor, y: Tensor) -> Tensor:
        gram = x.mT @ x + penalty * torch.eye(x.shape[-1], dtype=x.dtype)
        return torch.linalg.solve(gram, x.mT @ y[..., None])[..., 0]

    return estimate


def bayes(setting: Setting) -> Predictor:
    """The posterior mean of the query's output: of normal weights, of two families, or of counted tasks."""
    if setting.tasks:
        return _of_tasks(setting)

    def predictor(x: Tensor, y: Tensor, query: Tensor) -> Tensor:
        means, evidence = zip(*(_posterior(setting, family, x, y) for family in setting.families), strict=True)
        shares = torch.stack(evidence, -1).softmax(-1)
        return torch.einsum("bqd,bdf,bf->bq", query, torch.stack(means, -1), shares)

    return predictor


def posterior_variance(setting: Setting, x: Tensor, query: Tensor) -> Tensor:
    """The variance of the query's output given the examples, noise included, for one family of normal weights.

    Raises: OptionError for a setting with tasks or two families, whose posterior is not normal.
    """
    if setting.tasks or len(setting.families) > 1:
        raise OptionError("the posterior is normal only with one family of normal weights; set tasks and shares to 0")
    noise, prior = setting.noise**2, setting.weight_scale**2
    gram = prior * x @ x.mT + noise * torch.eye(x.shape[1], dtype=x.dtype)
    cross = prior * x @ query.mT
    explained = (cross * torch.linalg.lstsq(gram, cross).solution).sum(1) if x.shape[1] else 0
    return prior * query.square().sum(-1) - explained + noise


def _posterior(setting: Setting, family: tuple[float, float, float], x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """The posterior mean of a family's weights, and the log of its share times the likelihood of the examples."""
    share, centre, noise = family
    prior, log_share = setting.weight_scale**2, torch.full((len(x),), share, dtype=x.dtype).log()
    start = torch.full((len(x), x.shape[-1]), centre, dtype=x.dtype)
    if not y.shape[1]:
        return start, log_share
    residual = y - torch.einsum("bnd,bd->bn", x, start)
    if not noise:
        update = least_squares(x, residual)
        if len(setting.families) == 1:
            return start + update, log_share
        raise OptionError("two families need noise, or their evidence is not finite; set noise and second_noise")
    update = ridge(noise**2 / prior)(x, residual)
    covariance = prior * x @ x.mT + noise**2 * torch.eye(y.shape[1], dtype=x.dtype)
    zeros = torch.zeros_like(residual)
    evidence = torch.distributions.MultivariateNormal(zeros, covariance).log_prob(residual)
    return start + update, log_share + evidence


def _of_tasks(setting: Setting) -> Predictor:
    """The mean of the tasks weighted by their likelihood; without noise, of those that fit.

    Source: Raventós et al. 2023 (2306.15063), equation 4.
    """

    def predictor(x: Tensor, y: Tensor, query: Tensor) -> Tensor:
        pool = setting.pool.to(x.dtype)
        error = (y[:, None] - torch.einsum("bnd,td->btn", x, pool)).square().sum(-1)
        likeliness = (-error / (2 * max(setting.noise, 1e-6) ** 2)).softmax(-1)
        return torch.einsum("bqd,td,bt->bq", query, pool, likeliness)

    return predictor


def line_search(prompts: RegressionPrompts, steps: int = 1, most: float = 100.0) -> float:
    """The rate at which so many steps of descent predict the query of these prompts best.

    Of one step the squared error is a parabola; of several its least value below the rate at which they diverge.
    """
    examples = (prompts.x[:, :-1], prompts.y[:, :-1], prompts.x[:, -1:])
    if steps == 1:
        slope = descent(1.0)(*examples)[:, 0]
        return float((slope * prompts.y[:, -1]).sum() / slope.square().sum())

    def loss(rate: float) -> float:
        return float((descent(rate, steps)(*examples)[:, 0] - prompts.y[:, -1]).square().mean())

    first = line_search(prompts)
    best: Any = minimize_scalar(loss, bounds=(0.0, min(most, 2 * first)), method="bounded")
    return float(best.x)


def searched(reference: RegressionPrompts, steps: int) -> Predictor:
    """So many steps of descent, at the rate that is best for the reference prompts with as many examples."""
    rates: dict[int, float] = {}

    def predictor(x: Tensor, y: Tensor, query: Tensor) -> Tensor:
        count = y.shape[1]
        if count not in rates:
            first = RegressionPrompts(
                reference.x[:, : count + 1], reference.y[:, : count + 1], reference.weights, reference.family
            )
            rates[count] = line_search(first, steps) if count else 0.0
        return descent(rates[count], steps)(x, y, query)

    return predictor


def predictors(setting: Setting, reference: RegressionPrompts) -> Mapping[str, Predictor]:
    """Every baseline of a setting by name; rates of descent are searched on the `reference` prompts."""
    noise = setting.noise**2 / setting.weight_scale**2
    return {
        "zero": zero,
        "mean": mean,
        "3 nearest": nearest(3),
        "1 step": searched(reference, 1),
        "5 steps": searched(reference, 5),
        "ridge": by_weights(ridge(noise or 0.1)),
        "least squares": by_weights(least_squares),
        "Bayes": bayes(setting),
    }

"""Regression in context: closed forms compared with simulation, predictors with their definitions."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from torch.testing import assert_close

from interp.core.errors import OptionError
from interp.sandbox.regression import theory
from interp.sandbox.regression.algorithms import compare
from interp.sandbox.regression.gradient_step import interpolated
from interp.sandbox.regression.layers import LinearAttention, SoftmaxHeads
from interp.sandbox.regression.predictors import (
    bayes,
    by_weights,
    descent,
    least_squares,
    line_search,
    mean,
    nearest,
    posterior_variance,
    predict,
    ridge,
    zero,
)  # fmt: skip
from interp.sandbox.regression.prompts import Setting, draw

NOISY = Setting(dimension=3, examples=6, inputs="normal", noise=0.5, weight_scale=0.8)


def prompts(setting, count=200, seed=0):
    return draw(setting, count, torch.Generator().manual_seed(seed))


def last(predictor, drawn):
    return predict(predictor, drawn)[:, -1]


def test_the_best_step_of_von_oswald():
    """The published setting: η* = 6.06, loss 0.2062, of zero 0.4167; simulations agree within 4 errors."""
    best = theory.gradient_step(Setting())
    assert_allclose([best.rate, best.loss, best.zero_loss], [200 / 33, 0.20622896, 5 / 12], rtol=1e-6)
    drawn = prompts(Setting(), 40_000, 1)
    errors = (last(descent(best.rate), drawn) - drawn.y[:, -1]).square() / 2
    assert abs(errors.mean() - best.loss) < 4 * errors.std() / 200
    assert_allclose(line_search(drawn), best.rate, rtol=0.02)


@pytest.mark.parametrize("setting", [NOISY, Setting(dimension=4, examples=5, decay=1.0, noise=0.3)])
def test_the_best_step_in_other_settings(setting):
    best, drawn = theory.gradient_step(setting), prompts(setting, 40_000, 2)
    errors = (descent(best.rate)(drawn.x[:, :-1], drawn.y[:, :-1], drawn.x[:, -1:])[:, 0] - drawn.y[:, -1]).square() / 2
    assert abs(errors.mean() - best.loss) < 4 * errors.std() / 200
    assert_allclose(line_search(drawn), best.rate, rtol=0.03)


@pytest.mark.parametrize("inputs", ["normal", "uniform"])
def test_the_moment_behind_the_best_preconditioner(inputs):
    """E[Ĉ²] by simulation; of normal inputs it is (1 + 1/N) Λ² + (tr Λ/N) Λ, and Γ follows."""
    setting = Setting(dimension=3, examples=4, inputs=inputs, decay=1.0)
    x = prompts(setting, 100_000, 3).x[:, :-1]
    second = x.mT @ x / 4
    squares = second @ second
    error = squares.std(0) / 100_000**0.5
    assert ((squares.mean(0) - theory.second_moment(setting)).abs() < 4 * error + 1e-12).all()
    if inputs == "normal":
        variances, number = setting.variances, setting.examples
        gamma = (1 + 1 / number) * torch.diag(variances) + variances.sum() / number * torch.eye(3, dtype=torch.float64)
        assert_close(theory.preconditioner(setting), gamma)


def test_the_preconditioner_is_the_optimum():
    """No other linear map of the examples' moments predicts better: the gradient of the loss is 0 there."""
    setting = Setting(dimension=3, examples=5, inputs="normal", decay=1.0)
    drawn = prompts(setting, 100_000, 4)
    moment = torch.einsum("pn,pnd->pd", drawn.y[:, :-1], drawn.x[:, :-1]) / 5
    inverse = torch.linalg.inv(theory.preconditioner(setting))
    missed = drawn.y[:, -1] - torch.einsum("pd,de,pe->p", drawn.x[:, -1], inverse, moment)
    gradient = missed[:, None, None] * drawn.x[:, -1, :, None] * moment[:, None]
    assert (gradient.mean(0).abs() < 4 * gradient.std(0) / 100_000**0.5).all()


def test_constructed_layers_are_gradient_descent():
    """One layer is one step, three layers are three: to rounding, on any prompt."""
    drawn = prompts(Setting(dimension=4, examples=7), 50)
    for layers in (1, 3):
        model = LinearAttention.constructed(4, 7, 1.7, layers).double()
        plain = []
        for x, y in zip(drawn.x, drawn.y, strict=True):
            weights = torch.zeros(4, dtype=torch.float64)
            for _ in range(layers):
                weights = weights - 1.7 / 7 * ((x[:-1] @ weights - y[:-1]) @ x[:-1])
            plain.append(x[-1] @ weights)
        assert_close(model(drawn.tokens), torch.stack(plain), atol=1e-7, rtol=1e-6)
        assert_close(last(descent(1.7, layers), drawn), torch.stack(plain))


def test_whitening_descent():
    """GD++: after each step the inputs are multiplied by I − γ/n XᵀX, written out."""
    drawn = prompts(Setting(dimension=3, examples=5), 4)
    for x, y, said in zip(drawn.x, drawn.y, last(descent(1.5, 2, 0.3), drawn), strict=True):
        examples, residual, total, query = x[:-1], y[:-1], 0.0, x[-1]
        for _ in range(2):
            step = 1.5 / 5 * residual @ examples
            total, residual = total + query @ step, residual - examples @ step
            matrix = torch.eye(3) - 0.3 / 5 * examples.T @ examples
            examples, query = examples @ matrix, query @ matrix
        assert_close(said, torch.as_tensor(total))


def test_products_decide_and_are_scaled():
    """A layer is its products; scaling them apart, and averaging a layer with itself, changes nothing."""
    model, drawn = LinearAttention(4, deviation=0.5, seed=3).double(), prompts(Setting(dimension=4, examples=7), 20)
    assert_close(LinearAttention.of_products(*model.products)(drawn.tokens), model(drawn.tokens))
    assert_close(interpolated(model, model)(drawn.tokens), model(drawn.tokens))


def test_predictors_by_definition():
    drawn = prompts(NOISY, 20)
    for at in range(20):
        x, y, query = drawn.x[at, :-1], drawn.y[at, :-1], drawn.x[at, -1]
        both = np.linalg.lstsq(x.numpy(), y.numpy(), rcond=None)[0]
        assert_allclose(last(by_weights(least_squares), drawn)[at], query.numpy() @ both)
        assert_allclose(last(mean, drawn)[at], y.mean())
        close = sorted(range(6), key=lambda i: float((x[i] - query).norm()))[:2]
        assert_allclose(last(nearest(2), drawn)[at], y[close].mean())
    assert not last(zero, drawn).any()
    assert_close(
        predict(by_weights(ridge(1e-9)), drawn)[:, -1], last(by_weights(least_squares), drawn), atol=1e-6, rtol=0
    )


def test_bayes_is_ridge_and_beats_all():
    """Of one family it is ridge with λ = σ²/w², and its error is the posterior variance."""
    drawn = prompts(NOISY, 20_000, 5)
    best = last(bayes(NOISY), drawn)
    assert_close(best, last(by_weights(ridge(0.25 / 0.64)), drawn))
    errors, variance = (best - drawn.y[:, -1]).square(), posterior_variance(NOISY, drawn.x[:, :-1], drawn.x[:, -1:])
    assert abs(errors.mean() - variance.mean()) < 4 * errors.std() / 20_000**0.5
    with pytest.raises(OptionError, match="one family"):
        posterior_variance(Setting(tasks=3), drawn.x, drawn.x)


def test_bayes_of_tasks_and_of_two_families():
    """By sampling the prior: the mean of y weighted by the likelihood of the examples."""
    for setting in (
        Setting(dimension=2, examples=3, inputs="normal", noise=0.6, tasks=5),
        Setting(
            dimension=2, examples=3, inputs="normal", noise=0.6, second_share=0.3, second_mean=1.5, second_noise=0.4
        ),
    ):
        drawn, many = prompts(setting, 3, 6), prompts(setting, 400_000, 7)
        noise = torch.tensor([setting.noise, setting.second_noise], dtype=torch.float64)[many.family]
        for x, y, said in zip(drawn.x, drawn.y, last(bayes(setting), drawn), strict=True):
            errors = (many.weights @ x[:-1].T - y[:-1]).square().sum(-1)
            weight = (-errors / (2 * noise**2) - 3 * noise.log()).softmax(0)
            assert abs((weight * (many.weights @ x[-1])).sum() - said) < 0.03


def test_heads_of_two_numbers():
    """Constructed heads by definition; the best values minimise the loss model; the loss is right as L grows."""
    omega, mu = torch.tensor([0.2, -0.2]), torch.tensor([2.0, -2.0])
    model = SoftmaxHeads.constructed(3, omega, mu).double()
    setting = Setting(dimension=3, examples=400, inputs="normal", weight_scale=3**-0.5, noise=0.3)
    drawn = prompts(setting, 2000, 8)
    x, y, query = drawn.x[:, :-1], drawn.y[:, :-1], drawn.x[:, -1]
    said = sum(
        m * ((w * torch.einsum("pnd,pd->pn", x, query)).softmax(-1) * y).sum(-1)
        for w, m in zip(omega.tolist(), mu.tolist(), strict=True)
    )
    assert_close(model(drawn.tokens), said, atol=1e-6, rtol=1e-6)
    assert_close(model.omega, omega.double())
    assert_close(model.mu, mu.double())
    assert model.off_pattern.abs().max().item() < 1e-12
    sizes = {"dimension": 3, "examples": 400, "noise": 0.09}
    best = theory.best_values(omega.numpy(), **sizes)
    least = theory.heads_loss(omega.numpy(), best, **sizes)
    for change in np.random.default_rng(0).normal(size=(20, 2)):
        assert theory.heads_loss(omega.numpy(), best + 0.1 * change, **sizes) > least
    tuned = SoftmaxHeads.constructed(3, omega, torch.tensor(best).float()).double()
    errors = (tuned(drawn.tokens) - drawn.y[:, -1]).square()
    assert abs(errors.mean() - least) < 4 * errors.std() / 2000**0.5 + 0.02 * least


def test_distances_between_algorithms():
    """A method is at distance 0 from itself; a linear one has R² 1 and its own weights."""
    methods = {"zero": zero, "OLS": by_weights(least_squares), "nearest": nearest(1)}
    data = compare(methods, Setting(dimension=2, examples=5, inputs="normal"), prompts=64, counts=[3, 5]).data
    assert_allclose(data["prediction_distance"].sel({"method": "OLS", "other_method": "OLS"}), 0)
    assert_allclose(data["linearity"].sel({"method": "OLS"}), 1)
    assert (data["linearity"].sel({"method": "nearest"}) < 1).all()
    drawn = draw(Setting(dimension=2, examples=5, inputs="normal"), 64, torch.Generator().manual_seed(7))
    assert_allclose(data["weight_distance"].sel({"method": "OLS", "other_method": "zero", "count": 5}),
                    float(drawn.weights.square().sum(-1).mean()) / 2)  # fmt: skip
    assert_allclose(data["loss"].sel({"method": "zero", "count": 3}), float(drawn.y[:, 3].square().mean()))


def test_impossible_settings():
    with pytest.raises(OptionError, match="exclude each other"):
        Setting(tasks=4, second_share=0.5)
    with pytest.raises(OptionError, match="set tasks"):
        theory.gradient_step(Setting(tasks=4))

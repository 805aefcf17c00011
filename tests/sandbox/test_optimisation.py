"""The shape of a loss, on quadratics and on a small model whose derivatives are taken entry by entry."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from interp.core.errors import MemoryLimitError, ResultError
from interp.sandbox import special
from interp.sandbox.lessons import Training
from interp.sandbox.optimisation import (
    attention_entropy,
    directional_smoothness,
    hessian,
    loss_of,
    optimisation_course,
    robust_condition,
    sharpness,
)  # fmt: skip
from interp.sandbox.regression.lessons import GradientDescent, GradientDescentLesson
from interp.sandbox.regression.prompts import Setting


def quadratic(matrix):
    return lambda weights: weights @ matrix @ weights / 2


def test_a_quadratic():
    generator = torch.Generator().manual_seed(0)
    root = torch.randn(5, 5, generator=generator, dtype=torch.float64)
    matrix = root + root.T
    values = np.linalg.eigvalsh(matrix.numpy())
    largest = values[np.abs(values).argmax()]
    loss, at = quadratic(matrix), torch.randn(5, generator=generator, dtype=torch.float64)
    assert_allclose(hessian(loss, at), matrix)
    assert_allclose(sharpness(loss, at, 500), largest, rtol=1e-3)
    assert_allclose(robust_condition(matrix), abs(largest) / np.median(np.abs(matrix.diagonal())))
    way = torch.tensor([0.0, 0.3, 0, 0, 0], dtype=torch.float64)
    assert_allclose(directional_smoothness(loss, at, at + way), abs(float(matrix[1, 1])))
    assert np.isnan(directional_smoothness(loss, at, at))


def test_derivatives_of_a_model():
    """The Hessian's column of one weight is the difference of gradients on both sides of it."""
    lesson = GradientDescentLesson(
        GradientDescent(setting=Setting(dimension=2, examples=3), deviation=0.5, training=Training(batch=16))
    )
    loss, weights = loss_of(lesson.model(), lambda model: lesson.loss(model, torch.Generator().manual_seed(1)))
    matrix = hessian(loss, weights)
    step = torch.zeros_like(weights)
    step[4] = 1e-2
    gradient = torch.func.grad(loss)
    assert_allclose(matrix[:, 4], (gradient(weights + step) - gradient(weights - step)) / 2e-2, atol=2e-3)
    assert_allclose(abs(sharpness(loss, weights, 100)), np.abs(np.linalg.eigvalsh(matrix)).max(), rtol=1e-2)
    with pytest.raises(MemoryLimitError, match="use sharpness"):
        hessian(loss, torch.zeros(5000))


def test_attention_entropy():
    patterns = torch.tensor([[0.25] * 4, [1.0, 0, 0, 0]])
    assert_allclose(attention_entropy(patterns), [np.log(4), 0])


def test_courses_need_the_same_steps(tmp_path):
    def trained(name, steps):
        lesson = GradientDescentLesson(
            GradientDescent(setting=Setting(dimension=2, examples=3), deviation=0.3,
                            training=Training(steps=steps, batch=16, checkpoints=2))
        )  # fmt: skip
        return special.train(lesson, tmp_path / name), lesson

    runs = {name: trained(name, steps) for name, steps in (("adam", 4), ("also", 4), ("other", 6))}
    same = {name: runs[name] for name in ("adam", "also")}
    data = optimisation_course(
        {n: r for n, (r, _) in same.items()}, {n: le for n, (_, le) in same.items()}, batches=3
    ).data
    assert_allclose(data["loss"].sel({"method": "adam"}), data["loss"].sel({"method": "also"}))
    assert data["directional_smoothness"].isnull().sum() == 2
    with pytest.raises(ResultError, match="different steps"):
        optimisation_course({n: r for n, (r, _) in runs.items()}, {n: le for n, (_, le) in runs.items()})

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


def trained(folder, steps):
    setting, training = Setting(dimension=2, examples=3), Training(steps=steps, batch=16, checkpoints=2)
    lesson = GradientDescentLesson(GradientDescent(setting=setting, deviation=0.3, training=training))
    return special.train(lesson, folder), lesson


def test_courses_of_the_same_steps(tmp_path):
    """The same training twice is the same course; runs of other steps are refused."""
    (run, lesson), (again, _), (longer, _) = (trained(tmp_path / str(at), steps) for at, steps in enumerate((3, 3, 5)))
    data = optimisation_course({"a": run, "b": again}, {"a": lesson, "b": lesson}, batches=3, iterations=2).data
    for name in ("loss", "sharpness", "robust_condition", "noise_kurtosis"):
        assert_allclose(data[name].sel({"method": "a"}), data[name].sel({"method": "b"}))
    assert data["directional_smoothness"].isnull().sum() == 2
    with pytest.raises(ResultError, match="different steps"):
        optimisation_course({"a": run, "b": longer}, {"a": lesson, "b": lesson})

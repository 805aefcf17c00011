"""How near a trained layer of linear attention is to one step of gradient descent."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from interp.core.errors import ModelError
from interp.kinds import GradientStepLearning, KnownNumbers
from interp.sandbox.lessons import Run
from interp.sandbox.reading import mean_and_ends, over_steps, result_of
from interp.sandbox.regression.layers import LinearAttention
from interp.sandbox.regression.lessons import GradientDescentLesson
from interp.sandbox.regression.prompts import RegressionPrompts, Setting, draw
from interp.sandbox.regression.theory import gradient_step

PROMPTS = 5000
FACTORS = (0.5, 0.75, 1.0, 1.5, 2.0, 3.0)
SHIFTS = {"range of inputs": "input_scale", "scale of weights": "weight_scale"}


def gradient_step_learning(run: Run, lesson: GradientDescentLesson) -> GradientStepLearning:
    """Losses, predictions and sensitivities of one layer compared with the best gradient step, at every step.

    Source: von Oswald et al. 2023 (2212.07677), section 3 and figure 2.
    Differs: the query is no key, so that its own y = 0 plays no part.
    Raises: ModelError for a run of more than one layer.
    """
    if lesson.options.layers != 1:
        raise ModelError(f"{run.path} has {lesson.options.layers} layers; one gradient step is compared with one layer")
    setting, prompts = lesson.options.setting, lesson.prompts(PROMPTS)
    step_model = constructed(setting)
    steps, values = over_steps(run, lesson, lambda model: _read(model, step_model, prompts, setting.examples))
    shifted, shifted_step = _shifts(run.load(lesson), step_model, setting)
    best = gradient_step(setting)
    return result_of(
        GradientStepLearning,
        "gradient-step-learning",
        values | {"shifted_loss": shifted, "shifted_step_loss": shifted_step},
        measured=f"{PROMPTS:,} prompts; the best step has rate {best.rate:.4g} and loss {best.loss:.4g}",
        lesson=lesson,
        model=run.path.name,
        step=steps,
        shift=list(SHIFTS),
        factor=list(FACTORS),
    )


def constructed(setting: Setting) -> LinearAttention:
    """The layer that makes the best step of gradient descent."""
    return LinearAttention.constructed(setting.dimension, setting.examples, gradient_step(setting).rate)


def interpolated(model: LinearAttention, other: LinearAttention) -> LinearAttention:
    """The layer halfway between two, each scaled to unit mean diagonal of KᵀQ."""
    pairs = zip(model.scaled_products(), other.scaled_products(), strict=True)
    scores, values = ((mine + theirs) / 2 for mine, theirs in pairs)
    return LinearAttention.of_products(scores.detach(), values.detach())


def rate_of(model: LinearAttention, examples: int) -> float:
    """The learning rate that the layer's products amount to: −N times their scales."""
    scores, values = model.products
    return -examples * values[0, -1, -1].item() * scores[0].diagonal()[:-1].mean().item()


def _read(model: LinearAttention, step: LinearAttention, prompts: RegressionPrompts, examples: int) -> dict[str, Any]:
    tokens, wanted = prompts.tokens, prompts.y[:, -1]
    prediction, gradient = _with_sensitivity(model, tokens)
    by_step, step_gradient = _with_sensitivity(step, tokens)
    scores, _ = model.scaled_products()
    with torch.no_grad():
        middle = interpolated(model, step)(tokens)
    loss, *ends = mean_and_ends((prediction - wanted).square() / 2)
    return {
        "loss": loss,
        "loss_interval": ends,
        "step_loss": float((by_step - wanted).square().mean() / 2),
        "rate": rate_of(model, examples),
        "prediction_distance": float((prediction - by_step).abs().mean()),
        "sensitivity_cosine": float(torch.cosine_similarity(gradient, step_gradient, -1).mean()),
        "sensitivity_distance": float((gradient - step_gradient).norm(dim=-1).mean()),
        "interpolated_loss": float((middle - wanted).square().mean() / 2),
        "product": scores[0, :-1, :-1].detach().numpy(),
    }


def _with_sensitivity(model: LinearAttention, tokens: Tensor) -> tuple[Tensor, Tensor]:
    """Predictions, and their derivative by the query's input."""
    tokens = tokens.clone().requires_grad_()
    prediction = model(tokens)
    (gradient,) = torch.autograd.grad(prediction.sum(), tokens)
    return prediction.detach(), gradient[:, -1, :-1]


@torch.no_grad()
def _shifts(model: Any, step: LinearAttention, setting: Setting) -> tuple[np.ndarray, np.ndarray]:
    """Losses of both on prompts whose inputs or weights are wider, relative to the mean squared output."""
    losses = np.empty((2, len(SHIFTS), len(FACTORS)))
    for row, name in enumerate(SHIFTS.values()):
        for column, factor in enumerate(FACTORS):
            shifted = setting.shifted(**{name: factor * getattr(setting, name)})
            prompts = draw(shifted, PROMPTS, torch.Generator().manual_seed(3), torch.float32)
            for at, each in enumerate((model, step)):
                losses[at, row, column] = float((each(prompts.tokens) - prompts.y[:, -1]).square().mean() / 2)
    return losses[0], losses[1]


def gradient_step_numbers(run: Run, lesson: GradientDescentLesson, *, prompts: int = 200_000) -> KnownNumbers:
    """The closed form's rate and losses, those of simulated prompts, and those of the trained layer.

    Source: von Oswald et al. 2023 (2212.07677), figure 2; the closed form is derived in `theory.gradient_step`.
    """
    setting, best = lesson.options.setting, gradient_step(lesson.options.setting)
    drawn = draw(setting, prompts, torch.Generator().manual_seed(5))
    model, step = run.load(lesson).double(), constructed(setting).double()
    wanted, none = drawn.y[:, -1], float("nan")
    with torch.no_grad():
        slope, by_model = step(drawn.tokens) / best.rate, model(drawn.tokens)
        middle = interpolated(run.load(lesson), constructed(setting)).double()(drawn.tokens)
    rows = {
        "rate of the best step": (slope * wanted / slope.square().mean(), best.rate, none),
        "loss of the best step": ((best.rate * slope - wanted).square() / 2, best.loss, none),
        "loss of predicting 0": (wanted.square() / 2, best.zero_loss, none),
        "loss of the trained layer": ((by_model - wanted).square() / 2, best.loss, none),
        "loss of the mean of both": ((middle - wanted).square() / 2, best.loss, none),
    }
    values = np.stack([mean_and_ends(sample) for sample, _, _ in rows.values()])
    trained = rate_of(run.load(lesson), setting.examples)
    return result_of(
        KnownNumbers,
        "gradient-step-numbers",
        {
            "measured_value": [*values[:, 0], trained],
            "measured_value_interval": [*values[:, 1:].tolist(), [none, none]],
            "closed_form": [*(row[1] for row in rows.values()), best.rate],
            "published": [*(row[2] for row in rows.values()), none],
        },
        measured=f"{prompts:,} prompts of {setting.examples} examples in {setting.dimension} dimensions",
        lesson=lesson,
        model=run.path.name,
        quantity=[*rows, "rate of the trained layer"],
    )

"""The patterns of trained softmax heads, and the loss that a model of two numbers a head predicts."""

from typing import Any

import numpy as np
import torch

from interp.kinds import SoftmaxHeadLearning
from interp.sandbox.lessons import Run
from interp.sandbox.reading import mean_and_ends, over_steps, result_of
from interp.sandbox.regression.layers import SoftmaxHeads
from interp.sandbox.regression.lessons import HeadsLesson
from interp.sandbox.regression.predictors import posterior_variance
from interp.sandbox.regression.theory import best_single_pair, heads_loss

PROMPTS = 5000


@torch.no_grad()
def softmax_head_learning(run: Run, lesson: HeadsLesson) -> SoftmaxHeadLearning:
    """ω and μ of every head, the loss, and what the loss model makes of ω and μ, at every step.

    The loss model leaves out terms of order 1/L: heads constructed with the same ω and μ tell how much that is.
    Source: He et al. 2025 (2503.12734).
    """
    setting, prompts = lesson.options.setting, lesson.prompts(PROMPTS)
    sizes = {"dimension": setting.dimension, "examples": setting.examples, "noise": setting.noise**2}

    def read(model: SoftmaxHeads) -> dict[str, Any]:
        omega, mu = model.omega, model.mu
        errors = [
            (each(prompts.tokens) - prompts.y[:, -1]).square()
            for each in (model, SoftmaxHeads.constructed(setting.dimension, omega, mu))
        ]
        loss, *ends = mean_and_ends(errors[0])
        return {
            "loss": loss,
            "loss_interval": ends,
            "predicted_loss": heads_loss(omega.double().numpy(), mu.double().numpy(), **sizes),
            "constructed_loss": float(errors[1].mean()),
            "value_sum": float(mu.sum() / mu.abs().sum()),
            "omega": omega.numpy().copy(),
            "mu": mu.numpy().copy(),
            "off_pattern": model.off_pattern.numpy().copy(),
        }

    steps, values = over_steps(run, lesson, read)
    least = best_single_pair(**sizes)[2]
    ridge = float(_bayes_error(lesson))
    return result_of(
        SoftmaxHeadLearning,
        "softmax-head-learning",
        values,
        measured=f"{PROMPTS:,} prompts; least loss of the model for two heads {least:.4g}, of Bayes {ridge:.4g}",
        lesson=lesson,
        model=run.path.name,
        step=steps,
    )


def _bayes_error(lesson: HeadsLesson) -> np.floating:
    """The mean variance of the query's output given the examples."""
    prompts = lesson.prompts(2000).to(torch.float64)
    variance = posterior_variance(lesson.options.setting, prompts.x[:, :-1], prompts.x[:, -1:])
    return np.float64(variance.mean())

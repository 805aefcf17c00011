"""What single layers of attention come to at best, in closed form."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from interp.core.errors import OptionError
from interp.sandbox.regression.prompts import Setting


@dataclass(frozen=True)
class GradientStep:
    """One step of gradient descent on the examples of a prompt: its best rate, and ½ · mean squared error with it."""

    rate: float
    loss: float
    zero_loss: float


def gradient_step(setting: Setting) -> GradientStep:
    """The best rate of one step from w = 0, ŷ = (rate/N) Σ yᵢ xᵢ·x_q, and its loss: exact.

    With Λ diagonal, E[y_q ŷ] = rate · w² tr Λ², and E[ŷ²] = rate² · (w² tr(Λ M) + σ² tr Λ² / N), where M = E[Ĉ²].
    Source: von Oswald et al. 2023 (2212.07677), section 3, trains to this number; the moments are derived here.
    Raises: OptionError for tasks that are counted or of two families.
    """
    if setting.tasks or setting.second_share:
        raise OptionError("the best rate is known for normal weights alone; set tasks and second_share to 0")
    variances, prior, noise = setting.variances, setting.weight_scale**2, setting.noise**2
    overlap = prior * variances.square().sum()
    noisy = noise * variances.square().sum() / setting.examples
    square = prior * (variances * second_moment(setting).diagonal()).sum() + noisy
    zero_loss = (prior * variances.sum() + noise) / 2
    return GradientStep(float(overlap / square), float(zero_loss - overlap**2 / square / 2), float(zero_loss))


def second_moment(setting: Setting) -> Float[Tensor, "dimension dimension"]:
    """E[Ĉ²] of the examples' second moment Ĉ = 1/N Σ x xᵀ: (1 + 1/N) Λ² + (tr Λ/N) Λ of normal entries.

    Other independent entries add (kurtosis − 3)/N · Λ².
    """
    variances, number = setting.variances, setting.examples
    square = (1 + (1 + setting.kurtosis - 3) / number) * variances.square()
    return torch.diag(square + variances.sum() / number * variances)


def preconditioner(setting: Setting) -> Float[Tensor, "dimension dimension"]:
    """Γ of the best single layer of linear attention, ŷ = x_qᵀ Γ⁻¹ (1/N Σ y x): (1 + 1/N) Λ + (tr Λ/N) I if normal.

    Source: Zhang, Frei & Bartlett 2023 (2306.09927), theorem 4.1.
    Differs: holds for any independent entries, whose fourth moment goes in through E[Ĉ²].
    """
    return second_moment(setting) @ torch.diag(1 / setting.variances)


def heads_loss(
    omega: Float[np.ndarray, "head"], mu: Float[np.ndarray, "head"], *, dimension: int, examples: int, noise: float
) -> float:
    """The mean squared error of softmax heads with patterns ω and values μ, by the loss model; `noise` is σ².

    Source: He et al. 2025 (2503.12734), the approximate loss ℓ(ω, μ).
    """
    return float(1 + noise - 2 * mu @ omega + mu @ _second_order(omega, dimension, examples, noise) @ mu)


def best_values(
    omega: Float[np.ndarray, "head"], *, dimension: int, examples: int, noise: float
) -> Float[np.ndarray, "head"]:
    """The values μ that minimise the loss model for patterns ω.

    Source: He et al. 2025 (2503.12734).
    """
    return np.linalg.solve(_second_order(omega, dimension, examples, noise), omega)


def _second_order(omega: np.ndarray, dimension: int, examples: int, noise: float) -> np.ndarray:
    outer = np.outer(omega, omega)
    return outer + (1 + noise) / examples * np.exp(dimension * outer)


def best_single_pair(*, dimension: int, examples: int, noise: float) -> tuple[float, float, float]:
    """The ω, μ and loss of the best two heads (+ω, μ), (−ω, −μ) by the loss model."""
    omegas = np.linspace(1e-3, 2 / dimension**0.5, 4000)
    settings = {"dimension": dimension, "examples": examples, "noise": noise}

    def pair(omega: float) -> np.ndarray:
        return np.array([omega, -omega])

    losses = [heads_loss(pair(at), best_values(pair(at), **settings), **settings) for at in omegas]
    best = float(omegas[int(np.argmin(losses))])
    return best, float(best_values(pair(best), **settings)[0]), float(min(losses))

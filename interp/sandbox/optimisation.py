"""How a loss is shaped along a training: sharpness, robust condition number, directional smoothness, gradient noise."""

from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from scipy.stats import kurtosis
from torch import Tensor, nn
from torch.func import functional_call

from interp.core.errors import MemoryLimitError, ResultError
from interp.kinds import OptimisationCourse
from interp.sandbox.lessons import Lesson, Run
from interp.sandbox.reading import over_steps, result_of

Loss = Callable[[Tensor], Tensor]
"""The loss as a function of all weights, flat."""
_MOST_WEIGHTS = 4096  # of a Hessian: 128 MiB


def loss_of(model: nn.Module, loss: Callable[[nn.Module], Tensor]) -> tuple[Loss, Float[Tensor, "entry"]]:
    """The loss as a function of the model's flat weights, and these weights."""
    named = dict(model.named_parameters())
    shapes = {name: each.shape for name, each in named.items()}
    flat = torch.cat([each.detach().flatten() for each in named.values()])

    class _At(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = model

        def forward(self) -> Tensor:
            return loss(self.inner)

    def at(weights: Tensor) -> Tensor:
        parts = weights.split([shape.numel() for shape in shapes.values()])
        own = {f"inner.{name}": part.view(shape) for (name, shape), part in zip(shapes.items(), parts, strict=True)}
        return functional_call(_At(), own, ())

    return at, flat


def hessian(loss: Loss, weights: Float[Tensor, "entry"]) -> Float[Tensor, "entry other"]:
    """The matrix of second derivatives. Raises: MemoryLimitError beyond 4,096 weights."""
    if len(weights) > _MOST_WEIGHTS:
        raise MemoryLimitError(f"a Hessian of {len(weights):,} weights; the most is {_MOST_WEIGHTS:,}: use sharpness")
    matrix: Any = torch.autograd.functional.hessian(loss, weights)
    return matrix


def sharpness(loss: Loss, weights: Float[Tensor, "entry"], iterations: int = 100, seed: int = 0) -> float:
    """The eigenvalue of the Hessian that is largest in absolute value, by power iteration."""
    generator = torch.Generator().manual_seed(seed)
    vector, value = torch.randn(len(weights), generator=generator, dtype=weights.dtype), 0.0
    for _ in range(iterations):
        vector = vector / vector.norm()
        product = torch.func.jvp(torch.func.grad(loss), (weights,), (vector,))[1]
        value, vector = float(vector @ product), product
        if not vector.any():
            return 0.0
    return value


def robust_condition(matrix: Float[Tensor, "entry other"]) -> float:
    """Largest |eigenvalue| over the median |diagonal| of a Hessian; NaN where that median is 0.

    Source: Ahn et al. 2024 (2310.01082), section 3.2, after Jiang et al. 2022.
    """
    middle = float(matrix.diagonal().abs().median())
    return float(torch.linalg.eigvalsh(matrix).abs().max()) / middle if middle else float("nan")


def directional_smoothness(loss: Loss, weights: Float[Tensor, "entry"], other: Float[Tensor, "entry"]) -> float:
    """2 (L(w′) − L(w) − g·(w′ − w)) / |w′ − w|², in absolute value: the curvature on the way; NaN of no way.

    Source: Pan & Li 2023 (2306.00204), definition 1.
    """
    way = (other - weights).double()
    square = float(way.square().sum())
    if not square:
        return float("nan")
    gradient = torch.func.grad(loss)(weights).double()
    return abs(2 * (float(loss(other)) - float(loss(weights)) - float(gradient @ way)) / square)


def attention_entropy(patterns: Float[Tensor, "*cell key_pos"]) -> Float[Tensor, "*cell"]:
    """The entropy of each pattern in nats: log T if even, 0 if on one token.

    Source: Zhai et al. 2023 (2303.06296), section 3.
    """
    return torch.special.entr(patterns).sum(-1)


def optimisation_course(
    runs: Mapping[str, Run], lessons: Mapping[str, Lesson], *, batches: int = 100
) -> OptimisationCourse:
    """Loss, gradient and curvature along the runs of several optimisers (by name), on one fixed batch.

    Source: Ahn et al. 2024 (2310.01082), section 3.
    Raises: ResultError for runs whose checkpoints are of different steps.
    """
    if len({tuple(run.steps) for run in runs.values()}) != 1:
        raise ResultError("the runs have checkpoints at different steps; train them with the same number of steps")
    every: list[dict[str, np.ndarray]] = []
    for name, run in runs.items():
        steps, values = over_steps(
            run, lessons[name], lambda model, lesson=lessons[name]: _shape(model, lesson, batches)
        )
        every.append(values | {"directional_smoothness": _on_the_way(run, lessons[name], steps)})
    first = next(iter(runs.values()))
    return result_of(
        OptimisationCourse,
        "optimisation-course",
        {name: np.stack([values[name] for values in every]) for name in every[0]},
        measured=f"on one batch of {next(iter(lessons.values())).training.batch:,}; noise of {batches} batches",
        model=", ".join(run.path.name for run in runs.values()),
        method=list(runs),
        step=first.steps,
    )


def _fixed(lesson: Lesson) -> Callable[[nn.Module], Tensor]:
    return lambda model: lesson.loss(model, torch.Generator().manual_seed(2**32 - 1))


def _shape(model: nn.Module, lesson: Lesson, batches: int) -> dict[str, float]:
    loss, weights = loss_of(model, _fixed(lesson))
    gradient = torch.func.grad(loss)(weights)
    return {
        "loss": float(loss(weights)),
        "gradient_norm": float(gradient.norm()),
        "sharpness": sharpness(loss, weights),
        "robust_condition": robust_condition(hessian(loss, weights)),
        "noise_kurtosis": _noise(model, lesson, batches),
    }


def _noise(model: nn.Module, lesson: Lesson, batches: int) -> float:
    """The kurtosis of the norms of what single batches' gradients differ by from their mean."""
    gradients = []
    for seed in range(batches):
        loss, weights = loss_of(
            model, lambda each, seed=seed: lesson.loss(each, torch.Generator().manual_seed(2**40 + seed))
        )
        gradients.append(torch.func.grad(loss)(weights))
    stack = torch.stack(gradients).double()
    return float(kurtosis((stack - stack.mean(0)).norm(dim=-1).numpy(), fisher=False))


def _on_the_way(run: Run, lesson: Lesson, steps: list[int]) -> np.ndarray:
    """The directional smoothness from every checkpoint to the next."""
    flat = [loss_of(run.load(lesson, step), _fixed(lesson)) for step in steps]
    pairs = pairwise(flat)
    return np.array([*(directional_smoothness(loss, at, after) for (loss, at), (_, after) in pairs), np.nan])

"""What is measured of a model at a step of its training; nothing of it changes the model or a generator."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from interp.sandbox.task import Batch, Problem


@torch.no_grad()
def scores(problem: Problem, outputs: Tensor, batch: Batch) -> dict[str, Any]:
    """Mean loss and share of right answers, in all and of each class."""
    losses, right = problem.losses(outputs, batch), problem.right(outputs, batch)
    measured = {"loss": losses} | ({} if right is None else {"accuracy": right.to(losses)})
    values: dict[str, Any] = {name: float(batch.mean(each)) for name, each in measured.items()}
    for name, each in measured.items():
        values[f"class_{name}"] = {kind: float(batch.mean(each, within)) for kind, within in batch.classes.items()}
    return values


@torch.no_grad()
def test_scores(problem: Problem, model: nn.Module, batch: Batch) -> dict[str, Any]:
    """The same of a model, and the mean entropy of each head's patterns where it has any."""
    with _patterns(model) as patterns:
        values = scores(problem, problem.outputs(model, batch), batch)
    if patterns:
        values["attention_entropy"] = [entropy(each).tolist() for each in patterns]
    return values


def entropy(pattern: Float[Tensor, "row head query_pos key_pos"]) -> Float[Tensor, "head"]:
    """The mean entropy of a query's weights over keys, each row of weights scaled to a sum of 1. Unit: nats."""
    shares = pattern.abs() / pattern.abs().sum(-1, keepdim=True).clamp_min(torch.finfo(pattern.dtype).tiny)
    return torch.special.entr(shares).sum(-1).mean((0, 2))


@contextmanager
def _patterns(model: nn.Module) -> Iterator[list[Tensor]]:
    """The patterns of every module called `attn`, which returns what it writes and its pattern."""
    patterns: list[Tensor] = []
    modules = [module for name, module in model.named_modules() if name.rpartition(".")[2] == "attn"]
    hooks = [module.register_forward_hook(lambda _, __, output: patterns.append(output[1])) for module in modules]
    try:
        yield patterns
    finally:
        for hook in hooks:
            hook.remove()


def sharpness(problem: Problem, model: nn.Module, batch: Batch, iterations: int) -> float:
    """The eigenvalue of the loss's Hessian that is largest by size, by power iteration from a seeded vector.

    Source: Cohen et al. 2021 (edge of stability), appendix on measuring sharpness.
    """
    parameters = [each for each in model.parameters() if each.requires_grad]
    generator = torch.Generator().manual_seed(0)
    vector = [torch.randn(each.shape, generator=generator, dtype=each.dtype) for each in parameters]
    loss = batch.mean(problem.losses(problem.outputs(model, batch), batch))
    gradient = torch.autograd.grad(loss, parameters, create_graph=True, materialize_grads=True)
    value = 0.0
    for _ in range(iterations):
        length = _dot(vector, vector).sqrt()
        if not length:
            break
        vector = [each / length for each in vector]
        product = torch.autograd.grad(_dot(gradient, vector), parameters, retain_graph=True, materialize_grads=True)
        value = float(_dot(product, vector))
        vector = [each.detach() for each in product]
    return value


def _dot(left: Sequence[Tensor], right: Sequence[Tensor]) -> Tensor:
    return torch.stack([(a * b).sum() for a, b in zip(left, right, strict=True)]).sum()


def weights_of(model: nn.Module) -> dict[str, Tensor]:
    """The state of a model by name, tied weights once."""
    seen: set[int] = set()
    weights: dict[str, Tensor] = {}
    for name, each in model.state_dict().items():
        if each.data_ptr() not in seen:
            weights[name] = each.detach().clone().contiguous()
        seen.add(each.data_ptr())
    return weights

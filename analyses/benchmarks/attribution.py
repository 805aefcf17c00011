"""Attribution's rows: relevance and decompositions against the plain model and captum, on the default model."""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from captum.attr import InputXGradient, IntegratedGradients
from torch import Tensor

import interp
from analyses.benchmarks.timing import Row, ratio
from analyses.benchmarks.yardsticks import forward_and_backward, memory_ratio, plain_model
from interp.models import HookedModel

LONG = 2048  # tokens
LATENT = ("stream", "heads", "neurons", "pairs")


def rows(model: HookedModel) -> Iterator[Row]:
    """Every row of this file, as it is measured, against the plain Hugging Face model as it loads by itself."""
    plain = plain_model(model)
    prompts = _random_prompts(model, 128)
    yield from _gradients(model, plain, prompts)
    yield from _peers(model, plain, _random_prompts(model, 64))
    yield from _decompositions(model, plain, prompts)
    name = f"memory of AttnLRP above the loaded model, T = {LONG:,}, against forward + backward"
    yield memory_ratio(name, __name__, target=1.3)


def _random_prompts(model: HookedModel, width: int) -> interp.Prompts:
    tokens = torch.randint(100, 40000, (1, width), generator=torch.Generator().manual_seed(0))
    return interp.Prompts.of_tokens(model, tokens.tolist()).asking(model, " Mary", " John")


def _gradients(model: HookedModel, plain: Any, prompts: interp.Prompts) -> Iterator[Row]:
    yardstick = forward_and_backward(plain, prompts)
    yield ratio(
        "AttnLRP with all latent relevance, T = 128, against forward + backward",
        lambda: interp.attribution.attnlrp(model, prompts, latent=LATENT),
        yardstick,
        target=1.2,
    )
    yield ratio(
        "CP-LRP, T = 128, against forward + backward",
        lambda: interp.attribution.cp_lrp(model, prompts),
        yardstick,
        target=1.0,
    )


def _peers(model: HookedModel, plain: Any, prompts: interp.Prompts) -> Iterator[Row]:
    answer, contrast = _answers(prompts)
    embeddings = plain.get_input_embeddings()(prompts.tokens)

    def difference(values: Tensor) -> Tensor:
        logits = plain(inputs_embeds=values, use_cache=False).logits[:, -1]
        return logits[:, answer] - logits[:, contrast]

    yield ratio(
        "gradient-x-input, T = 64, against captum's InputXGradient",
        lambda: interp.attribution.gradient_x_input(model, prompts),
        lambda: InputXGradient(difference).attribute(embeddings.clone().requires_grad_()),
        target=1.2,
    )
    yield ratio(
        "integrated-gradients, 20 points, T = 64, against captum's",
        lambda: interp.attribution.integrated_gradients(model, prompts, steps=20),
        lambda: IntegratedGradients(difference).attribute(
            embeddings, n_steps=20, internal_batch_size=16, method="gausslegendre"
        ),
        target=1.2,
        repeats=3,
    )


def _decompositions(model: HookedModel, plain: Any, prompts: interp.Prompts) -> Iterator[Row]:
    yield ratio(
        "CD-T, one source set, T = 128, against a forward",
        lambda: interp.attribution.cdt_sources(model, prompts, sources=["a0.0+m0"]),
        lambda: plain(prompts.tokens, use_cache=False),
        target=4.0,
    )
    short = _random_prompts(model, 16)
    heads = [f"a{layer}.{head}" for layer in range(model.dims.layers) for head in range(model.dims.heads)]

    def one_by_one() -> None:
        for head in heads:
            interp.attribution.cdt_sources(model, short, sources=[head])

    yield ratio(
        "CD-T, 270 heads as sources, T = 16, against 270 separate runs",
        lambda: interp.attribution.cdt_sources(model, short, sources=heads),
        one_by_one,
        target=0.5,
        repeats=1,
    )


def _answers(prompts: interp.Prompts) -> tuple[int, int]:
    metric = prompts.metric
    assert metric is not None
    assert metric.contrasts is not None
    return metric.targets[0][0], metric.contrasts[0][0]


def memory_side(side: str) -> tuple[Callable[[], object], Callable[[], object]]:
    """AttnLRP, or forward + backward, on a short prompt and on a long one."""
    model = interp.load()
    short, long = (_random_prompts(model, width) for width in (8, LONG))
    if side == "plain":
        plain = plain_model(model)
        return forward_and_backward(plain, short), forward_and_backward(plain, long)
    return lambda: interp.attribution.attnlrp(model, short), lambda: interp.attribution.attnlrp(model, long)

"""Attribution's rows: relevance and decompositions against the plain model and captum, on the default model."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import torch
from captum.attr import InputXGradient, IntegratedGradients
from torch import Tensor
from transformers import AutoModelForCausalLM

import interp
from analyses.benchmarks.timing import Row, ratio
from interp.models import HookedModel
from interp.models.sources import resolve

LATENT = ("stream", "heads", "neurons", "pairs")


def rows(model: HookedModel) -> Iterator[Row]:
    """Every row of this file, as it is measured, against the plain Hugging Face model as it loads by itself."""
    plain = AutoModelForCausalLM.from_pretrained(resolve(model.name)).eval().requires_grad_(False)
    prompts = _random_prompts(model, 128)
    yield from _gradients(model, plain, prompts)
    yield from _peers(model, plain, _random_prompts(model, 64))
    yield from _decompositions(model, plain, prompts)
    yield _memory(model, 2048)


def _random_prompts(model: HookedModel, width: int) -> interp.Prompts:
    tokens = torch.randint(100, 40000, (1, width), generator=torch.Generator().manual_seed(0))
    return interp.Prompts.of_tokens(model, tokens.tolist()).asking(model, " Mary", " John")


def _gradients(model: HookedModel, plain: Any, prompts: interp.Prompts) -> Iterator[Row]:
    yardstick = _forward_and_backward(plain, prompts)
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


def _forward_and_backward(plain: Any, prompts: interp.Prompts) -> Callable[[], object]:
    """A plain Hugging Face forward + backward to the embeddings; the parameters are frozen."""
    answer, contrast = _answers(prompts)
    embeddings = plain.get_input_embeddings()(prompts.tokens)

    def work() -> Tensor:
        values = embeddings.clone().requires_grad_()
        logits = plain(inputs_embeds=values, use_cache=False).logits[0, -1]
        (gradient,) = torch.autograd.grad(logits[answer] - logits[contrast], values)
        return gradient

    return work


# Memory: each side in a process of its own, as what one has freed the other would find warm.

_SIDE = """
import sys, torch, interp
from analyses.benchmarks import attribution as bench
from transformers import AutoModelForCausalLM
from interp.models.sources import resolve
width = int(sys.argv[2])
model = interp.load()
short, prompts = (bench._random_prompts(model, size) for size in (8, width))
if sys.argv[1] == "plain":
    plain = AutoModelForCausalLM.from_pretrained(resolve(model.name)).eval().requires_grad_(False)
    runs = [bench._forward_and_backward(plain, each) for each in (short, prompts)]
else:
    runs = [lambda each=each: interp.attribution.attnlrp(model, each) for each in (short, prompts)]
runs[0]()
before = bench.peak_bytes()
runs[1]()
print(bench.peak_bytes() - before)
"""


def peak_bytes() -> int:
    """The most memory that this process has held so far."""
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _memory(model: HookedModel, width: int) -> Row:
    def side(name: str) -> int:
        command = [sys.executable, "-c", _SIDE, name, str(width)]
        return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[-1])

    found = side("attnlrp") / side("plain")
    return Row(
        f"memory of AttnLRP above the loaded model, T = {width}, against forward + backward",
        found,
        found,
        found,
        "×",
        1.3,
    )

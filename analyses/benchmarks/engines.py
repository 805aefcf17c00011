"""The library's rows: recording, patching and start-up, on the default model."""

import subprocess
import sys
from collections.abc import Iterator
from functools import partial

import torch

import interp
from analyses.benchmarks.timing import Row, ratio, seconds
from analyses.benchmarks.yardsticks import plain_model
from interp.models import HookedModel, Site
from interp.models.checkpoint import read_tokenizer
from interp.models.sources import resolve

CLEAN = "When Mary and John went to the store, John gave a drink to"
CORRUPTED = "When Mary and John went to the store, Mary gave a drink to"


def rows(model: HookedModel) -> Iterator[Row]:
    """Every row of this file, as it is measured, against the plain Hugging Face model as it loads by itself."""
    plain = plain_model(model)
    yield _recording(model, plain)
    yield ratio(
        "load and check the default model, against transformers' own loading",
        interp.load,
        lambda: (plain_model(model), read_tokenizer(resolve(model.name))),
        target=10,
        repeats=5,
    )
    yield _patching(model, plain)
    for name, command in (
        ("import interp, whole process", [sys.executable, "-c", "import interp"]),
        ("interp --help, whole process", [sys.executable, "-m", "interp.cli", "--help"]),
    ):
        yield seconds(name, partial(subprocess.run, command, check=True, capture_output=True), target=0.5)


def _recording(model: HookedModel, plain: torch.nn.Module) -> Row:
    tokens = torch.randint(100, 40000, (1, 128), generator=torch.Generator().manual_seed(0))
    prompts = interp.Prompts.of_tokens(model, tokens.tolist())
    sites = [Site(name, layer) for layer in range(model.dims.layers) for name in ("pattern", "z")]
    return ratio(
        "forward recording all patterns and z, T = 128, against the plain forward",
        lambda: model.run(prompts, record=sites),
        lambda: plain(tokens, use_cache=False),
        target=1.05,
    )


def _patching(model: HookedModel, plain: torch.nn.Module) -> Row:
    pairs = interp.PromptPairs.of(model, CLEAN, CORRUPTED, target=" Mary", contrast=" John")
    count = model.dims.layers * model.dims.heads

    def one_by_one() -> None:
        for _ in range(count):
            plain(pairs.clean.tokens, use_cache=False)

    return ratio(
        f"activation patching of {count} heads, one pair, against {count} forwards",
        lambda: interp.circuits.activation_patching(model, pairs),
        one_by_one,
        target=0.6,
        repeats=3,
    )

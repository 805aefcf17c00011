"""Scores of all edges: time and memory against the plain model's forward + backward, IOI on the default model."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor
from transformers import AutoModelForCausalLM

import interp
from analyses.benchmarks.timing import Row, ratio
from interp.circuits.writes import graph_of
from interp.core.prompts import PromptPairs
from interp.models import HookedModel
from interp.models.sources import resolve

PAIRS = 8


def rows(model: HookedModel) -> Iterator[Row]:
    """Every row of this file."""
    pairs = interp.tasks.ioi(model, n=PAIRS)
    yardstick = forward_and_backward(plain_model(model), pairs)
    edges = graph_of(model).edge_count
    yield ratio(
        f"EAP over all {edges:,} edges, IOI, {PAIRS} pairs, against forward + backward",
        lambda: interp.circuits.eap(model, pairs),
        yardstick,
        target=3.0,
        repeats=7,
    )
    yield ratio(
        f"EAP-IG (inputs), 5 steps, IOI, {PAIRS} pairs, against forward + backward",
        lambda: interp.circuits.eap_ig(model, pairs),
        yardstick,
        target=9.0,
        repeats=5,
    )
    yield _memory()


def plain_model(model: HookedModel) -> Any:
    """The Hugging Face model as it loads by itself, its parameters frozen."""
    return AutoModelForCausalLM.from_pretrained(resolve(model.name)).eval().requires_grad_(False)


def forward_and_backward(plain: Any, pairs: PromptPairs) -> Callable[[], Tensor]:
    """The metric's gradient at the embeddings of the clean prompts."""
    metric = pairs.metric
    assert metric is not None
    embeddings = plain.get_input_embeddings()(pairs.clean.tokens)

    def work() -> Tensor:
        values = embeddings.clone().requires_grad_()
        logits = plain(inputs_embeds=values, use_cache=False).logits
        (gradient,) = torch.autograd.grad(metric(logits).sum(), values)
        return gradient

    return work


# Memory: each side in a process of its own, as what one has freed the other would find warm.

_SIDE = """
import sys, interp
from pathlib import Path
from analyses.benchmarks import edge_scores as bench
from analyses.benchmarks.attribution import peak_bytes
model = interp.load()
pairs = interp.tasks.ioi(model, n=bench.PAIRS)
if sys.argv[1] == "plain":
    plain = bench.plain_model(model)
    runs = [bench.forward_and_backward(plain, each) for each in (pairs[[0]], pairs)]
else:
    runs = [lambda each=each: interp.circuits.eap(model, each) for each in (pairs[[0]], pairs)]
runs[0]()
Path("/proc/self/clear_refs").write_text("5")  # the peak so far was that of loading
before = peak_bytes()
runs[1]()
print(peak_bytes() - before)
"""


def _memory() -> Row:
    def side(name: str) -> int:
        command = [sys.executable, "-c", _SIDE, name]
        return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[-1])

    found = side("eap") / side("plain")
    return Row(
        f"memory of EAP above the loaded model, IOI, {PAIRS} pairs, against forward + backward",
        found,
        found,
        found,
        "×",
        1.5,
    )

"""What the rows are measured against: the plain Hugging Face model, its forward + backward, and its memory."""

import ctypes
import gc
import os
import statistics
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from analyses.benchmarks.timing import Row
from interp.core.prompts import PromptPairs, Prompts
from interp.models import HookedModel
from interp.models.checkpoint import read_model
from interp.models.sources import resolve

_TIMES = 3  # of a comparison of memory
# glibc keeps the holes that freed blocks leave, another amount in every run. Blocks of this size or more come from the
# system and go back to it, so that a process' peak is what was asked for at once, for both sides.
_NO_HOLES = {"MALLOC_MMAP_THRESHOLD_": str(2**17)}


def plain_model(model: HookedModel) -> Any:
    """The Hugging Face model as it loads by itself, its parameters frozen."""
    return read_model(resolve(model.name), dtype=model.dtype).eval().requires_grad_(False)


def forward_and_backward(plain: Any, prompts: Prompts | PromptPairs) -> Callable[[], Tensor]:
    """The metric's gradient at the embeddings of the clean prompts."""
    metric = prompts.metric
    assert metric is not None
    embeddings = plain.get_input_embeddings()(prompts.clean.tokens)

    def work() -> Tensor:
        values = embeddings.clone().requires_grad_()
        logits = plain(inputs_embeds=values, use_cache=False).logits
        (gradient,) = torch.autograd.grad(metric(logits).sum(), values)
        return gradient

    return work


def memory_ratio(name: str, module: str, *, target: float) -> Row:
    """The memory of one side of a comparison over that of the other.

    `module` has `memory_side(side)`, which returns a small and the measured piece of work of `ours` or `plain`. Each
    side runs in a process of its own, as what one has freed the other would find warm.
    """
    ratios = [memory_use(module, "ours") / memory_use(module, "plain") for _ in range(_TIMES)]
    return Row(name, statistics.median(ratios), min(ratios), max(ratios), "×", target)


def single_ratio(name: str, value: float, *, target: float) -> Row:
    """The row of a ratio that was measured once."""
    return Row(name, value, value, value, "×", target)


def memory_use(module: str, side: str) -> int:
    """Peak bytes of one side of `module`'s comparison, in a process of its own."""
    command = [sys.executable, "-m", "analyses.benchmarks.yardsticks", module, side]
    process = subprocess.run(command, check=True, capture_output=True, text=True, env=os.environ | _NO_HOLES)
    return int(process.stdout.split()[-1])


def _measure(module: str, side: str) -> int:
    """Peak bytes of the work above what was allocated before it."""
    small, work = import_module(module).memory_side(side)
    small()
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)  # what loading has freed would be taken again unseen
    Path("/proc/self/clear_refs").write_text("5")  # the peak so far was that of loading
    before = _peak_memory()
    work()
    return _peak_memory() - before


def _peak_memory() -> int:
    status = Path("/proc/self/status").read_text()
    return 1024 * int(status.partition("VmHWM:")[2].split()[0])


if __name__ == "__main__":
    sys.stdout.write(f"{_measure(*sys.argv[1:])}\n")

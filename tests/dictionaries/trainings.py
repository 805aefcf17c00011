"""Small trainings on random text, how to stop one, and how to compare what they end with."""

import torch
from safetensors.torch import load_file

from interp.core.errors import Cancelled
from interp.core.options import parse_options
from interp.corpus import Windows
from interp.dictionaries import TrainingOptions
from interp.models import Site

Z = Site("z", 1)
SMALL = {"tokens": 1000, "features": 24, "k": 3, "batch": 64, "block": 4, "held": 2, "checkpoint": 128, "lr": 1e-3}


def options(**given) -> TrainingOptions:
    return parse_options("train", TrainingOptions, SMALL | given)


def windows_of(model, *, rows=24, width=17) -> Windows:
    """Random tokens."""
    tokens = torch.randint(5, model.vocabulary_size, (rows, width), generator=torch.Generator().manual_seed(2))
    return Windows.of_rows(model, tokens, corpus="random", documents=[""] * rows, topics=[""] * rows)


def weights_of(folder):
    return load_file(folder / "sae_weights.safetensors")


def same(left, right):
    """Whether two folders hold the same dictionary, to the last bit."""
    one, other = weights_of(left), weights_of(right)
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def stopping(at):
    """A reporter that cancels after `at` reports."""
    left = at

    def report(label, done, total):
        nonlocal left
        left -= 1
        if left < 0:
            raise Cancelled("cancelled")

    return report

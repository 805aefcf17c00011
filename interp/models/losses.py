"""The loss of the next token, window by window."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from interp.core.prompts import Prompts
from interp.models.edits import Edit
from interp.models.hooked import HookedModel


def predicts_next(model: HookedModel) -> bool:
    """Whether its logits at a position are for the token after it."""
    return model.is_causal and not model.is_classifier


def summed_losses(model: HookedModel, windows: Prompts, edits: Sequence[Edit] = ()) -> np.ndarray:
    """Each window's summed cross entropy of its next tokens, in nats; NaN of a model that predicts none."""
    if not predicts_next(model):
        return np.full(len(windows), np.nan)
    with torch.no_grad():
        logits = model.run(windows, edits=edits).logits[:, :-1]
    return _surprise(logits, windows)


def next_tokens(windows: Prompts) -> np.ndarray:
    """How many next tokens each window has."""
    return (windows.mask[:, 1:]).sum(1).double().numpy()


def _surprise(logits: Tensor, windows: Prompts) -> np.ndarray:
    wanted = windows.tokens[:, 1:].to(logits.device)
    losses = [
        torch.nn.functional.cross_entropy(row.double(), tokens, reduction="none")
        for row, tokens in zip(logits, wanted, strict=True)  # a window at a time: float64 logits are large
    ]
    mask = windows.mask[:, 1:].to(logits.device)
    return (torch.stack(losses) * mask).sum(1).cpu().numpy()

"""Next-token loss of windows."""

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from interp.core.prompts import Prompts
from interp.models.hooked import HookedModel


def loss_obstacle(model: HookedModel) -> str | None:
    """Why a model has no next-token loss; None if it has."""
    if model.is_classifier or not model.is_causal:
        return "it predicts no next token, so it has no loss on text"
    return None


def predicting(windows: Prompts, skip: int) -> Bool[Tensor, "window pos"]:
    """Positions that predict a token of their window, without the first `skip` positions and the last one."""
    predicts = windows.mask[:, :-1] & windows.mask[:, 1:]
    predicts[:, :skip] = False
    return predicts


def predictions(windows: Prompts, skip: int) -> Float[np.ndarray, "window"]:
    """How many tokens of each window are predicted."""
    return predicting(windows, skip).sum(1).double().numpy()


def log_likelihoods(logits: Float[Tensor, "window pos vocab"], windows: Prompts) -> Float[Tensor, "window pos"]:
    """log p(next token) at every position but the last, in float32 at least; one window at a time, to need less."""
    nexts, wide = windows.tokens[:, 1:].to(logits.device), torch.promote_types(logits.dtype, torch.float32)
    rows = [
        row[:-1].log_softmax(-1, dtype=wide).gather(-1, following[:, None])[:, 0]
        for row, following in zip(logits, nexts, strict=True)
    ]
    return torch.stack(rows)


def loss_sums(logits: Float[Tensor, "window pos vocab"], windows: Prompts, skip: int) -> Float[np.ndarray, "window"]:
    """Σ −log p(next token) of each window over the positions that count, in nats."""
    surprise = -log_likelihoods(logits, windows).double().cpu()
    return torch.where(predicting(windows, skip), surprise, 0).sum(1).numpy()

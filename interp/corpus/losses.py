"""Next-token losses of windows, as the model is and under edits."""

from collections.abc import Iterable

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from interp.core.prompts import Prompts
from interp.models.edits import Edit
from interp.models.hooked import HookedModel

Start = tuple[int, Float[Tensor, "batch pos d_model"]]


def loss_obstacle(model: HookedModel) -> str | None:
    """Why a model has no loss on text; None if it predicts the next token."""
    if model.is_classifier or not model.is_causal or model.program:
        return "it predicts no next token, so it has no loss on text"
    return None


def predicts_next(model: HookedModel) -> bool:
    """Whether its logits are for the next token: not a masked model's, a classifier's or a compiled program's."""
    return loss_obstacle(model) is None


def predicting(windows: Prompts, skip: int = 0) -> Bool[Tensor, "window pos"]:
    """Positions that predict a token of their window, without the first `skip` positions and the last one."""
    predicts = windows.mask[:, :-1] & windows.mask[:, 1:]
    predicts[:, :skip] = False
    return predicts


def predictions(windows: Prompts, skip: int = 0) -> Float[np.ndarray, "window"]:
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


def loss_sums(
    logits: Float[Tensor, "window pos vocab"], windows: Prompts, skip: int = 0
) -> Float[np.ndarray, "window"]:
    """Σ −log p(next token) of each window over the positions that count, in nats."""
    surprise = -log_likelihoods(logits, windows).double().cpu()
    return torch.where(predicting(windows, skip), surprise, 0).sum(1).numpy()


def losses_of(logits: Float[Tensor, "window pos vocab"], windows: Prompts) -> Float[np.ndarray, "window"]:
    """Mean cross entropy of the next token in each window, in nats; NaN of a window that predicts nothing."""
    with np.errstate(invalid="ignore"):
        return loss_sums(logits, windows) / predictions(windows)


def window_losses(
    model: HookedModel, windows: Prompts, edits: Iterable[Edit] = (), *, start: Start | None = None
) -> Float[np.ndarray, "window"]:
    """The same of a run under edits, or onward from a stream; NaN of a model that predicts no next token."""
    if not predicts_next(model):
        return np.full(len(windows), np.nan)
    return losses_of(model.run(windows, edits=edits, start=start).logits, windows)

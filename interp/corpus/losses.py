"""Next-token losses of windows, as the model is and under edits."""

from collections.abc import Iterable

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import cross_entropy

from interp.core.prompts import Prompts
from interp.models.edits import Edit
from interp.models.hooked import HookedModel

Start = tuple[int, Float[Tensor, "batch pos d_model"]]


def predicts_next(model: HookedModel) -> bool:
    """Whether its logits are for the next token: not a masked model's, a classifier's or a compiled program's."""
    return model.is_causal and not model.is_classifier and not model.program


def window_losses(
    model: HookedModel, windows: Prompts, edits: Iterable[Edit] = (), *, start: Start | None = None
) -> Float[np.ndarray, "window"]:
    """Mean cross entropy of the next token in each window, in nats; NaN without one, or of another kind of model."""
    if not predicts_next(model):
        return np.full(len(windows), np.nan)
    return losses_of(model.run(windows, edits=edits, start=start).logits, windows)


def losses_of(logits: Float[Tensor, "window pos vocab"], windows: Prompts) -> Float[np.ndarray, "window"]:
    """The same from logits; a window at a time, since a softmax is as large as the logits."""
    losses = np.full(len(windows), np.nan)
    for row, there in enumerate(has_next(windows)):
        if there.any():
            here = logits[row, : len(there)][there.to(logits.device)]
            following = windows.tokens[row, 1:][there].to(logits.device)
            losses[row] = cross_entropy(here.to(torch.promote_types(here.dtype, torch.float32)), following).item()
    return losses


def has_next(windows: Prompts) -> Bool[Tensor, "window pos"]:
    """Where a next token stands, which the last position never has."""
    return windows.mask[:, :-1] & windows.mask[:, 1:]

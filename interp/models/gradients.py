"""Watching and changing gradients on their way back."""

from collections.abc import Callable
from functools import partial

from torch import Tensor

Account = Callable[[Tensor, Tensor], Tensor | None]


def on_gradient(x: Tensor, function: Account) -> Tensor:
    """The same value, with `function` called on it and its gradient; what it returns takes the gradient's place.

    A tensor of its own: of several functions at one site, the last one put there sees the gradient first, and what
    reads x beside them has none of theirs. Without a graph there is nothing to call. The function is given a detached
    value: a hook that held the tensor itself would never be freed.
    """
    if not x.requires_grad:
        return x
    own = x.view_as(x)
    own.register_hook(partial(function, x.detach()))
    return own

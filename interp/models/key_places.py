"""Places that a query may look at, by position and token alone: what head scores and predicates are made of."""

import torch
from jaxtyping import Bool
from torch import Tensor

from interp.core.prompts import Prompts

Cells = Bool[Tensor, "batch query_pos key_pos"]


def real_pairs(prompts: Prompts) -> Cells:
    """Pairs of positions that are no padding."""
    return prompts.mask[:, :, None] & prompts.mask[:, None, :]


def at_offset(prompts: Prompts, offset: int) -> Cells:
    """The key so many positions after the query; before it where negative."""
    query, key = torch.arange(prompts.width)[:, None], torch.arange(prompts.width)
    return real_pairs(prompts) & (key == query + offset)


def same_token(prompts: Prompts) -> Cells:
    """Other positions with the query's own token, before it or behind."""
    same = prompts.tokens[:, :, None] == prompts.tokens[:, None, :]
    return real_pairs(prompts) & same & ~torch.eye(prompts.width, dtype=torch.bool)


def earlier_copies(prompts: Prompts) -> Cells:
    """Earlier positions with the query's own token."""
    return same_token(prompts).tril(-1)


def after_earlier_copies(prompts: Prompts) -> Cells:
    """The positions that follow earlier copies of the query's token: what induction looks at."""
    earlier = earlier_copies(prompts)
    after = torch.zeros_like(earlier)
    after[:, :, 1:] = earlier[:, :, :-1]
    return after

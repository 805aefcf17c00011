"""Attention to some of its keys only, and random choices of keys that depend on nothing but their prompt."""

import hashlib

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from interp.core.prompts import Prompts


def renormalised(
    pattern: Float[Tensor, "batch head query_pos key_pos"], keep: Bool[Tensor, "batch #head query_pos key_pos"]
) -> Float[Tensor, "batch head query_pos key_pos"]:
    """The pattern with the keys that are kept alone, its rows summing to 1; a query left with nothing sees itself."""
    kept = torch.where(keep, pattern, 0)
    total, own = kept.sum(-1, keepdim=True), torch.eye(pattern.shape[-1], dtype=pattern.dtype, device=pattern.device)
    return torch.where(total > 0, kept / total, own)


def generator_of(prompt: Prompts, *numbers: int) -> torch.Generator:
    """A generator whose numbers depend on one prompt's tokens and some numbers alone, whatever else is run with it."""
    text = f"{prompt.tokens[0][prompt.mask[0]].tolist()} {numbers}"
    digest = hashlib.blake2b(text.encode(), digest_size=8).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest, "big") >> 1)

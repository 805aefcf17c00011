"""Removing tokens from a prompt without moving the others: which may go, and three ways to do it."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from interp.core.errors import OptionError, SiteError
from interp.core.metric import Metric
from interp.core.prompts import Prompts
from interp.models.edits import Edit
from interp.models.hooked import HookedModel
from interp.models.sites import Site

Removal = Literal["mean-embedding", "token", "attention"]
Remove = Callable[[Prompts, Bool[Tensor, "batch pos"]], tuple[Prompts, list[Edit]]]
WORDS = {
    "mean-embedding": "replaced by the vocabulary's mean embedding",
    "token": "replaced by another token",
    "attention": "masked from the attention of all other tokens",
}
_CHUNK = 8192  # rows of the embedding averaged at once, so that a large vocabulary needs little memory


def removable(model: HookedModel, prompts: Prompts, metric: Metric) -> Bool[Tensor, "batch pos"]:
    """The tokens that an evaluation may remove: all but the place where the answer is read and special tokens.

    Without the answer's place there is no question left, and beginnings, separators and masks are the model's
    punctuation, not the prompt's content. Their relevance is not ranked.
    """
    tokenizer = model.tokenizer
    special = set(tokenizer.all_special_ids)
    if tokenizer.unk_token_id not in (tokenizer.bos_token_id, tokenizer.eos_token_id):
        special.discard(tokenizer.unk_token_id)  # a word that the vocabulary lacks is content
    fixed = torch.isin(prompts.tokens, torch.tensor(sorted(special), dtype=torch.long))
    if metric.positions is not None:
        fixed[torch.arange(len(prompts)), torch.tensor(metric.positions)] = True
    return prompts.mask & ~fixed


def removal_of(model: HookedModel, how: Removal, replacement: str = "") -> Remove:
    """A function from prompts and the tokens to remove to the prompts and edits of a run without them.

    "mean-embedding" puts the mean of all token embeddings at site `embed`. "token" puts the token `replacement` there,
    by default the model's mask token. "attention" lets no query but the removed token itself attend to it: through
    site `scores`, or in an encoder through its own attention mask; the removed token still has its position.

    Raises: OptionError for a replacement that is missing or not one token; SiteError for a model without the site.
    """
    if replacement and how != "token":
        raise OptionError(f"replacement = {replacement!r} applies to removal = 'token', not {how!r}; leave one out")
    if how == "token":
        return partial(_put_token, _replacement_id(model, replacement))
    if how == "mean-embedding":
        _require(model, Site("embed"), "token")
        return partial(_put_embedding, mean_embedding(model))
    if not model.is_causal:
        return _mask_from_attention
    _require(model, Site("scores", 0), "mean-embedding")
    return partial(_block_attention, model.sites("scores"))


def mean_embedding(model: HookedModel) -> Float[Tensor, "d_model"]:
    """The mean of the embeddings of every token of the vocabulary, as site `embed` holds them."""
    tokens = torch.arange(model.dims.vocab, device=model.device)
    total = sum(model.weights.embedding(chunk).double().sum(0) for chunk in tokens.split(_CHUNK))
    assert isinstance(total, Tensor)
    return (total / model.dims.vocab).to(model.dtype)


def _put_token(token: int, prompts: Prompts, where: Bool[Tensor, "batch pos"]) -> tuple[Prompts, list[Edit]]:
    return replace(prompts, tokens=prompts.tokens.masked_fill(where, token)), []


def _put_embedding(mean: Tensor, prompts: Prompts, where: Bool[Tensor, "batch pos"]) -> tuple[Prompts, list[Edit]]:
    places = where.to(mean.device)[..., None]
    return prompts, [Edit.through(Site("embed"), lambda embedding: torch.where(places, mean, embedding))]


def _mask_from_attention(prompts: Prompts, where: Bool[Tensor, "batch pos"]) -> tuple[Prompts, list[Edit]]:
    return replace(prompts, mask=prompts.mask & ~where), []


def _block_attention(
    sites: list[Site], prompts: Prompts, where: Bool[Tensor, "batch pos"]
) -> tuple[Prompts, list[Edit]]:
    itself = torch.eye(where.shape[1], dtype=torch.bool)
    mask = (where[:, None, :] & ~itself)[:, None]  # batch 1 query_pos key_pos

    def block(scores: Tensor) -> Tensor:
        # Not −inf: what a causal mask leaves of a removed token's own row must not be empty.
        return scores.masked_fill(mask.to(scores.device), torch.finfo(scores.dtype).min)

    return prompts, [Edit.through(site, block) for site in sites]


def _replacement_id(model: HookedModel, replacement: str) -> int:
    if replacement:
        if replacement in model.tokenizer.all_special_tokens:
            return model.tokenizer.convert_tokens_to_ids(replacement)
        if len(model.encode_continuation(replacement)) != 1:
            raise OptionError(f"replacement = {replacement!r} is not a single token of {model.name}; give one token")
        return model.encode_continuation(replacement)[0]
    if model.tokenizer.mask_token_id is None:
        end = model.tokenizer.eos_token
        raise OptionError(
            f"{model.name} has no mask token; give the replacement{f', such as {end!r}' if end else ''}, "
            "or remove by 'mean-embedding'"
        )
    return model.tokenizer.mask_token_id


def _require(model: HookedModel, site: Site, other: Removal) -> None:
    obstacle = model.edit_obstacle(site)
    if obstacle is not None:
        raise SiteError(f"{obstacle}, so tokens cannot be removed there; use removal = {other!r}")

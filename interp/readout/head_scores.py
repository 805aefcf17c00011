"""Head scores: attention of each head to the previous token, earlier copies, tokens after them, and the first token."""

from itertools import takewhile

import numpy as np
import torch
from jaxtyping import Bool, Float
from pydantic import Field
from pydantic.dataclasses import dataclass
from torch import Tensor

from interp.core.engine import engine
from interp.core.errors import OptionError
from interp.core.options import Count, Seed
from interp.core.prompts import Prompts
from interp.kinds import HeadScores
from interp.models.hooked import HookedModel
from interp.models.key_places import after_earlier_copies, at_offset, earlier_copies, real_pairs
from interp.models.sites import Site


@dataclass(frozen=True)
class HeadScoresOptions:
    """The random sequences scored when no prompt is given: how many, how many tokens each repeats once, the seed."""

    n: int = Field(8, ge=1, le=1000, description="number of random sequences scored if no prompt is given")
    length: Count = Field(32, description="tokens per sequence before it repeats")
    seed: Seed = Field(0, description="seed of the random sequences")


def repeated_random_tokens(model: HookedModel, options: HeadScoresOptions) -> Prompts:
    """Sequences of different random tokens, each said twice, inside the special tokens that the model expects.

    Raises: OptionError if the vocabulary is too small for the length.
    """
    special = set(model.tokenizer.all_special_ids) | set(model.tokenizer.get_added_vocab().values())
    ordinary = [token for token in range(min(model.dims.vocab, len(model.tokenizer))) if token not in special]
    if options.length > len(ordinary):
        raise OptionError(
            f"head-scores, length = {options.length}: {model.name} has only {len(ordinary)} ordinary tokens"
        )
    frame = model.encode("a")
    before = list(takewhile(special.__contains__, frame))
    after = list(takewhile(special.__contains__, reversed(frame)))[::-1]
    random = np.random.default_rng(options.seed)
    rows = [random.choice(ordinary, options.length, replace=False).tolist() for _ in range(options.n)]
    return Prompts.of_tokens(model, [[*before, *row, *row, *after] for row in rows])


@engine(obstacle=lambda model: model.site_obstacle(Site("pattern", 0)), default_prompts=repeated_random_tokens)
def head_scores(model: HookedModel, prompts: Prompts, options: HeadScoresOptions) -> HeadScores:
    """Previous-token, duplicate-token, induction and first-token score of every head.

    Mean attention of every head to four standard places, prompt by prompt: `batch layer head` each.

    `previous_token`: to the position before, over all queries but the first. `first_token`: to position 0, over the
    same queries. `duplicate_token`: to the earlier occurrences of the query's own token, summed; `induction`: to the
    tokens that followed those occurrences, summed; both over the queries whose token occurred before, NaN if none.
    Unit: probability.
    Source: Olsson et al. 2022, "In-context Learning and Induction Heads", definitions; target positions as in
    TransformerLens' head detector.
    Differs: the head detector divides by the attention of all queries, repeated or not, and so depends on how much
    of the prompt repeats; here only queries that have such a place count.
    """
    sites = model.sites("pattern")
    with torch.no_grad():
        trace = model.record(prompts, sites)  # refuses what would not fit, before the places are laid out
    places = _places(prompts)
    scores = {
        name: torch.stack([_mean_attention(trace[site], place.to(model.device)) for site in sites], dim=1)
        for name, place in places.items()
    }
    return HeadScores.of(
        prompts,
        scores,
        measured="mean attention of each head to the named position",
    )


def _places(prompts: Prompts) -> dict[str, Bool[Tensor, "batch query_pos key_pos"]]:
    """For each score the keys that count, for each query; padding never does."""
    query, key = torch.arange(prompts.width)[:, None], torch.arange(prompts.width)
    return {
        "previous_token": at_offset(prompts, -1),
        "duplicate_token": earlier_copies(prompts),
        "induction": after_earlier_copies(prompts),
        "first_token": real_pairs(prompts) & (key == 0) & (query > 0),
    }


def _mean_attention(
    pattern: Float[Tensor, "batch head query_pos key_pos"], place: Bool[Tensor, "batch query_pos key_pos"]
) -> Float[Tensor, "batch head"]:
    """Attention to `place`, summed over keys, mean over the queries that have one; NaN where none has (0 / 0)."""
    attention = torch.einsum("bhqk,bqk->bh", pattern, place.to(pattern))
    return attention / place.any(-1).sum(-1).to(pattern)[:, None]

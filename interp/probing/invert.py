"""Inversion: the prompt, read back from the states of one layer."""

from collections.abc import Iterator
from typing import Literal, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from pydantic import Field
from pydantic.dataclasses import dataclass
from torch import Tensor

from interp.core.engine import engine
from interp.core.errors import OptionError
from interp.core.options import Count, Index, Rate, Repeats, Seed
from interp.core.progress import track
from interp.core.prompts import Prompts
from interp.corpus.batches import TOKENS
from interp.kinds import Inversion
from interp.models.hooked import HookedModel
from interp.models.sites import Site
from interp.probing.inversion import Descent, distances, obstacle, of_rows, vocabulary

ROUND = 5  # steps of the descent between two looks at the tokens that it is near to


@dataclass(frozen=True)
class InvertOptions:
    """Whose states, in which order candidates are tried, and how near a state has to be."""

    layer: Index | None = Field(
        None, description="the stream into this layer; the number of layers is the last one's output; by default half"
    )
    tried: Literal["gradient", "random", "all"] = Field(
        "gradient",
        description="which tokens are tried first: those nearest to an embedding found by gradient descent, or any; "
        "all: the whole vocabulary for every token, for the full margin",
    )
    steps: Repeats = Field(20, description="steps of the gradient descent")
    rate: Rate = Field(0.5, description="its learning rate, in root mean squares of the embeddings")
    together: Count = Field(32, description="candidates that are tried after every five steps")
    tolerance: float = Field(
        1e-4,
        gt=0,
        le=1,
        description="distance, as a share of the state's norm, at which a token counts as the right one",
    )
    noise: float = Field(
        0.0, ge=0, le=1e3, allow_inf_nan=False, description="norm of noise added to every state, as a share of its norm"
    )
    seed: Seed = Field(0, description="seed of the noise and of the random order")


class Match(NamedTuple):
    """The nearest token, its distance, how much farther the next nearest of those tried is, and how many were.

    It is clear where the margin is at least the tolerance.
    """

    token: int
    distance: float
    margin: float
    tried: int
    is_clear: bool


@engine(obstacle=obstacle)
def invert(model: HookedModel, prompts: Prompts, options: InvertOptions) -> Inversion:
    """The prompt, token by token, from nothing but the states of one layer.

    Behind the tokens recovered so far every candidate is run, until the state of one is within the tolerance of the
    given one: that is the token. Where none is, all have been run and the nearest is taken. A margin (distance of the
    next nearest candidate tried less that of the nearest) below the tolerance ends the inversion of that prompt: `batch
    pos` each, NaN from there on. Where noise is below half the margin among all tokens, the recovered token is right.
    Unit: norm of the stream for distances.
    Raises: OptionError for a layer that the model does not have.
    Source: Nikolaou et al. 2025, "Language Models are Injective and Hence Invertible" (SipIt), algorithm 1.
    Differs: the tolerance is a share of the state's norm; among several candidates within it the nearest is taken. The
    descent weighs dimensions by the state's own sizes, and the vocabulary is ranked by cosine around its mean: by plain
    distances a few massive dimensions and the embeddings' norms would decide.
    """
    layers = model.dims.layers
    layer = layers // 2 if options.layer is None else options.layer
    if layer > layers:
        raise OptionError(
            f"invert, layer = {layer}: {model.name} has streams into layers 0 to {layers - 1}, and {layers}"
        )
    site, embeddings = model.stream_sites()[layer], vocabulary(model)
    names = ("distance", "margin", "tried", "correct")
    values = {name: np.full((len(prompts), prompts.width), np.nan) for name in names}
    tokens = np.full((len(prompts), prompts.width), "", dtype=object)
    for row in track(range(len(prompts)), len(prompts), "inverting each prompt"):
        truth = prompts.tokens[row, prompts.mask[row]]
        with torch.no_grad():
            states = model.record(of_rows(truth[None]), [site])[site][0]
        matches = inverted(model, site, _noisy(states, options), embeddings, options)
        for pos, match in enumerate(matches):
            values["distance"][row, pos], values["margin"][row, pos] = match.distance, match.margin
            values["tried"][row, pos], values["correct"][row, pos] = match.tried, match.token == int(truth[pos])
        said = model.token_labels([match.token for match in matches])
        tokens[row, : len(said)] = said
    where = f"into layer {layer}" if layer < layers else "out of the last layer"
    return Inversion.of(
        prompts,
        {"recovered_token": tokens, **values},
        measured=f"tokens recovered from the stream {where} of {model.name}" + _with_noise(options),
        facts={"layer": str(layer), "tolerance": f"{options.tolerance:g}"},
    )


def _with_noise(options: InvertOptions) -> str:
    return f", with noise of {options.noise:g} of the states' norm" if options.noise else ""


def _noisy(states: Float[Tensor, "pos d_model"], options: InvertOptions) -> Float[Tensor, "pos d_model"]:
    if not options.noise:
        return states
    noise = torch.randn(states.shape, generator=torch.Generator().manual_seed(options.seed), dtype=torch.float64)
    noise = options.noise * noise / noise.norm(dim=-1, keepdim=True)
    return states + noise.to(states) * states.norm(dim=-1, keepdim=True)


def inverted(
    model: HookedModel,
    site: Site,
    states: Float[Tensor, "pos d_model"],
    embeddings: Float[Tensor, "vocab d_model"],
    options: InvertOptions,
) -> list[Match]:
    """The tokens of one prompt from its states, as far as the margins allow."""
    prefix, matches = torch.zeros(0, dtype=torch.long), []
    for state in states:
        match = _match(model, site, prefix, state, embeddings, options)
        if not match.is_clear:
            break
        matches.append(match)
        prefix = torch.cat([prefix, torch.tensor([match.token])])
    return matches


def _candidates(
    model: HookedModel,
    site: Site,
    prefix: Int[Tensor, "pos"],
    state: Float[Tensor, "d_model"],
    embeddings: Float[Tensor, "vocab d_model"],
    options: InvertOptions,
) -> Iterator[Int[Tensor, "candidate"]]:
    """The vocabulary in the order in which it is tried: every few steps what the descent is nearest to; the rest."""
    order = torch.randperm(len(embeddings), generator=torch.Generator().manual_seed(options.seed))
    fresh = torch.ones(len(embeddings), dtype=torch.bool)
    if options.tried == "gradient":
        behind = of_rows(torch.cat([prefix, torch.zeros(1, dtype=torch.long)])[None])
        descent = Descent(model, site, behind, [len(prefix)], state[None], embeddings, options.rate)
        for done in range(1, options.steps + 1):
            descent.step()
            if done % ROUND == 0 or done == options.steps:
                order = descent.nearest_first()
                some = order[fresh[order]][: options.together]
                fresh[some] = False
                yield some
    yield from order[fresh[order]].split(max(1, TOKENS // (len(prefix) + 1)))


def _match(
    model: HookedModel,
    site: Site,
    prefix: Int[Tensor, "pos"],
    state: Float[Tensor, "d_model"],
    embeddings: Float[Tensor, "vocab d_model"],
    options: InvertOptions,
) -> Match:
    """The nearest of the candidates, tried in order until one is near enough."""
    least = options.tolerance * float(state.double().norm())
    tried, apart = torch.zeros(0, dtype=torch.long), torch.zeros(0, dtype=torch.float64)
    for some in _candidates(model, site, prefix, state, embeddings, options):
        tried, apart = torch.cat([tried, some]), torch.cat([apart, distances(model, site, prefix, some, state)])
        if options.tried != "all" and len(apart) > 1 and float(apart.min()) <= least:
            break
    two = apart.topk(min(2, len(apart)), largest=False)
    margin = float(two.values[-1] - two.values[0])
    return Match(int(tried[two.indices[0]]), float(two.values[0]), margin, len(apart), margin >= least)

"""Inversion: the prompt, read back from the states of one layer."""

from typing import Literal, NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from pydantic import Field
from pydantic.dataclasses import dataclass
from torch import Tensor

from interp.core.engine import engine
from interp.core.errors import OptionError
from interp.core.options import Count, Index, Rate, Repeats, Seed
from interp.core.progress import track
from interp.core.prompts import Prompts
from interp.kinds import Inversion
from interp.models.hooked import HookedModel
from interp.models.prefix import Prefix, unlabelled
from interp.models.sites import Site
from interp.probing.candidates import Search, distances
from interp.probing.inversion import Vocabulary, obstacle


@dataclass(frozen=True)
class InvertOptions:
    """Whose states, in which order candidates are tried, and how near a state has to be."""

    layer: Index | None = Field(
        None, description="the stream into this layer; the number of layers is the last one's output; by default half"
    )
    tried: Literal["regression", "gradient", "random", "all"] = Field(
        "regression",
        description="which tokens are tried first: those nearest to an embedding that a linear map of the tokens tried "
        "before, or gradient descent, makes of the state; or any; all: the whole vocabulary, for the full margin",
    )
    steps: Repeats = Field(20, description="fits of the linear map, or steps of the gradient descent")
    rate: Rate = Field(0.5, description="the descent's learning rate, in root mean squares of the embeddings")
    together: Count = Field(64, description="candidates that are tried after every fit, or every five steps")
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
    Differs: the tolerance is a share of the state's norm; among several candidates within it the nearest is taken. By
    default the order comes from a regression on the candidates tried before, which no gradient is needed for; the
    descent weighs dimensions by the state's own sizes; and the vocabulary is ranked by cosine around its mean: by plain
    distances a few massive dimensions and the embeddings' norms would decide. Candidates run alone behind the keys and
    values of the prefix; distance and margin are those of whole runs.
    """
    layers = model.dims.layers
    layer = layers // 2 if options.layer is None else options.layer
    if layer > layers:
        raise OptionError(
            f"invert, layer = {layer}: {model.name} has streams into layers 0 to {layers - 1}, and {layers}"
        )
    site, vocabulary = model.stream_sites()[layer], Vocabulary.of(model)
    names = ("distance", "margin", "tried", "correct")
    values = {name: np.full((len(prompts), prompts.width), np.nan) for name in names}
    tokens = np.full((len(prompts), prompts.width), "", dtype=object)
    for row in track(range(len(prompts)), len(prompts), "inverting each prompt"):
        truth = prompts.tokens[row, prompts.mask[row]]
        with torch.no_grad():
            states = model.record(unlabelled(truth[None]), [site])[site][0]
        matches = inverted(model, site, _noisy(states, options), vocabulary, options)
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
    vocabulary: Vocabulary,
    options: InvertOptions,
) -> list[Match]:
    """The tokens of one prompt from its states, as far as the margins allow."""
    tokens, matches = torch.zeros(0, dtype=torch.long), []
    for state in states:
        match = _match(Prefix(model, site, tokens), state, vocabulary, options)
        if not match.is_clear:
            break
        matches.append(match)
        tokens = torch.cat([tokens, torch.tensor([match.token])])
    return matches


def _match(prefix: Prefix, state: Float[Tensor, "d_model"], vocabulary: Vocabulary, options: InvertOptions) -> Match:
    """The nearest of the candidates, tried in order until one is near enough; the two nearest as whole runs say."""
    least, search = options.tolerance * float(state.double().norm()), Search(prefix, state, vocabulary)
    for some in search.candidates(options.tried, options):
        search.run(some)
        if options.tried != "all" and len(search.tokens) > 1 and float(search.distances.min()) <= least:
            break
    two = search.tokens[search.distances.topk(min(2, len(search.tokens)), largest=False).indices]
    with torch.no_grad():
        apart, order = distances(prefix.whole(two), state).sort()
    margin = float(apart[-1] - apart[0])
    return Match(int(two[order[0]]), float(apart[0]), margin, len(search.tokens), margin >= least)

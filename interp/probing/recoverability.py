"""Recoverability: from which layers on a token's own embedding can no longer be found from its state."""

from random import Random

import numpy as np
import torch
from jaxtyping import Float
from pydantic import Field
from pydantic.dataclasses import dataclass

from interp.core.engine import engine
from interp.core.intervals import bootstrap_mean
from interp.core.options import Count, Index, Rate, Repeats
from interp.core.progress import track
from interp.core.prompts import Prompts
from interp.corpus.enough import require_tokens
from interp.corpus.harvest import Place, States
from interp.corpus.labels import rule_places
from interp.corpus.options import CorpusOptions, windows_of
from interp.kinds import Recoverability
from interp.models.hooked import HookedModel
from interp.probing.inversion import BLOCK, Descent, Rows, Vocabulary, obstacle, ridge

TINY = 1e-12


@dataclass(frozen=True)
class RecoverabilityOptions(CorpusOptions):
    """The text, how many of its tokens are tried, and the gradient descent."""

    length: Count = Field(32, description="tokens per window")
    skip: Index = Field(1, description="initial positions of every window to skip; the first is often an outlier")
    items: Count = Field(1000, description="most tokens that the linear map is fitted to and judged on")
    descents: int = Field(8, ge=0, le=10**4, description="tokens that are found by gradient descent, of those judged")
    steps: Repeats = Field(20, description="its steps")
    rate: Rate = Field(0.5, description="its learning rate, in root mean squares of the embeddings")
    penalty: float = Field(
        1e-3, ge=0, le=1e3, allow_inf_nan=False, description="ridge of the linear map, as a share of the mean variance"
    )


@engine(obstacle=obstacle, default_prompts=windows_of)
def recoverability(model: HookedModel, prompts: Prompts, options: RecoverabilityOptions) -> Recoverability:
    """How many tokens can be found again from their state: by a linear map, and by gradient descent, layer by layer.

    A token counts as found where its own embedding is nearest, of the whole vocabulary, to what an inversion of its
    state gives, by cosine around the mean embedding. `linear`: the image of the state under the ridge map from states
    to embeddings that is fitted to the tokens of every second prompt; the share is of the others. `descent`: the
    embedding at its place, all before it as they are, that the descent of `invert` reaches from the mean embedding.
    `state`: the state itself, as the control that inverts nothing. `layer` each, with intervals over tokens. Copies of
    a prompt count once; of one prompt there is no linear map, and all tokens are judged by the others.
    Unit: fraction of the tokens.
    Raises: CorpusError where `skip` leaves no token.
    Source: Nikolaou et al. 2025, "Language Models are Injective and Hence Invertible", section 4, for the descent.
    Differs: embeddings are compared by cosine around their mean, and the descent weighs dimensions as `invert` does.
    """
    prompts = prompts[prompts.distinct()]
    places = _places(prompts, options)
    fitted, judged = ([place for place in places if place[0] % 2 == half] for half in (0, 1))
    if not judged:
        fitted, judged = [], places
    tried = judged[:: max(1, len(judged) // options.descents)][: options.descents] if options.descents else []
    states, vocabulary = States(model, prompts, places), Vocabulary.of(model)
    layers, values = range(model.dims.layers + 1), {}
    shares: dict[str, list[np.ndarray]] = {"linear": [], "descent": [], "state": []}
    for layer in track(layers, len(layers), "inverting each layer"):
        here = states.at(judged, layer)
        image = here[:0]
        if fitted and judged:
            image = ridge(states.at(fitted, layer), _own(prompts, fitted, vocabulary), options.penalty)(here)
        shares["linear"].append(_hits(image, prompts, judged[: len(image)], vocabulary))
        shares["descent"].append(_descended(model, prompts, tried, layer, states, vocabulary, options))
        shares["state"].append(_hits(here, prompts, judged, vocabulary))
    for name, hits in shares.items():
        mean, low, high = np.array([bootstrap_mean(each if len(each) else np.full(1, np.nan)) for each in hits]).T
        values[name], values[f"{name}_interval"] = mean, np.stack([low, high], -1)
    return Recoverability.of(
        prompts,
        values,
        measured=f"share of {len(judged):,} tokens whose embedding is the nearest of {len(vocabulary):,} to an "
        f"inversion of their state (linear map of {len(fitted):,} tokens; descents for {len(tried)})",
        facts={"fitted": str(len(fitted)), "judged": str(len(judged)), "descents": str(len(tried))},
    )


def _places(prompts: Prompts, options: RecoverabilityOptions) -> list[Place]:
    places = rule_places(prompts, options.skip)
    require_tokens(len(places), options.skip)
    return sorted(Random(options.seed).sample(places, min(len(places), options.items)))


def _own(prompts: Prompts, places: list[Place], vocabulary: Vocabulary) -> Rows:
    """The tokens' own embeddings."""
    tokens = torch.tensor([int(prompts.tokens[place]) for place in places], device=vocabulary.embeddings.device)
    return vocabulary.embeddings[tokens].double().cpu().numpy()


def _hits(rows: Rows, prompts: Prompts, places: list[Place], vocabulary: Vocabulary) -> Float[np.ndarray, "row"]:
    """1 where the nearest embedding is the token's own (or one like it), by cosine around the mean embedding."""
    if not places:
        return np.zeros(0)
    units, embeddings = vocabulary.units, vocabulary.embeddings
    tokens = [int(prompts.tokens[place]) for place in places]
    image = (torch.from_numpy(rows).to(embeddings.device) - embeddings.mean(0, dtype=torch.float64)).to(units)
    best = torch.full((len(places),), -torch.inf, dtype=units.dtype, device=units.device)
    for some in units.split(BLOCK):
        best = torch.maximum(best, (image @ some.T).max(-1).values)
    size, own = image.norm(dim=-1), (image * units[tokens]).sum(-1)
    slack = 16 * torch.finfo(units.dtype).eps * size  # rounding of the two products
    return ((own >= best - slack) & (size > TINY)).double().cpu().numpy()


def _descended(
    model: HookedModel,
    prompts: Prompts,
    places: list[Place],
    layer: int,
    states: States,
    vocabulary: Vocabulary,
    options: RecoverabilityOptions,
) -> Float[np.ndarray, "row"]:
    """1 where the descent at a token ends nearest to its own embedding; all of them go down together."""
    if not places:
        return np.zeros(0)
    rows, positions = [row for row, _ in places], [pos for _, pos in places]
    embeddings = vocabulary.embeddings
    there = torch.from_numpy(states.at(places, layer)).to(embeddings)
    site, some, at = model.stream_sites()[layer], prompts[rows], (torch.arange(len(places)), positions)
    descent = Descent(
        lambda edits: model.record(some, [site], edits=edits)[site][at], positions, there, embeddings, options.rate
    )
    for _ in range(options.steps):
        descent.step()
    nearest = [int(vocabulary.nearest_first(reached)[0]) for reached in descent.reached]
    return np.array([token == int(prompts.tokens[place]) for token, place in zip(nearest, places, strict=True)], float)

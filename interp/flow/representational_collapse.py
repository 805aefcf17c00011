"""Representational collapse: how near the last states of two prompts come as what they end with is repeated."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from jaxtyping import Float
from pydantic import Field
from pydantic.dataclasses import dataclass
from torch import Tensor

from interp.core.engine import engine
from interp.core.errors import PromptError
from interp.core.options import Count, Seed
from interp.core.progress import track
from interp.core.prompts import Prompts
from interp.corpus.losses import loss_obstacle
from interp.kinds import RepresentationalCollapse
from interp.models.finite import require_finite
from interp.models.hooked import HookedModel
from interp.models.sites import Site

_EVERY = 3  # ones between two commas

# What is repeated, `count` elements of it, as text.
FAMILIES: dict[str, Callable[[int, np.random.Generator], list[str]]] = {
    "ones": lambda count, random: ["1"] * count,
    "digits": lambda count, random: [str(digit) for digit in random.integers(10, size=count)],
    "commas": lambda count, random: [",1" if at and at % _EVERY == 0 else "1" for at in range(count)],
}


@dataclass(frozen=True)
class RepresentationalCollapseOptions:
    """The lengths, and the words around what is counted and copied."""

    counts: tuple[Count, ...] = Field((1, 2, 4, 8, 16, 32, 64, 128, 256), description="numbers of repeated elements")
    question: str = Field("\nThe number of digits above is", description="text after the elements, before their number")
    separator: str = Field("\nThe same again: ", description="text between the elements and their copy")
    seed: Seed = Field(0, description="seed of the random digits")


def _obstacle(model: HookedModel) -> str | None:
    if model.program:
        return "a compiled program reads no numbers"
    return loss_obstacle(model) or model.site_obstacle(_last(model))


def _last(model: HookedModel) -> Site:
    return Site("resid_post", model.dims.layers - 1)


def _beginning(model: HookedModel, options: RepresentationalCollapseOptions) -> Prompts:
    return Prompts.of(model, "Here are some digits: ")


@engine(obstacle=_obstacle, default_prompts=_beginning)
def representational_collapse(
    model: HookedModel, prompts: Prompts, options: RepresentationalCollapseOptions
) -> RepresentationalCollapse:
    """How near the last states of two growing prompts come, compared with the spacing of bfloat16; counting, copying.

    After each prompt, `count` elements of a `family` are written: ones, random digits (the control), or ones with a
    comma after every third (the remedy). The second prompt has its last element once more.

    `distance` and `distance_l2` (`batch family count`): the largest difference, and the length of the difference, of
    the streams out of the last layer at the last position, as this model computes them (load it in float32 or bfloat16
    to compare those). `bfloat16_distance`: the largest
    difference once both are rounded to bfloat16; `spacing`: the largest step between neighbouring bfloat16 numbers
    there; `equal_share`: the share of dimensions that are then the same. `counting`: 1 where the most likely tokens
    after the `question` are the number of elements. `copying`: share of the elements' tokens that are most likely when
    they are written again behind the `separator`. NaN where the text does not fit into the model's context.
    Unit: stream; shares.
    Raises: EngineError where activations are not finite.
    Source: Barbero et al. 2024, "Transformers need glasses!", sections 4 and 6.
    Differs: the question stands only where counting is measured, so that the last state is that of the element.
    """
    shape = (len(prompts), len(FAMILIES), len(options.counts))
    values = {name: np.full(shape, np.nan) for name in RepresentationalCollapse.variables}
    places = [(row, family, at) for row in range(shape[0]) for family in range(shape[1]) for at in range(shape[2])]
    for place in track(places, len(places), "representational-collapse"):
        row, family, at = place
        elements = list(FAMILIES.values())[family](options.counts[at], np.random.default_rng(options.seed))
        before = prompts.tokens[row][prompts.mask[row]].tolist()
        for name, value in _measured(model, before, elements, options).items():
            values[name][place] = value
    return RepresentationalCollapse.of(
        prompts,
        values,
        measured=f"distance of the last states of two prompts, the second one with its last element repeated "
        f"({str(model.dtype).removeprefix('torch.')})",
        family=list(FAMILIES),
        count=list(options.counts),
    )


def _measured(
    model: HookedModel, before: list[int], elements: list[str], options: RepresentationalCollapseOptions
) -> dict[str, float]:
    """What is measured of one sequence of elements, as far as its texts fit."""
    written, last = _tokens(model, "".join(elements)), _tokens(model, elements[-1])
    question, separator = _tokens(model, options.question), _tokens(model, options.separator)
    number = _tokens(model, f" {len(elements)}")
    values: dict[str, float] = {}
    if len(before) + len(written) + len(last) <= model.context_length:
        values |= _distances(*(_state(model, [*before, *written, *more]) for more in ([], last)))
    for name, context, answer in (("counting", question, number), ("copying", separator, written)):
        tokens = [*before, *written, *context, *answer]
        if len(tokens) <= model.context_length:
            right = _predicted(model, tokens, len(answer))
            values[name] = float(all(right)) if name == "counting" else float(np.mean(right))
    return values


def _distances(one: Float[Tensor, "d_model"], other: Float[Tensor, "d_model"]) -> dict[str, float]:
    """Of two states: as they are, and rounded to bfloat16."""
    apart, rounded = (one.double() - other.double()).abs(), [state.bfloat16() for state in (one, other)]
    near = (rounded[0].double() - rounded[1].double()).abs()
    largest = torch.maximum(one.double().abs(), other.double().abs())
    return {
        "distance": float(apart.max()),
        "distance_l2": float(apart.norm()),
        "bfloat16_distance": float(near.max()),
        "spacing": float(2.0 ** (largest.max().clamp_min(1e-38).log2().floor() - 7)),  # eight bits, one of them implied
        "equal_share": float((near == 0).double().mean()),
    }


@torch.no_grad()
def _state(model: HookedModel, tokens: Sequence[int]) -> Float[Tensor, "d_model"]:
    prompt, site = Prompts.of_tokens(model, [tokens]), _last(model)
    state = model.record(prompt, [site])[site][0, -1]
    require_finite(model, prompt, state)
    return state


@torch.no_grad()
def _predicted(model: HookedModel, tokens: Sequence[int], last: int) -> list[bool]:
    """Whether each of the last tokens is the most likely one, given all before it."""
    logits = model.run(Prompts.of_tokens(model, [tokens])).logits[0, -last - 1 : -1]
    return (logits.argmax(-1).cpu() == torch.tensor(tokens[-last:])).tolist()


def _tokens(model: HookedModel, text: str) -> list[int]:
    """Raises: PromptError for a text that is no token of the model."""
    tokens = model.encode_continuation(text)
    if not tokens:
        raise PromptError(f"{text!r} is no token of {model.name}; give another question or separator")
    return tokens

"""Where labels come from: a file, a generator, or a rule on the tokens of any text."""

from collections.abc import Callable
from random import Random
from typing import Any

import numpy as np
from jaxtyping import Int
from pydantic import Field
from pydantic.dataclasses import dataclass

from interp.core.errors import OptionError
from interp.core.labelled import Item, LabelledPrompts
from interp.core.options import Count, Index
from interp.core.prompts import Prompts
from interp.corpus.options import CorpusOptions, windows_of
from interp.models.hooked import HookedModel
from interp.tasks.arrangement import arrangement
from interp.tasks.labelled_files import labelled_file
from interp.tasks.planted import planted

Codes = Int[np.ndarray, "row"]  # labels as numbers from 0
GENERATORS: dict[str, Callable[..., LabelledPrompts]] = {"arrangement": arrangement, "planted": planted}


@dataclass(frozen=True)
class LabelOptions(CorpusOptions):
    """What is labelled: a file's prompts, a generator's, or the tokens of prompts and of windows."""

    length: Count = Field(64, description="tokens per window")
    labels: str = Field(
        "word",
        description="where labels come from: a .jsonl or .csv file with text, label and perhaps group and position; a "
        "generator: arrangement (steps of a puzzle, true or false) or planted (a name in a sentence); or a rule on "
        "the tokens of any text: word (begins a word), seen (occurred before), half (stands in the second half)",
    )
    n: Count = Field(64, description="prompts that a generator makes")
    items: Count = Field(2000, description="most labelled tokens; a random choice among more")
    skip: Index = Field(1, description="initial positions that a rule does not label; the first is often an outlier")


def word(labels: tuple[str, ...], place: int) -> bool:
    """Whether the token begins a word: behind a space, or between characters that are not both letters or digits."""
    label = labels[place]
    if not any(each.startswith(" ") for each in labels):  # word pieces
        return not label.startswith("##")
    return label.startswith(" ") or place == 0 or not (label[:1].isalnum() and labels[place - 1][-1:].isalnum())


def seen(labels: tuple[str, ...], place: int) -> bool:
    """Whether the token occurred before in its prompt."""
    return labels[place] in labels[:place]


RULES: dict[str, Callable[[tuple[str, ...], int], bool]] = {"word": word, "seen": seen}
HALF = "half"


def rule_values(prompts: Prompts, rule: str, places: list[tuple[int, int]], skip: int) -> list[bool]:
    """What a rule says of each place (a prompt and a position in it)."""
    if rule == HALF:
        ends = prompts.mask.sum(-1).tolist()
        return [2 * (pos - skip) >= ends[row] - skip for row, pos in places]
    return [RULES[rule](prompts.labels[row], pos) for row, pos in places]


def rule_places(prompts: Prompts, skip: int) -> list[tuple[int, int]]:
    """Every token behind the first `skip`, of prompts that are no copies of others."""
    ends = prompts.mask.sum(-1).tolist()
    return [(row, pos) for row in prompts.distinct() for pos in range(skip, ends[row])]


def labelled_prompts(model: HookedModel, options: Any) -> Prompts:
    """The prompts that the options name; those of a rule are labelled by `labelled`."""
    if options.labels in (*RULES, HALF):
        return windows_of(model, options)
    if options.labels in GENERATORS:
        return GENERATORS[options.labels](model, options.n, Random(options.seed))
    if not options.labels.lower().endswith((".jsonl", ".csv")):
        raise OptionError(
            f"labels = {options.labels!r}; give a .jsonl or .csv file, a generator ({', '.join(GENERATORS)}) or a rule "
            f"({', '.join((*RULES, HALF))})"
        )
    return labelled_file(model, options.labels)


def labelled(prompts: Prompts, options: Any) -> LabelledPrompts:
    """The prompts with at most `items` labels: their own, or those of the rule.

    Raises: OptionError where prompts without labels meet a file or a generator, which bring prompts of their own.
    """
    if isinstance(prompts, LabelledPrompts):
        items = list(prompts.items)
    elif options.labels in (*RULES, HALF):
        places = rule_places(prompts, options.skip)
        values = rule_values(prompts, options.labels, places, options.skip)
        words = {True: options.labels, False: f"not {options.labels}"}
        items = [Item(*place, words[value], f"prompt {place[0]}") for place, value in zip(places, values, strict=True)]
    else:
        raise OptionError(
            f"labels = {options.labels!r} brings prompts of its own; leave the prompt out, or label its tokens by a "
            f"rule ({', '.join((*RULES, HALF))})"
        )
    if len(items) > options.items:
        items = sorted(Random(options.seed).sample(items, options.items))
    return LabelledPrompts.of_items(prompts, items)


def shuffled_labels(codes: Codes, groups: Int[np.ndarray, "row"], rng: np.random.Generator) -> Codes:
    """Labels that change places within their group; those of groups with one label change places with other groups."""
    members = [np.flatnonzero(groups == group) for group in np.unique(groups)]
    whole = [each for each in members if len(np.unique(codes[each])) == 1]
    shuffled = codes.copy()
    for each in members:
        shuffled[each] = rng.permutation(codes[each])
    for each, other in zip(whole, rng.permutation(len(whole)), strict=True):
        shuffled[each] = codes[whole[other][0]]
    return shuffled

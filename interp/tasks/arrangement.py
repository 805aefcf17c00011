"""Arrangement puzzles: people on seats, clues that fix their order, and steps that are true or false."""

from itertools import pairwise
from random import Random

from interp.core.labelled import Item, LabelledPrompts
from interp.core.language_model import LanguageModel
from interp.core.prompts import Prompts
from interp.tasks.labelling import last_token

PEOPLE = ("Anna", "Ben", "Carl", "Dora", "Emma", "Frank", "Grace", "Henry", "Ian", "Julia", "Kate", "Leo")
SEATS, STEPS = 4, 6
TRUE, FALSE = "true", "false"


def arrangement(model: LanguageModel, n: int, rng: Random) -> LabelledPrompts:
    """`n` puzzles of four people in a row: three clues that fix the order, and six steps “X sits left of Y.”

    Half of a puzzle's steps are true. Each is labelled at its last token; the group is the puzzle.
    Raises: PromptError if the model's tokens of a beginning are not the beginning of its tokens.
    """
    puzzles = [_puzzle(rng) for _ in range(n)]
    texts = ["".join((head, *(step for step, _ in steps))) for head, steps in puzzles]
    prompts = Prompts.of(model, texts)
    items = []
    for row, (head, steps) in enumerate(puzzles):
        text = head
        for step, label in steps:
            text += step
            items.append(Item(row, last_token(model, texts[row], text), label, f"puzzle {row}"))
    return LabelledPrompts.of_items(prompts, items)


def _puzzle(rng: Random) -> tuple[str, list[tuple[str, str]]]:
    row = rng.sample(PEOPLE, SEATS)
    clues = [f" {left} sits directly left of {right}." for left, right in pairwise(row)]
    rng.shuffle(clues)
    named = sorted(row)
    head = f"{', '.join(named[:-1])} and {named[-1]} sit in a row of {SEATS} seats.{''.join(clues)} Therefore:"
    pairs = [(left, right) for at, left in enumerate(row) for right in row[at + 1 :]]
    labels = [TRUE] * (STEPS // 2) + [FALSE] * (STEPS - STEPS // 2)
    rng.shuffle(labels)
    rng.shuffle(pairs)
    steps = []
    for pair, label in zip(pairs, labels, strict=True):
        left, right = pair if label == TRUE else pair[::-1]
        steps.append((f" {left} sits left of {right}.", label))
    return head, steps
